//! Labs in which each trial is one sample: intervals, the control, and what may be concluded.

use execlab_model::result::{Lab, TrialResult};
use execlab_reports::{
    Summary, TerminalOptions,
    conclude::conclude,
    html, markdown,
    matrix::{Apart, Cell, Matrix, Role},
    metric::{METRICS, Metric},
    terminal,
};

use crate::{
    fixture::{
        self,
        sampled::{run, shift},
    },
    html::part,
};

fn screen(results: &[TrialResult], width: usize) -> String {
    let options = TerminalOptions {
        width,
        color: false,
    };
    terminal(results, &[], &options)
}

fn lines(results: &[TrialResult]) -> String {
    conclude(&Matrix::new(results)).join("\n")
}

fn warnings(results: &[TrialResult]) -> Vec<String> {
    let text = screen(results, 2000);
    let lines = text.lines().filter_map(|line| line.strip_prefix("! "));
    lines.map(str::to_owned).collect()
}

fn added() -> &'static Metric {
    Metric::by_id("added_per_exec").unwrap()
}

fn cell<'m, 'a>(matrix: &'m Matrix<'a>, backend: &str) -> &'m Cell<'a> {
    let is = |c: &&Cell<'_>| c.any().backend_label() == backend;
    matrix.cells().find(is).unwrap()
}

#[test]
fn a_host_run_on_a_terminal() {
    insta::assert_snapshot!(screen(&run(Lab::Host, 8, true), 100));
}

#[test]
fn a_host_run_in_markdown() {
    insta::assert_snapshot!(markdown(&run(Lab::Host, 8, true), &[]));
}

#[test]
fn a_host_run_in_html() {
    let page = html(&run(Lab::Host, 8, true), &[]);
    let rows = part(&page, "<h2 id=\"cells\"", "</noscript>");
    let rows: Vec<&str> = rows
        .split("<tr>")
        .filter(|r| r.contains("none+again") || r.contains("ebpf"))
        .collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn a_host_run_in_a_summary() {
    let summary = Summary::new(&run(Lab::Host, 8, true), &[]);
    let of = |variant: &str, backend: &str| {
        let is = |c: &&execlab_reports::CellSummary| c.variant == variant && c.backend == backend;
        summary.cells.iter().find(is).unwrap()
    };
    insta::assert_json_snapshot!((
        &of("default", "ebpf").figures["added_per_exec"],
        &of("default", "ptrace").figures["added_per_exec"],
        &of("again", "none").figures,
        of("again", "none").control,
        of("default", "none").control,
    ));
}

#[test]
fn too_few_seeds_and_no_control() {
    insta::assert_snapshot!(screen(&run(Lab::Kvm, 3, false), 100));
}

#[test]
fn loss_and_cost_share_a_row_at_100_columns() {
    let text = screen(&run(Lab::Host, 8, true), 100);
    let row = text.lines().find(|l| l.contains("netlink")).unwrap();
    insta::assert_snapshot!(row);
}

#[test]
fn the_exact_lab_has_ranges_and_no_intervals() {
    let exact = run(Lab::Exact, 8, false);
    let matrix = Matrix::new(&exact);
    for cell in matrix.cells() {
        assert!(METRICS.iter().all(|m| cell.figure(m).interval.is_none()));
        assert_eq!(matrix.apart(cell, added()), None);
    }
    let text = screen(&exact, 200);
    assert!(
        !text.contains('…') && text.contains("+20,590..+23,500"),
        "{text}"
    );
    assert_eq!(warnings(&exact), Vec::<String>::new());
    assert!(lines(&exact).contains("Cheapest of those"));
}

#[test]
fn intervals_begin_with_six_seeds() {
    for (seeds, has) in [(5, false), (6, true), (7, true)] {
        let results = run(Lab::Kvm, seeds, true);
        let matrix = Matrix::new(&results);
        let figure = cell(&matrix, "ptrace+default").figure(added());
        assert_eq!(figure.interval.is_some(), has, "{seeds}");
        let told = warnings(&results).concat();
        assert_eq!(told.contains("fewer than 6 seeds"), !has, "{told}");
    }
    // Shares keep their extremes: the seed that lost must be seen.
    let results = run(Lab::Kvm, 8, true);
    let matrix = Matrix::new(&results);
    let complete = Metric::by_id("completeness").unwrap();
    let figure = cell(&matrix, "netlink+default").figure(complete);
    assert_eq!(figure.interval, None);
    assert_eq!(figure.print_spread(complete).unwrap(), "96.90..98.90%");
}

#[test]
fn a_control_is_no_backend() {
    let results = run(Lab::Host, 8, true);
    let matrix = Matrix::new(&results);
    assert!(matrix.only_defaults(), "`again` is no setting of anybody's");
    assert!(matrix.watched().all(|c| matrix.role(c.at) == Role::Watcher));
    assert_eq!(matrix.watched().count(), 5);
    let control = cell(&matrix, "none+again");
    for id in ["completeness", "true_loss", "honesty", "monitor_share"] {
        assert!(
            control.figure(Metric::by_id(id).unwrap()).is_empty(),
            "{id}"
        );
    }
    assert!(!control.figure(added()).is_empty());
    assert!(!lines(&results).contains("again") && !lines(&results).contains("A/A"));
    // Without the others there is nothing to conclude.
    let alone: Vec<_> = results.into_iter().filter(|t| !t.is_watched()).collect();
    assert!(lines(&alone).contains("Only the baseline was run"));
    assert!(html(&alone, &[]).contains("No backend was run"));
}

#[test]
fn the_control_stands_first_below_the_baseline() {
    let mut results = run(Lab::Host, 8, true);
    results.reverse();
    let text = screen(&results, 200);
    let rows = text.lines().skip_while(|l| !l.starts_with('─'));
    let first = rows.skip(1).find(|l| l.starts_with("running")).unwrap();
    assert!(first.contains("control (A/A)"), "{first}");
    let cells = Summary::new(&results, &[]).cells;
    let names: Vec<String> = cells
        .iter()
        .map(|c| format!("{}+{}", c.backend, c.variant))
        .collect();
    assert_eq!(names[..3], ["none+default", "none+again", "audit+default"]);
}

#[test]
fn a_control_that_differs_or_is_not_there_is_a_warning() {
    let fine = run(Lab::Host, 8, true);
    assert_eq!(warnings(&fine), Vec::<String>::new());
    let mut odd = fine.clone();
    shift(&mut odd, "none", 5_000.0);
    insta::assert_snapshot!(warnings(&odd).join("\n"));
    insta::assert_snapshot!(warnings(&run(Lab::Host, 8, false)).join("\n"));
    // One that was lost is none.
    let mut lost = fine;
    for t in lost.iter_mut().filter(|t| t.is_control()) {
        t.cost = None;
    }
    assert!(warnings(&lost)[0].contains("there is no control"));
}

#[test]
fn what_overlaps_the_control_is_not_told_apart_from_nothing() {
    let told = |by: f64, control: f64| {
        let mut results = run(Lab::Host, 8, true);
        shift(&mut results, "ebpf", by);
        shift(&mut results, "none", control);
        let matrix = Matrix::new(&results);
        matrix
            .apart(cell(&matrix, "ebpf+default"), added())
            .unwrap()
    };
    // The control shows -310 to 2,600, and ebpf's own interval is -160 to 2,750.
    assert_eq!(told(0.0, 0.0), Apart::NotToldApart);
    assert_eq!(told(2_700.0, 0.0), Apart::NotToldApart);
    assert_eq!(told(2_800.0, 0.0), Apart::Above);
    assert_eq!(told(2_800.0, 1_000.0), Apart::NotToldApart);
    assert_eq!(told(-3_100.0, 0.0), Apart::Below);
    let results = run(Lab::Host, 8, false);
    let matrix = Matrix::new(&results);
    let of = |backend| matrix.apart(cell(&matrix, backend), added());
    assert_eq!(of("ptrace+default"), Some(Apart::NoControl));
    assert_eq!(of("ebpf+default"), Some(Apart::NotToldApart));
    assert_eq!(of("none"), None);
}

#[test]
fn no_order_is_claimed_of_intervals_that_overlap() {
    let mut results = run(Lab::Host, 8, true);
    results.retain(|t| ["none", "ebpf", "audit", "ptrace"].contains(&t.backend.name.as_str()));
    let cost = |results: &[TrialResult]| {
        lines(results)
            .lines()
            .skip(1)
            .take(2)
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::assert_snapshot!(cost(&results));
    // Now ebpf costs about what audit does, and a little less than it does by the medians.
    shift(&mut results, "ebpf", 20_900.0);
    insta::assert_snapshot!(cost(&results));
    shift(&mut results, "ptrace", -39_000.0);
    insta::assert_snapshot!(cost(&results));
    results.retain(|t| t.seed < 5);
    insta::assert_snapshot!(cost(&results));
}

#[test]
fn labs_are_kept_apart_in_every_document() {
    let mut results = run(Lab::Host, 8, true);
    results.extend(run(Lab::Kvm, 8, true));
    let exact = fixture::realistic();
    results.extend(
        exact
            .into_iter()
            .filter(|t| t.workload.scenario == "relative" && t.kernel.name == "6.1"),
    );
    let text = screen(&results, 200);
    for heading in ["lab exact, 1 CPU", "lab kvm, 1 CPU", "lab host, 4 CPUs"] {
        let whole = format!("execs, {heading}\n");
        assert_eq!(text.matches(&whole).count(), 1, "{heading}");
    }
    insta::assert_snapshot!(lines(&results));
    let told = warnings(&results).join("\n");
    assert!(
        told.contains("figures of different labs stand in one report"),
        "{told}"
    );
    for table in text.split("\n\n") {
        let units = [
            "Without a monitor, instructions",
            "Without a monitor, CPU ns",
        ];
        assert!(
            units.iter().filter(|u| table.contains(*u)).count() < 2,
            "{table}"
        );
        assert!(!table.contains("or instructions per exec"), "{table}");
    }
    let page = html(&results, &[]);
    // A plot of its own for each lab, since no axis fits two units.
    for section in ["plot", "latency"] {
        let section = part(&page, &format!("<h2 id=\"{section}\""), "</section>");
        assert_eq!(section.matches("<h3>Lab ").count(), 3);
    }
    assert!(!page.contains("added per exec, CPU ns or"));
    let summary = Summary::new(&results, &[]);
    let labs = |c: &execlab_reports::CellSummary| c.lab.clone();
    let kinds: std::collections::BTreeSet<String> = summary.cells.iter().map(labs).collect();
    assert_eq!(kinds.len(), 3);
}

#[test]
fn what_the_machine_did_stands_in_every_document() {
    let results = run(Lab::Host, 8, true);
    let text = screen(&results, 1000);
    let line = text.lines().find(|l| l.starts_with("- Machine")).unwrap();
    insta::assert_snapshot!(line);
    for document in [markdown(&results, &[]), html(&results, &[])] {
        assert!(document.contains("load average up to 2.25"), "{document}");
    }
    let summary = Summary::new(&results, &[]);
    insta::assert_json_snapshot!(summary.cells[2].machine);
    // Where nothing is known nothing is said, and nonsense is not known.
    let mut silent = results.clone();
    for t in &mut silent {
        t.host.clear();
        t.host.insert("steal_ns".into(), "lots".into());
        t.host
            .insert("frequency_khz".into(), serde_json::json!([1]));
        t.host.insert("load_average".into(), serde_json::json!(-1));
    }
    assert!(!screen(&silent, 1000).contains("Machine"));
    assert!(Summary::new(&silent, &[]).cells[2].machine.is_unknown());
}
