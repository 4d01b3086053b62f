//! The table in `report.html`.

use execlab_model::result::{FieldCounts, PathCounts};
use execlab_reports::{conformance::Held, html};
use scraper::{Html, Selector};

use super::{whole, with_paths};
use crate::fixture;

fn select<'p>(page: &'p Html, selector: &str) -> Vec<scraper::ElementRef<'p>> {
    page.select(&Selector::parse(selector).unwrap()).collect()
}

/// Some cells as the built-in table has them, and one that it has not so.
fn page() -> Html {
    let mut trials = Vec::new();
    for kernel in ["5.10", "7.3"] {
        for backend in ["ebpf", "ptrace"] {
            trials.push(whole(kernel, backend, "absolute"));
        }
    }
    let mut odd = with_paths(
        "7.3",
        "ptrace",
        PathCounts {
            wrong: 20,
            ..PathCounts::default()
        },
    );
    odd.workload.scenario = "relative".into();
    trials.push(odd);
    for trial in &mut trials {
        let right = Some(FieldCounts {
            right: 20,
            ..FieldCounts::default()
        });
        (trial.parent, trial.credentials) = (right.clone(), right);
    }
    Html::parse_document(&html(&trials, &[]))
}

#[test]
fn a_scenario_is_a_row_and_a_backend_a_column() {
    let page = page();
    let heads: Vec<String> = select(&page, "table.conform thead th")
        .iter()
        .map(|th| th.text().collect())
        .collect();
    assert_eq!(heads, ["scenario", "ebpf", "ptrace"]);
    let rows: Vec<String> = select(&page, "table.conform tbody th")
        .iter()
        .map(|th| th.text().collect())
        .collect();
    assert_eq!(rows, ["absolute", "relative"]);
    let lines = select(&page, "table.conform tbody p");
    assert_eq!(lines.len(), 3, "kernels that agree share a line");
    let first: String = lines[0].text().collect();
    assert_eq!(first.trim(), "5.10 to 7.3 sees all");
    assert_eq!(lines[0].attr("data-k"), Some("0 1"));
}

#[test]
fn what_contradicts_the_built_in_table_says_so_in_words() {
    assert!(Held::committed().scenarios.contains_key("relative"));
    let page = page();
    let marked = select(&page, "p[data-m~=contradicts]");
    assert_eq!(marked.len(), 1);
    let text: String = marked[0].text().collect();
    assert!(text.contains("path wrong"), "{text}");
    assert!(
        text.contains("the built-in table says: path exact"),
        "{text}"
    );
    assert!(text.contains("(not explained)"), "{text}");
}

#[test]
fn there_is_a_choice_for_each_name_and_no_section_without_a_trial_of_that_manner() {
    let page = page();
    let options = |name: &str| {
        select(
            &page,
            &format!("#conform-filters select[data-filter={name}] option"),
        )
        .len()
    };
    assert_eq!(
        (
            options("scenario"),
            options("backend"),
            options("kernel"),
            options("mark")
        ),
        (3, 3, 3, 3)
    );
    let mut other = whole("6.1", "ebpf", "absolute");
    other.lab = execlab_model::result::Lab::Kvm;
    let page = Html::parse_document(&html(&[other], &[]));
    assert!(select(&page, "#conformance").is_empty());
    assert!(select(&page, "a[href=\"#conformance\"]").is_empty());
}

#[test]
fn ten_thousand_trials_add_little() {
    let mut trials = Vec::new();
    for scenario in 0..334 {
        for backend in ["a", "b", "c", "d", "e"] {
            for kernel in ["5.10", "6.1", "6.12", "6.18", "7.2", "7.3"] {
                trials.push(fixture::bare(
                    kernel,
                    backend,
                    &format!("s{scenario}"),
                    20,
                    1,
                ));
                let last = trials.last_mut().unwrap();
                last.status = execlab_model::result::Status::Unsupported;
                last.reason = Some("this kernel has no such thing".into());
            }
        }
    }
    let whole = html(&trials, &[]);
    let start = whole.find("<h2 id=\"conformance\"").unwrap();
    let section = &whole[start..start + whole[start..].find("</section>").unwrap()];
    assert!(
        section.len() < 1 << 20,
        "{} of {}",
        section.len(),
        whole.len()
    );
    assert!(
        section.len() * 5 < whole.len(),
        "{} of {}",
        section.len(),
        whole.len()
    );
}
