//! What people and programs are shown.

use execlab_model::result::TrialResult;
use execlab_reports::gate::{Policy, Run, gate, junit};
use pulldown_cmark::Parser;

use super::{burden, compare, rebuilt, run};
use crate::fixture::{HOSTILE, everything_with};

fn planted() -> execlab_reports::gate::Gate {
    let base = run(&["audit", "ebpf", "netlink"], 0, 8, 1000, 0.001);
    let mut new = rebuilt(&base, |t| match t.backend.name.as_str() {
        "ebpf" => burden(t, 1.05),
        "netlink" => {
            t.backend.settings.insert("rcvbuf".into(), "65536".into());
            burden(t, 0.9);
        }
        _ => {}
    });
    new.retain(|t| t.backend.name != "audit");
    new.extend(
        run(&["ptrace"], 0, 8, 1000, 0.001)
            .into_iter()
            .filter(TrialResult::is_watched),
    );
    compare(&base, &new)
}

#[test]
fn the_terminal_shows_each_row_and_why() {
    insta::assert_snapshot!(planted().terminal(100), @r#"
    base  base: lab exact; 6.1.0-44-cloud-amd64; QEMU 7.2.22; execlab 0.1.0; 32 trials
    new   new: lab exact; 6.1.0-44-cloud-amd64; QEMU 7.2.22; execlab 0.1.0; 32 trials

    What watching adds, per exec
    row                                     base     new           change   seen from    verdict
    6.1/ebpf+default/relative/closed      +6,713  +7,048       +336 (+5%)  50 (0.74%)  regressed
    6.1/netlink+default/relative/closed  +10,463  +9,416  -1,046 (-10.0%)  50 (0.48%)   improved

    What else is not as it was
    row                                                         what   base    new    verdict
    6.1/ebpf+default/relative/closed     the monitor's own, per exec  2,750  3,086  regressed
    6.1/netlink+default/relative/closed  the monitor's own, per exec  9,300  8,254   improved

    Disappeared
    - 6.1/audit+default/relative/closed

    Regressed
    - 6.1/ebpf+default/relative/closed: added per exec: +336 instructions per exec (+5%): inline 0,
      monitor +336, rest 0; the monitor's own, per exec: 2,750 → 3,086 (+12.2%); since a change of
      monitor's program

    New
    - 6.1/ptrace+default/relative/closed

    Improved
    - 6.1/netlink+default/relative/closed: added per exec: -1,046 instructions per exec (-10.0%): inline
      0, monitor -1,046, rest 0; the monitor's own, per exec: 9,300 → 8,254 (-11.2%); since a change of
      monitor's program and settings

    Since which input
    - monitor's program: cdcdcdcdcdcd → efefefefefef (6.1/ebpf+default/relative/closed and
      6.1/netlink+default/relative/closed)
    - settings: none → rcvbuf=65536 (6.1/netlink+default/relative/closed)

    Notes
    - In the exact lab a figure repeats to the digit for the same inputs, and another seed or one
      changed byte shifts it a little. A change is told where it is larger than the limit and than what
      the seeds of the row make by themselves (seen from).

    5 rows: 1 disappeared, 1 regressed, 1 new, 1 improved, 1 unchanged; exit code 14 (run incomplete: a trial failed or has no result)
    "#);
}

#[test]
fn markdown_is_the_same_for_a_step_summary() {
    let text = planted().markdown();
    assert!(text.starts_with("# execlab: new against base\n\n**5 rows: "));
    assert!(
        text.contains("| 6.1/ebpf+default/relative/closed | "),
        "{text}"
    );
    assert!(text.contains("## Disappeared\n\n- 6.1/audit+default/relative/closed"));
}

/// Cases, failures and errors of the document for a CI server.
fn counted(text: &str) -> (usize, usize, usize) {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut cases, mut failures, mut errors) = (0, 0, 0);
    loop {
        use quick_xml::events::Event;
        match reader.read_event().unwrap() {
            Event::Start(e) | Event::Empty(e) => match e.name().as_ref() {
                b"testcase" => cases += 1,
                b"failure" => failures += 1,
                b"error" => errors += 1,
                _ => {}
            },
            Event::Eof => break (cases, failures, errors),
            _ => {}
        }
    }
}

#[test]
fn junit_has_a_case_for_each_row_and_figure() {
    let text = junit(&planted());
    let (cases, failures, errors) = counted(&text);
    // ebpf costs more, in all and of its own; audit is gone and ptrace has no baseline.
    assert_eq!((failures, errors), (2, 2), "{text}");
    assert!(cases > 20);
}

#[test]
fn in_a_junit_document_a_figure_fails_by_what_is_said_of_it() {
    // One exec less is seen; the cost is unclear with one seed, and that is to be a warning.
    let base = run(&["ebpf"], 0, 1, 1000, 0.0);
    let new = rebuilt(&base, |t| {
        burden(t, 1.02);
        let seen = t.completeness.as_mut().unwrap();
        (seen.seen, seen.missed) = (seen.seen - 1, seen.missed + 1);
    });
    let text = junit(&compare(&base, &new));
    let (_, failures, errors) = counted(&text);
    assert_eq!((failures, errors), (1, 0), "{text}");
    // Seeds that are gone are said by the row, and hide no figure.
    let more = run(&["ebpf"], 0, 4, 1000, 0.0);
    let (_, failures, errors) = counted(&junit(&compare(&more, &new)));
    // The row of the baseline has lost its seeds as well.
    assert_eq!((failures, errors), (1, 2));
}

#[test]
fn nothing_hostile_reaches_a_document() {
    let (one, mut other) = (everything_with("plain"), everything_with(HOSTILE));
    for trial in &mut other {
        trial.provenance.qemu = Some(HOSTILE.into());
        trial.kernel.release = HOSTILE.into();
        trial.digest = HOSTILE.into();
    }
    for (base, new) in [(&one, &other), (&other, &one), (&other, &other)] {
        let side = |results| Run {
            name: HOSTILE,
            results,
            repeats: &[],
        };
        let gate = gate(side(base), side(new), &Policy::default());
        for text in [gate.terminal(80), gate.markdown(), junit(&gate)] {
            let steers = |c: char| c.is_control() && c != '\n';
            assert!(!text.chars().any(steers), "{text}");
            assert!(!text.contains('\u{202e}'));
        }
        let html = |e: &pulldown_cmark::Event<'_>| {
            matches!(
                e,
                pulldown_cmark::Event::Html(_) | pulldown_cmark::Event::InlineHtml(_)
            )
        };
        assert!(!Parser::new(&gate.markdown()).any(|e| html(&e)));
    }
}
