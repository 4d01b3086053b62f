//! QEMU itself breaks.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use execlab_model::result::Status;

use super::{alone, cache, newest};
use crate::{
    bench::{Bench, Ran, ended},
    table::row,
};

/// A program in QEMU's place that asks the real one for its version and does `instead` where a guest is
/// to be started; `$0.tries` is a file of its own.
pub fn in_the_way(bench: &Bench, instead: &str) -> PathBuf {
    let path = bench.path("qemu");
    let script = format!(
        "#!/bin/sh\ncase $1 in -L|--version) exec qemu-system-x86_64 \"$@\";; esac\n{instead}\n\
         exec qemu-system-x86_64 \"$@\"\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// QEMU runs, and is killed.
pub const KILL: &str = "qemu-system-x86_64 \"$@\" </dev/null >/dev/null & kill -9 $!; kill -9 $$";

fn run(bench: &Bench, instead: &str) -> Ran {
    let kernel = format!("--kernels={}", newest());
    let trial = [
        "run",
        "--backends=none",
        "--execs=20",
        "--workloads=absolute",
    ];
    let more = ["--out=o", "--verify=none", "-j1", "--seeds=2", &kernel];
    // What it starts from is made by a QEMU that nothing is in the way of.
    let made = ["--out=made", "--verify=none", &kernel];
    bench.run(&[&trial[..], &made].concat()).code(0);
    let mut run = bench.execlab(&[&trial[..], &more].concat());
    let ran = ended(run.env("EXECLAB_QEMU", in_the_way(bench, instead)));
    bench.nothing_is_left("o");
    ran
}

#[test]
fn qemu_killed_once() {
    let _alone = alone();
    let bench = Bench::with_cache(cache());
    let once = format!("[ -e \"$0.tries\" ] || {{ >\"$0.tries\"; {KILL}; }}");
    let ran = run(&bench, &once).is(row("qemu_killed_once"));
    assert!(ran.stderr.contains("(second try)"), "{}", ran.stderr);
    let lines = bench.results("o");
    assert!(lines.iter().all(|line| line.status == Status::Completed));
    let again: Vec<_> = lines
        .iter()
        .filter(|l| l.host.contains_key("tries"))
        .collect();
    assert_eq!((lines.len(), again.len()), (2, 1));
    assert_eq!(again[0].host["tries"], 2);
    let first = again[0].host["first_try"].as_str().unwrap();
    assert!(first.contains("signal: 9"), "{first}");
    let report = fs::read_to_string(bench.path("o/report.md")).unwrap();
    assert!(
        report.contains("second try"),
        "the report shows it:\n{report}"
    );
}

/// Each trial broke on the host's side, with this on its line.
fn broke(test: &str, instead: &str) {
    let _alone = alone();
    let bench = Bench::with_cache(cache());
    let row = row(test);
    let ran = run(&bench, instead);
    ran.code(row.code);
    let lines = bench.results("o");
    assert_eq!(lines.len(), 2);
    for line in lines {
        let reason = line.reason.unwrap_or_default();
        assert_eq!(
            (line.status, &line.host["tries"]),
            (Status::Infra, &2.into())
        );
        for text in row.evidence {
            assert!(reason.contains(text), "no `{text}` in: {reason}");
        }
    }
}

#[test]
fn qemu_killed_each_time() {
    broke("qemu_killed_each_time", KILL);
}

#[test]
fn qemu_has_no_memory() {
    broke("qemu_has_no_memory", "ulimit -v 200000");
}
