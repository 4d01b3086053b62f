//! `execlab decide`, with runs of a laboratory that is none.

use serde_json::Value;

use crate::support::Bench;

/// In the fake laboratory ptrace adds 6,390 to an exec, audit 7,350 with its boot option, and netlink 7,570.
const RUN: &[&str] = &[
    "--kernels=5.10,6.1,6.12",
    "--backends=audit,netlink,ptrace",
    "--workloads=absolute,relative",
    "--execs=10",
];

fn decided(bench: &Bench, args: &[&str], code: i32) -> Value {
    let said = bench.command(&[&["decide", "o", "--format=json"], args].concat());
    serde_json::from_str(&said.code(code).stdout).unwrap()
}

fn names(of: &Value) -> Vec<&str> {
    let all = of.as_array().unwrap().iter();
    all.map(|c| c["name"].as_str().unwrap()).collect()
}

#[test]
fn a_recommendation_ends_with_0_and_is_the_cheapest_that_meets_all() {
    let bench = Bench::new();
    bench
        .with("drop=5@6.12/ptrace+default/relative")
        .run(RUN)
        .code(0);
    let found = decided(&bench, &["--need=completeness>=0.9,path=exact"], 0);
    assert_eq!(
        names(&found["remain"]),
        ["audit+default", "netlink+default"]
    );
    assert_eq!(found["recommendation"]["candidate"], "audit+default");
    let objection = &found["fallen"][0]["objections"][0];
    assert_eq!(
        objection["trial"],
        "6.12/ptrace+default/relative/closed/exact/0"
    );
    assert_eq!(objection["said"], "80.00%");
    // On older kernels it sees all, and in the other workload it does everywhere.
    for scope in ["--kernels=..6.1", "--scenarios=absolute"] {
        let found = decided(&bench, &["--need=completeness>=0.9", scope], 0);
        assert_eq!(found["fallen"].as_array().unwrap().len(), 0, "{scope}");
    }
    let without = decided(&bench, &["--without", "audit-owner,ptrace"], 0);
    assert_eq!(names(&without["remain"]), ["netlink+default"]);
}

#[test]
fn how_it_ends_says_what_is_missing() {
    let bench = Bench::new();
    bench
        .with("unsupported@5.10/netlink;lose@6.1/audit+default/absolute")
        .run(RUN)
        .code(20);
    let only_cost = decided(&bench, &["--max-cost=10", "--kernels=6.12"], 10);
    assert_eq!(only_cost["outcome"], "cost-excludes-all");
    decided(
        &bench,
        &["--need=completeness>1e-9,attempts>=1", "--kernels=6.12"],
        11,
    );
    let open = decided(&bench, &["--without=ptrace", "--need=path=exact"], 14);
    assert_eq!(names(&open["undecided"]), ["audit+default"]);
    assert_eq!(
        names(&open["fallen"]),
        ["ptrace+default", "netlink+default"]
    );
    let reason = open["fallen"][1]["objections"][0]["said"].as_str().unwrap();
    assert!(reason.starts_with("unsupported: "), "{reason}");
    bench.command(&["decide", "o", "--kernels=7.."]).code(13);
    bench.command(&["decide", "o", "--kernels=4.19"]).code(22);
    bench
        .run_in("host", &["--lab=host", "--backends=netlink", "--execs=5"])
        .code(0);
    let mixed = bench.command(&["decide", "o", "host"]).code(12);
    assert!(
        mixed.stderr.contains("cannot be decided on together"),
        "{}",
        mixed.stderr
    );
    bench.command(&["decide", "nowhere"]).code(22);
}

#[test]
fn what_did_not_repeat_or_was_never_measured_is_no_reason_to_recommend() {
    let bench = Bench::new();
    bench
        .with("again=7@6.12/audit+default/absolute")
        .run(&[RUN, &["--verify=all"]].concat())
        .code(15);
    let found = decided(&bench, &["--need=path=exact"], 0);
    assert_eq!(names(&found["undecided"]), ["audit+default"]);
    assert_eq!(found["recommendation"]["candidate"], "ptrace+default");
    // Of 6.18 and later nobody made a trial.
    let found = decided(&bench, &["--kernels=6.12.."], 14);
    assert_eq!(names(&found["remain"]), [""; 0]);
    let measure = found["commands"][1]["command"].as_str().unwrap();
    assert!(measure.contains("--kernels 6.18,7.2,7.3 "), "{measure}");
    bench
        .command(&["decide", "o", "--kernels=6.12,7.."])
        .code(13);
}

#[test]
fn a_trial_without_a_result_is_no_reason_to_recommend() {
    let bench = Bench::new();
    bench.run(RUN).code(0);
    let lines = std::fs::read_to_string(bench.path("o/results.jsonl")).unwrap();
    let kept: Vec<&str> = lines
        .lines()
        .filter(|l| !l.contains("6.12/audit"))
        .collect();
    bench.write("o/results.jsonl", &(kept.join("\n") + "\n"));
    let found = decided(&bench, &["--need=path=exact"], 0);
    assert_eq!(names(&found["undecided"]), ["audit+default"]);
    assert_eq!(found["recommendation"]["candidate"], "ptrace+default");
}

#[test]
fn wrong_words_are_named_with_those_that_were_meant() {
    let bench = Bench::new();
    bench
        .run(&[
            "--kernels=6.1",
            "--backends=netlink",
            "--workloads=absolute",
            "--execs=5",
        ])
        .code(0);
    let said: Vec<String> = [
        "--need=completness>=1",
        "--need=honesty>=knew",
        "--without=ptrce",
        "--kernels=6.12..5.10",
        "--max-cost=cheap",
        "--workloads=absolut",
    ]
    .into_iter()
    .map(|wrong| {
        let stderr = bench.command(&["decide", "o", wrong]).code(22).stderr;
        stderr.lines().next().unwrap().to_owned()
    })
    .collect();
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_record_is_written_as_text_and_page_and_says_how_to_make_it_again() {
    let bench = Bench::new();
    bench.run(RUN).code(0);
    let asked = [
        "decide",
        "o",
        "--need=completeness>=0.999,path=exact",
        "--max-cost=20000",
        "--without=ptrace",
    ];
    let text = bench.command(&asked).code(0);
    let again = text
        .stdout
        .lines()
        .rev()
        .find(|l| l.contains("execlab decide"))
        .unwrap();
    insta::assert_snapshot!(again.trim());
    let words: Vec<String> = shlex::split(again.trim()).unwrap();
    let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
    assert_eq!(bench.command(&words).code(0).stdout, text.stdout);
    let page = bench
        .command(&[&asked[..], &["--format=html", "--out=d.html"]].concat())
        .code(0);
    assert_eq!(page.stdout, "");
    let page = std::fs::read_to_string(bench.path("d.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    bench
        .set("EXECLAB_NEED", "completeness>=0.999,path=exact")
        .set("EXECLAB_MAX_COST", "20000")
        .set("EXECLAB_WITHOUT", "ptrace");
    assert_eq!(bench.command(&["decide", "o"]).code(0).stdout, text.stdout);
}
