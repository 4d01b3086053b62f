use serde_json::json;

use super::*;

/// Execs that were seen, those with a right path and arguments, and those with a right container, of a hundred.
type Told = (u32, u32, u32);
const ALL: Told = (100, 100, 100);

fn line(load: &str, kernel: &str, variant: &str, added: f64, told: Told) -> Line {
    let (seen, best, contained) = told;
    let burst = load != "closed";
    let execs = if burst { BURST } else { EXECS };
    let line = json!({
        "trial": "a trial",
        "status": "completed",
        "lab": "exact",
        "backend": {"name": "x", "variant": variant},
        "kernel": {"name": kernel, "release": format!("{kernel}.0")},
        "workload": {"scenario": "absolute", "load": load, "execs": execs},
        "provenance": {"qemu": "7", "monitor": "ab"},
        "cost": {"added_per_exec": added},
        "completeness": {"seen": seen, "missed": 100 - seen},
        "path": {"best": best},
        "argv": {"exact": best},
        "parent": {"right": seen},
        "container": {"right": contained},
        "loss": {"self_reported": null},
        "notes": [],
    });
    serde_json::from_value(line).unwrap()
}

/// Of each seed the cost, default before tuned.
fn closed(kernel: &str, default: [f64; 3], tuned: [f64; 3], told: [Told; 2]) -> Vec<Line> {
    let default = default.map(|added| line("closed", kernel, DEFAULT, added, told[0]));
    let tuned = tuned.map(|added| line("closed", kernel, TUNED, added, told[1]));
    default.into_iter().chain(tuned).collect()
}

fn bursts(kernel: &str, default: (f64, Told), tuned: (f64, Told)) -> Vec<Line> {
    let load = format!("burst:{BURST}");
    let line = |variant, (added, told)| line(&load, kernel, variant, added, told);
    vec![line(DEFAULT, default), line(TUNED, tuned)]
}

fn made(lines: &[Line]) -> Result<String> {
    let rows = [Row {
        name: "x".into(),
        family: "letters".into(),
    }];
    page(&rows, lines)
}

fn table(lines: &[Line]) -> Vec<String> {
    let page = made(lines).unwrap();
    let rows = page.lines().filter(|line| line.contains("| `x`"));
    rows.map(str::to_owned).collect()
}

#[test]
fn numbers_have_commas_and_signs() {
    let all = [0.2, -0.4, 999.0, 1000.0, -1_234_567.4].map(grouped);
    assert_eq!(all, ["0", "0", "999", "1,000", "-1,234,567"]);
}

#[test]
fn medians_stand_with_half_of_their_range_and_what_is_dearer_is_marked() {
    let mut lines = closed("6.12", [100.0, 120.0, 110.0], [3.0e3; 3], [ALL; 2]);
    lines.extend(closed("5.10", [1.0, 5.0, 3.0], [6.0, 8.0, 7.0], [ALL; 2]));
    lines.extend(closed("7.3", [1.0, 5.0, 3.0], [5.0, 7.0, 6.0], [ALL; 2]));
    lines.extend(bursts("5.10", (100.0, ALL), (101.0, (99, 99, 99))));
    lines.extend(bursts("7.3", (100.0, ALL), (102.0, ALL)));
    assert_eq!(
        table(&lines),
        [
            "| letters | `x` | default | **3 ± 2** | **110 ± 10** | **3 ± 2** |",
            "| letters | `x` | tuned | 7 ± 1 dearer | 3,000 ± 0 dearer | 6 ± 1 |",
            "| `x` | default | 100; says ?; 100 | 100; says ?; 100 |",
            "| `x` | tuned | 99 fewer execs; says ?; 101 | 100; says ?; 102 dearer |",
        ]
    );
}

#[test]
fn what_did_not_see_all_or_is_doubted_is_not_the_cheapest_and_says_so() {
    let mut lines = closed("6.12", [1.0; 3], [5.0; 3], [(0, 0, 0), (100, 10, 100)]);
    lines.extend(closed(
        "7.2",
        [1.0; 3],
        [2.0; 3],
        [(30, 30, 30), (80, 0, 70)],
    ));
    let mut doubted = closed("7.3", [1.0; 3], [9.0; 3], [ALL; 2]);
    doubted[1].notes = vec!["the meter is not to be trusted: why".into()];
    lines.extend(doubted);
    let mut other = line("closed", "7.3", TUNED, 0.0, ALL);
    other.workload.scenario = "dynamic".into();
    lines.push(other);
    assert_eq!(
        table(&lines)[..2],
        [
            "| letters | `x` | default | 1 ± 0 (saw none) | 1 ± 0 (saw 30 %) | 1 ± 0 ? |",
            "| letters | `x` | tuned | **5 ± 0** dearer (10 % right paths) | \
             2 ± 0 dearer fewer right paths, arguments, containers (saw 80 %, 0 % right paths) | **9 ± 0** |",
        ]
    );
}

#[test]
fn a_kernel_that_does_not_support_it_has_a_dash() {
    let mut lines = closed("5.10", [1.0; 3], [2.0; 3], [ALL; 2]);
    for line in &mut lines {
        line.status = "unsupported".into();
    }
    lines.extend(closed("7.3", [1.0; 3], [1.0; 3], [ALL; 2]));
    let row = "| letters | `x` | default | - | **1 ± 0** |";
    assert_eq!(table(&lines)[0], row);
}

#[test]
fn what_cannot_make_a_page_is_refused() {
    let refusal = |spoil: fn(&mut Vec<Line>)| {
        let mut lines = closed("7.3", [1.0; 3], [2.0; 3], [ALL; 2]);
        spoil(&mut lines);
        made(&lines).unwrap_err().to_string()
    };
    let refusals = [
        refusal(|lines| lines.truncate(5)),
        refusal(|lines| lines[0].status = "unsupported".into()),
        refusal(|lines| lines[0].status = "backend-failed".into()),
        refusal(|lines| lines[0].workload.execs = 7),
        refusal(|lines| lines[0].workload.load = "rate:5".into()),
        refusal(|lines| lines[0].lab = "host".into()),
        refusal(|lines| lines[0].provenance.qemu = Some("8".into())),
        refusal(|lines| lines[0].provenance.monitor = Some("cd".into())),
        refusal(Vec::clear),
    ];
    assert_eq!(
        refusals,
        [
            "`x`, tuned, has 2 completed of 2 trials on 7.3, and 3 are wanted: measure it again",
            "`x`, default, has 2 completed of 3 trials on 7.3, and 3 are wanted: measure it again",
            "a trial is backend-failed: measure it again",
            "a trial has 7 execs under `closed`: not of this page",
            "a trial has 100 execs under `rate:5`: not of this page",
            "a trial is of the lab host: not of this page",
            "the runs are of different QEMUs: {\"7\", \"8\"}",
            "the runs have `x` in 2 builds: measure it again",
            "the runs have no results",
        ]
    );
}
