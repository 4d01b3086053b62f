//! The record as Markdown, HTML and JSON.

use std::sync::LazyLock;

use execlab_model::result::{Status, TrialResult};
use execlab_reports::{
    decide::{Decision, decide},
    text::json,
};

use super::{decided, deployments, question};
use crate::{
    fixture,
    hostile::{
        documents::{html_shape, markdown_shape},
        steers,
        texts::{TEXTS, run},
    },
};

fn recommended() -> Decision {
    let mut results = fixture::realistic();
    for trial in &mut results {
        if trial.backend.name == "proc-poll" && trial.kernel.name == "5.10" {
            trial.status = Status::Unsupported;
            trial.reason = Some("no /proc".into());
        }
    }
    results.retain(|t| t.backend.name != "ptrace" || t.kernel.name != "7.2");
    decided(
        &results,
        &["completeness>=0.999", "path=exact", "containers"],
        &["audit-owner"],
    )
}

#[test]
fn markdown_of_a_recommendation() {
    insta::assert_snapshot!(recommended().markdown());
}

#[test]
fn markdown_of_nothing_that_meets_the_needs() {
    let results = fixture::realistic();
    let found = decided(&results, &["completeness>=1", "cost<=500"], &[]);
    insta::assert_snapshot!(found.markdown());
}

#[test]
fn the_page_says_what_the_text_says_and_fetches_nothing() {
    let found = recommended();
    let page = found.html();
    for part in [
        "Watch with ebpf+default.",
        "<dt>Needs</dt>",
        "Trade-offs among those that remain",
        "Those that fall",
        "Undecided",
        "unsupported: no /proc",
        "5.10/netlink+default",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(
        !page.contains("://") && !page.contains(" src="),
        "it reaches out"
    );
    assert_eq!(page.matches("<td").count(), page.matches("</td>").count());
    for lines in [&found.rule, &found.recommendation.as_ref().unwrap().why] {
        let text: String = scraper::Html::parse_document(&page)
            .root_element()
            .text()
            .collect();
        assert!(lines.iter().all(|line| text.contains(line.as_str())));
    }
}

#[test]
fn the_document_reads_back_and_makes_the_same_pages() {
    let found = recommended();
    let written = json(&found);
    let read: Decision = serde_json::from_str(&written).unwrap();
    assert_eq!(read, found);
    assert_eq!(
        (read.markdown(), read.html()),
        (found.markdown(), found.html())
    );
}

/// Of one lab, so that there is something to decide.
fn decision_of(text: &str) -> Decision {
    let mut results: Vec<TrialResult> = run(text).0;
    results.retain(|t| t.lab.is_exact());
    for trial in &mut results {
        // These make two experiments of one, or two machines.
        trial.provenance.qemu = None;
        if let Some(cost) = &mut trial.cost {
            cost.unit = text.into();
        }
    }
    let mut asked = question(&results, &["completeness>=0.999", "honesty=knew"], &["bpf"]);
    asked.deployments = deployments(&results);
    for deployment in asked.deployments.values_mut() {
        deployment.needs = vec![text.into()];
        deployment.properties.push(text.into());
    }
    asked.command = format!("execlab decide {text}");
    asked.sources[0].name = text.into();
    asked.without[0].about = text.into();
    asked.known_kernels = vec![text.into(), "5.5".into()];
    asked.kernels = vec!["..".parse().unwrap()];
    decide(&results, &asked).unwrap()
}

#[test]
fn no_text_of_others_is_more_than_text() {
    static PLAIN: LazyLock<(Vec<String>, Vec<String>)> = LazyLock::new(|| {
        let plain = decision_of("plain");
        (html_shape(&plain.html()), markdown_shape(&plain.markdown()))
    });
    for (name, text) in TEXTS {
        let found = decision_of(text);
        let (page, paper, written) = (found.html(), found.markdown(), json(&found));
        for document in [&page, &paper, &written] {
            assert_eq!(steers(document), None, "{name}");
        }
        assert_eq!(html_shape(&page), PLAIN.0, "{name}");
        assert_eq!(markdown_shape(&paper), PLAIN.1, "{name}");
    }
}
