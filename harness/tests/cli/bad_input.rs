//! Wrong names and values: each message says what is wrong and what would be right.

use crate::support::{Bench, SMALL};

#[test]
fn unknown_names_list_the_valid_ones_and_the_nearest() {
    let bench = Bench::new();
    let wrong = [
        "--kernels=6.1,6.11",
        "--backends=prco-poll,proc-poll+tunde",
        "--workloads=relativ",
        "--load=open",
        "--lab=cloud",
        "--execs=many",
        "--seeds=9..1",
        "--lifetime=1",
        "--spawn=clone",
        "--population=-3",
        "--cpus=2",
    ];
    let ran = bench.run(&wrong).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: --kernels: unknown kernel `6.11`; did you mean `6.1`? (valid: …); `execlab list kernels` has the releases too, and `path:IMAGE` is your own
    error: --backends: unknown backend `prco-poll`; did you mean `proc-poll`? (valid: …); `exec:./monitor` is a program of your own
    error: --backends: unknown variant of proc-poll `tunde`; did you mean `tuned`? (valid: …)
    error: --workloads: unknown scenario `relativ`; did you mean `relative`? (valid: …)
    error: --load: `open` is no load: write `closed`, `rate:N` (execs a second) or `burst:N` (execs at once), with N from 1 up
    error: --execs: `many` is no number of execs: write a whole number from 1 to 4000000
    error: --lifetime: `1` is no duration: write `0` or a whole number with `ns`, `us`, `ms` or `s`, as in `1ms`
    error: --spawn: unknown spawn `clone` (valid: …)
    error: --population: `-3` is not a number of processes: write a whole number from 0 to 30000
    error: --seeds: `9..1` is no range of seeds: write `N` (that many) or `A..B` (from A up to, without, B)
    error: --lab: unknown lab `cloud` (valid: …)
    error: --cpus: the lab exact has one virtual CPU, not 2: with two, kernels 5.10 and 6.1 hang while the second one starts, and from 6.12 on each CPU stands still for 12 to 104 ms at a time while the other runs; that repeats exactly, but what is lost then is an artefact. Races between CPUs are for the labs `kvm` and `host`
    "#);
    assert!(!bench.path("o").exists());
}

#[test]
fn an_unknown_key_is_named_with_file_line_and_nearest_key() {
    let bench = Bench::new();
    bench.write("m.toml", "execs = 5\n\nkernel = [\"6.1\"]\n");
    let ran = bench.run(&["m.toml"]).code(22);
    insta::assert_snapshot!(ran.stderr, @"error: m.toml:3: unknown key `kernel`; did you mean `kernels`? (known keys: …)");
}

#[test]
fn values_of_a_file_are_named_with_file_and_line() {
    let bench = Bench::new();
    bench.write(
        "m.toml",
        "kernels = [\n  \"6.1\",\n  \"9.9\",\n]\nseeds = \"x\"\n\n[variants.proc-poll.quick]\nintervl-us = 5\ninterval-us = \"soon\"\n",
    );
    let ran = bench.run(&["m.toml"]).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: m.toml:3: unknown kernel `9.9` (valid: …); `execlab list kernels` has the releases too, and `path:IMAGE` is your own
    error: m.toml:5: `x` is no range of seeds: write `N` (that many) or `A..B` (from A up to, without, B)
    error: m.toml:8: unknown setting of proc-poll `intervl-us`; did you mean `interval-us`? (valid: …)
    error: m.toml:9: setting `interval-us` cannot be `soon`; it takes a whole number from 100 to 60000000
    "#);
}

#[test]
fn more_than_one_cpu_is_refused_with_the_reason_wherever_it_is_asked_for() {
    let bench = Bench::new();
    bench.run(&[SMALL, &["--cpus=1"]].concat()).code(0);
    bench.write("m.toml", "execs = 5\ncpus = 4\n");
    let ran = bench.run_in("p", &["m.toml"]).code(22);
    insta::assert_snapshot!(ran.stderr, @"error: m.toml:2: the lab exact has one virtual CPU, not 4: with two, kernels 5.10 and 6.1 hang while the second one starts, and from 6.12 on each CPU stands still for 12 to 104 ms at a time while the other runs; that repeats exactly, but what is lost then is an artefact. Races between CPUs are for the labs `kvm` and `host`");
    assert!(!bench.path("p").exists());
    let ran = bench.run_in("p", &["--cpus=none"]).code(22);
    insta::assert_snapshot!(ran.stderr, @"error: --cpus: `none` is no number of CPUs: write a whole number from 1 to 64 (the lab exact has 1)");
}

#[test]
fn a_file_that_is_not_there_or_no_toml_is_22() {
    let bench = Bench::new();
    let ran = bench.run(&["m.toml"]).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: cannot read the matrix file m.toml
      because: No such file or directory (os error 2)
    "#);
    bench.write("m.toml", "execs = = 5\n");
    let ran = bench.run(&["m.toml"]).code(22);
    assert!(
        ran.stderr.starts_with("error: m.toml:1: "),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_matrix_that_selects_nothing_is_13() {
    let bench = Bench::new();
    let ran = bench.run(&["--backends=", "--seeds=0"]).code(13);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: the matrix selects no trial: backends, seeds empty
    help: name at least one of each; `execlab list` shows what there is
    "#);
}

#[test]
fn a_run_is_never_overwritten() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let before = std::fs::read(bench.path("o/results.jsonl")).unwrap();
    let ran = bench.run(SMALL).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: o is not empty
    help: a run is never overwritten: give another directory, or go on with it by `--resume o`
    "#);
    assert_eq!(
        std::fs::read(bench.path("o/results.jsonl")).unwrap(),
        before
    );

    std::fs::create_dir(bench.path("d")).unwrap();
    bench.write("d/mine", "");
    let ran = bench.run_in("d", SMALL).code(22);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: d is not empty
    help: give a directory that is empty or not there yet
    "#);
}

#[test]
fn an_unwritable_directory_is_known_before_the_first_boot() {
    let bench = Bench::new();
    bench.write("file", "");
    // The rule would end the run with 70, if it got that far.
    let ran = bench.with("panic@").run_in("file/o", SMALL).code(21);
    insta::assert_snapshot!(ran.stderr, @r#"
    error: cannot write file/o
      because: Not a directory (os error 20)
    help: give a directory that can be written, on a disk with room, by `--out`; a run that was cut off goes on with `--resume`
    "#);
}

#[test]
fn wrong_arguments_are_22_and_not_what_clap_would_choose() {
    let bench = Bench::new();
    bench.command(&["run", "--bogus"]).code(22);
    bench.command(&["walk"]).code(22);
    bench.command(&["run", "--jobs=0"]).code(22);
    bench.command(&["run", "--format=pdf"]).code(22);
    bench.command(&["run", "--out=a", "--resume=b"]).code(22);
    bench.command(&[]).code(22);
    bench.command(&["man", "walk"]).code(22);
    bench.with("nonsense").run(SMALL).code(22);
}

#[test]
fn messages_are_not_steered_by_what_they_quote() {
    let bench = Bench::new();
    let odd = "no\u{1b}]0;owned\u{7}\u{9b}2J\u{202e}\rwhere";
    bench.write("m.toml", "kernels = [\"\\u001b[2J\\u202e9.9\"]\n");
    for (args, code) in [
        (vec!["report", odd], 22),
        (vec!["compare", odd, odd], 12),
        (vec!["run", "--out=o", odd], 22),
        (vec!["run", "--out=o", "--kernels", odd], 22),
        (vec!["run", "--out=o", "m.toml"], 22),
        (vec!["man", odd], 22),
    ] {
        let said = bench.command(&args).code(code);
        let steers = |c: char| (c.is_control() && c != '\n') || execlab_model::bytes::is_hidden(c);
        assert_eq!(said.stderr.chars().find(|&c| steers(c)), None, "{said:?}");
        assert!(said.stderr.contains("\\x1b"), "{said:?}");
    }
}

#[test]
fn csv_has_a_row_for_each_trial_from_run_and_report() {
    let bench = Bench::new();
    let ran = bench.run(&[SMALL, &["--format=csv"]].concat()).code(0);
    let told = bench.command(&["report", "o", "--format=csv"]).code(0);
    assert_eq!(ran.stdout, told.stdout);
    let rows: Vec<&str> = ran.stdout.split("\r\n").collect();
    assert_eq!(rows.len(), 4, "a head, two trials and the end");
    assert!(rows[0].starts_with("\"trial\",\"status\""), "{}", rows[0]);
}
