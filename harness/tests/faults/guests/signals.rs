//! The harness is told to end, or ended, while its guests run; then the run goes on.

use std::{
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

use execlab_model::result::Status;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::{alone, cache, newest, terminal::Terminal};
use crate::{
    bench::{Bench, figures, guests_in, wait_until},
    table::{Row, row},
};

/// What Ctrl-C sends.
const CTRL_C: u8 = 3;
const TRIALS: usize = 6;

fn command(bench: &Bench) -> Command {
    let kernel = format!("--kernels={}", newest());
    let trials = [
        "run",
        "--backends=netlink",
        "--workloads=absolute",
        "--execs=50",
    ];
    bench.execlab(
        &[
            &trials[..],
            &["--seeds=3", "--verify=none", "--out=o", &kernel],
        ]
        .concat(),
    )
}

/// What the same run finds out when nobody disturbs it.
fn undisturbed() -> &'static [String] {
    static FIGURES: OnceLock<Vec<String>> = OnceLock::new();
    FIGURES.get_or_init(|| {
        let bench = Bench::with_cache(cache());
        crate::bench::ended(&mut command(&bench)).code(0);
        let lines = bench.results("o");
        assert_eq!(lines.len(), TRIALS);
        figures(lines)
    })
}

/// Waits until one trial has ended and a guest runs.
fn under_way(bench: &Bench, child: &mut Child) {
    bench.wait_for_results("o", 1, child);
    wait_until("a guest", || {
        assert_eq!(child.try_wait().unwrap(), None, "the run is still going on");
        !guests_in(&bench.path("tmp")).is_empty()
    });
}

/// Nothing is left behind, and the run goes on to the same end.
fn goes_on(bench: &Bench) {
    bench.no_process_is_left();
    bench.run(&["run", "--resume=o", "--verify=none"]).code(0);
    let lines = bench.results("o");
    assert!(lines.iter().all(|line| line.status == Status::Completed));
    assert_eq!(figures(lines), undisturbed());
    bench.nothing_is_left("o");
}

fn as_told(row: &Row, shown: &str, code: Option<i32>) {
    assert_eq!(code, Some(row.code), "{shown}");
    for text in row.evidence {
        assert!(shown.contains(text), "no `{text}`:\n{shown}");
    }
}

#[test]
fn ctrl_c() {
    let _alone = alone();
    let bench = Bench::with_cache(cache());
    let (mut terminal, mut child) = Terminal::start(command(&bench));
    under_way(&bench, &mut child);
    let ended_before = bench.results("o").len();
    terminal.press(CTRL_C);
    let (code, shown) = terminal.wait(&mut child);
    as_told(row("ctrl_c"), &shown, code);
    // The guests that ran were not ended by it: their trials have lines.
    let there = bench.results("o");
    assert!(
        there.len() > ended_before && there.len() < TRIALS,
        "{}",
        there.len()
    );
    assert!(there.iter().all(|line| line.status == Status::Completed));
    bench.nothing_is_left("o");
    goes_on(&bench);
}

#[test]
fn ctrl_c_twice() {
    let _alone = alone();
    let bench = Bench::with_cache(cache());
    let (mut terminal, mut child) = Terminal::start(command(&bench));
    under_way(&bench, &mut child);
    terminal.press(CTRL_C);
    // The terminal makes one signal of two that come before the first was taken.
    while child.try_wait().unwrap().is_none() {
        terminal.press(CTRL_C);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let (code, shown) = terminal.wait(&mut child);
    as_told(row("ctrl_c_twice"), &shown, code);
    bench.nothing_is_left("o");
    goes_on(&bench);
}

#[test]
fn terminal_closed() {
    let _alone = alone();
    let bench = Bench::with_cache(cache());
    let (terminal, mut child) = Terminal::start(command(&bench));
    under_way(&bench, &mut child);
    terminal.close();
    let code = child.wait().unwrap().code();
    as_told(row("terminal_closed"), "", code);
    bench.nothing_is_left("o");
    goes_on(&bench);
}

fn signalled(test: &str, signal: Signal) -> Bench {
    let bench = Bench::with_cache(cache());
    let mut child = command(&bench);
    let piped = child.stderr(Stdio::piped()).stdout(Stdio::null());
    let mut child = piped.spawn().unwrap();
    under_way(&bench, &mut child);
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    let ran: crate::bench::Ran = child.wait_with_output().unwrap().into();
    ran.is(row(test));
    bench
}

#[test]
fn sigterm() {
    let _alone = alone();
    let bench = signalled("sigterm", Signal::SIGTERM);
    bench.nothing_is_left("o");
    goes_on(&bench);
}

#[test]
fn sigkill() {
    let _alone = alone();
    let bench = signalled("sigkill", Signal::SIGKILL);
    // What it had on the disk lies there until the next run.
    goes_on(&bench);
}
