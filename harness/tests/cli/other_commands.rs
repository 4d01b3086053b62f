//! Lists, reports, completions and the manual.

use execlab_harness::{documents::Format, registry::Registry};

use crate::support::{Bench, SMALL};

#[test]
fn lists_name_all_that_the_registries_have() {
    let bench = Bench::new();
    let registry = Registry::of_this_build();
    let backends = registry.backends.iter().map(|b| b.name.clone()).collect();
    let workloads = registry.scenarios.iter().map(|s| s.name.clone()).collect();
    let lists: [(&str, Vec<String>); 3] = [
        ("backends", backends),
        ("workloads", workloads),
        ("kernels", registry.kernels),
    ];
    for (what, names) in lists {
        let table = bench.command(&["list", what]).code(0).stdout;
        let json = bench
            .command(&["list", what, "--format=json"])
            .code(0)
            .stdout;
        let json: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        for name in names {
            assert!(table.contains(&name), "{what} {name}");
            assert!(json.iter().any(|row| row["name"] == *name), "{what} {name}");
        }
    }
}

#[test]
fn trials_are_listed_as_run_would_run_them() {
    let bench = Bench::new();
    let listed = bench
        .command(&[&["list", "trials"], SMALL].concat())
        .code(0)
        .stdout;
    let planned = bench.run(&[SMALL, &["--dry-run"]].concat()).code(0).stdout;
    assert_eq!(listed, planned);
    assert!(!bench.path("o").exists());
    insta::assert_snapshot!(listed, @r#"
    6.1/none/absolute/closed/exact/0
    6.1/proc-poll+default/absolute/closed/exact/0
    "#);
    let json = bench
        .command(&[&["list", "trials", "--format=json"], SMALL].concat())
        .code(0);
    let trials: Vec<execlab_harness::plan::TrialSpec> = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(trials.len(), 2);
}

#[test]
fn reports_come_from_results_alone_and_are_those_of_the_run() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    std::fs::create_dir(bench.path("far")).unwrap();
    for file in ["results.jsonl", "verify.jsonl"] {
        std::fs::copy(bench.path("o").join(file), bench.path("far").join(file)).unwrap();
    }
    for (format, file) in [
        (Format::Markdown, "report.md"),
        (Format::Html, "report.html"),
        (Format::Json, "summary.json"),
        (Format::Junit, "junit.xml"),
    ] {
        let ran = bench
            .command(&["report", "far/results.jsonl", "--format", format.as_str()])
            .code(0);
        let written = std::fs::read_to_string(bench.path("o").join(file)).unwrap();
        assert_eq!(ran.stdout, written, "{file}");
        std::fs::remove_file(bench.path("o").join(file)).unwrap();
    }
    bench.command(&["report", "o", "--write"]).code(0);
    assert!(bench.path("o/report.html").exists());
    bench.command(&["report", "nowhere"]).code(22);

    let whole = bench.command(&["report", "far"]).code(0).stdout;
    assert!(whole.contains("Run again"), "{whole}");
    std::fs::remove_file(bench.path("far/verify.jsonl")).unwrap();
    let alone = bench.command(&["report", "far"]).code(0).stdout;
    let rest = whole.lines().filter(|line| !line.contains("Run again"));
    assert_eq!(alone.lines().collect::<Vec<_>>(), rest.collect::<Vec<_>>());
}

#[test]
fn a_report_of_a_run_that_was_cut_off_says_so() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let text = std::fs::read_to_string(bench.path("o/results.jsonl")).unwrap();
    let half = text.split_inclusive('\n').next().unwrap().to_owned() + "{\"sch";
    bench.write("o/results.jsonl", &half);
    let ran = bench.command(&["report", "o"]).code(0);
    insta::assert_snapshot!(ran.stderr, @r#"
    warning: the last line was cut off and is left out
    warning: trials of the plan without a result: 1
    "#);
}

#[test]
fn every_shell_has_completions_and_every_command_a_page() {
    let bench = Bench::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            bench
                .command(&["completions", shell])
                .code(0)
                .stdout
                .contains("execlab")
        );
    }
    let bash = bench.command(&["completions", "bash"]).code(0).stdout;
    for known in [
        "ebpf-fentry",
        "6.12",
        "quiet-victim",
        "github-smaller",
        "root-module",
    ] {
        assert!(bash.contains(known), "{known} is not completed");
    }
    for command in [
        "run",
        "list",
        "doctor",
        "kernels",
        "report",
        "compare",
        "completions",
        "man",
    ] {
        assert!(
            bench
                .command(&["man", command])
                .code(0)
                .stdout
                .starts_with(".ie")
        );
    }
    let page = bench.command(&["man"]).code(0).stdout;
    assert!(
        page.contains("a guest was lost"),
        "exit codes are in the manual"
    );
}

#[test]
fn the_environment_says_what_options_say() {
    let bench = Bench::new();
    // The bench itself sets EXECLAB_CACHE, EXECLAB_JOBS and EXECLAB_LAB_FAKE so.
    let help = bench.command(&["run", "--help"]).code(0).stdout;
    for option in [
        "KERNELS",
        "BACKENDS",
        "WORKLOADS",
        "LOAD",
        "EXECS",
        "SEEDS",
        "LAB",
        "OUT",
    ] {
        assert!(help.contains(&format!("EXECLAB_{option}")), "{option}");
    }
}

#[test]
fn unknown_kernels_are_not_fetched() {
    let bench = Bench::new();
    bench.command(&["kernels", "fetch", "9.9"]).code(22);
    bench.command(&["kernels", "verify"]).code(0);
}
