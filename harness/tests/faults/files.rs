//! Run directories that break while a run writes to them.

use std::fs;

use execlab_model::result::Status;

use crate::{
    bench::{Bench, ended, figures, lines},
    table::row,
};

/// A matrix of the laboratory without machines.
const MATRIX: &[&str] = &[
    "--kernels=6.1",
    "--backends=proc-poll",
    "--workloads=absolute",
    "--execs=5",
    "--verify=none",
];

fn run<'a>(arguments: &[&'a str], rules: &'a str) -> Vec<&'a str> {
    [&["run", "--lab-fake", rules], arguments, MATRIX].concat()
}

#[test]
fn disk_full() {
    let bench = Bench::new();
    // A file system of its own, that nobody else sees; where only root may mount, a user namespace
    // makes one of anybody.
    let script = r#"
        mkdir disk && mount -t tmpfs -o size=256k tmpfs disk || exit 99
        "$0" "$@" --out disk/o 2>first; echo $? >first.code
        mkdir found && cp -r disk/o found/o || exit 98
        mount -o remount,size=64m disk || exit 97
        "$0" run --lab-fake '' --resume disk/o 2>second; echo $? >second.code
        cp -r disk/o o"#;
    // Two workers: each keeps a log of the trial that it is ahead with, and many would fill the disk.
    let arguments = run(&["--seeds=60", "-j2"], "");
    let execlab = env!("CARGO_BIN_EXE_execlab");
    let with = |namespaces| {
        let start = [namespaces, "sh", "-c", script, execlab];
        ended(&mut bench.prepare("unshare", &[&start[..], &arguments].concat()))
    };
    let mut ran = with("-m");
    if !bench.path("first.code").exists() {
        let _ = fs::remove_dir_all(bench.path("disk"));
        ran = with("-Urm");
    }
    ran.code(0);
    let read = |name: &str| fs::read_to_string(bench.path(name)).unwrap();
    let row = row("disk_full");
    let said = read("first");
    assert_eq!(read("first.code").trim(), row.code.to_string(), "{said}");
    for text in row.evidence {
        assert!(said.contains(text), "{said}");
    }
    bench.nothing_is_left("found/o");
    let there = bench.results("found/o").len();
    assert!(there > 0 && there < 120, "{there}");
    assert_eq!(read("second.code").trim(), "0", "{}", read("second"));
    bench.run(&run(&["--seeds=60", "--out=whole"], "")).code(0);
    assert_eq!(figures(bench.results("o")), figures(bench.results("whole")));
    bench.nothing_is_left("o");
}

#[test]
fn run_directory_removed() {
    let bench = Bench::new();
    let arguments = run(&["--seeds=20", "--out=o", "-j1"], "slow=100@");
    let mut child = bench.execlab(&arguments);
    let mut child = child.stderr(std::process::Stdio::piped()).spawn().unwrap();
    bench.wait_for_results("o", 1, &mut child);
    while bench.path("o").exists() {
        // Fails where a file is made in between.
        let _ = fs::remove_dir_all(bench.path("o"));
    }
    let ran = child.wait_with_output().unwrap();
    crate::bench::Ran::from(ran).is(row("run_directory_removed"));
    assert!(!bench.path("o").exists());
    bench.nothing_is_left("o");
}

#[test]
fn run_directory_in_use() {
    let bench = Bench::new();
    let arguments = run(&["--seeds=20", "--out=o", "-j1"], "slow=200@");
    let mut first = bench.execlab(&arguments);
    let mut first = first.stderr(std::process::Stdio::null()).spawn().unwrap();
    bench.wait_for_results("o", 1, &mut first);
    let second = bench.run(&["run", "--lab-fake=", "--resume=o"]);
    second.is(row("run_directory_in_use"));
    assert_eq!(first.try_wait().unwrap(), None, "the first run goes on");
    first.kill().unwrap();
    first.wait().unwrap();
    bench.nothing_is_left("o");
}

#[test]
fn half_a_line() {
    let bench = Bench::new();
    let arguments = run(&["--seeds=10", "--out=o", "-j1"], "slow=100@");
    let mut child = bench.execlab(&arguments);
    let mut child = child.stderr(std::process::Stdio::null()).spawn().unwrap();
    bench.wait_for_results("o", 3, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    // What a kill within a write leaves. It cannot be timed, so the last line is cut here.
    let file = bench.path("o/results.jsonl");
    let length = fs::metadata(&file).unwrap().len();
    let cut = fs::File::options().write(true).open(&file).unwrap();
    cut.set_len(length - 200).unwrap();
    let row = row("half_a_line");
    bench.run(&["run", "--lab-fake=", "--resume=o"]).is(row);
    bench.run(&run(&["--seeds=10", "--out=whole"], "")).code(0);
    assert_eq!(figures(bench.results("o")), figures(bench.results("whole")));
    let all = lines::<execlab_model::result::TrialResult>(&file);
    assert!(all.iter().all(|line| line.status == Status::Completed));
    bench.nothing_is_left("o");
}
