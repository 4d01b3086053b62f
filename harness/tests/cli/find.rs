//! Searches for bounds, with a laboratory whose bounds are planted.

use std::fs;

use execlab_model::result::Status;
use execlab_reports::find::{Find, State};

use crate::support::{Bench, Said};

/// Seeds differ: what they need lies a little apart.
pub const BLIND: &str = "blind=50000@/exact/0;blind=60000@/exact/1;blind=45000@/exact/2;\
                     hasty=70000@/exact/0;hasty=90000@/exact/1;hasty=65000@/exact/2";

pub fn find(bench: &Bench, dir: &str, args: &[&str]) -> Said {
    bench.command(&[&["find", "--out", dir, "--kernel=6.1"], args].concat())
}

pub const WINDOW: &[&str] = &["blind-window", "--backend=netlink", "--seeds=3"];

pub fn found(bench: &Bench, dir: &str) -> Find {
    let text = fs::read_to_string(bench.path(dir).join("find.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn bounds(find: &Find) -> Vec<(Option<u64>, Option<u64>)> {
    let value = |proof: &Option<execlab_reports::find::Proof>| proof.as_ref().map(|p| p.value);
    let rows = find.rows.iter();
    rows.map(|row| (value(&row.highest_no), value(&row.lowest_yes)))
        .collect()
}

#[test]
fn a_blind_window_is_found_to_the_last_instruction_and_proved() {
    let bench = Bench::new();
    bench.with(BLIND);
    let said = find(&bench, "o", &[WINDOW, &["--precision=0"]].concat()).code(0);
    insta::assert_snapshot!(said.stdout, @r#"
    Blind window: how long must a process live?

    kernel  backend          life (instr.) to be  shortest that did  longest that did not  median  seeds  not monotone
    6.1     netlink+default  seen                            45,000                59,999  50,000      3             -
    6.1     netlink+default  right path                      65,000                89,999  70,000      3             -

    How to read it
    - 3 seeds, scenario absolute, lab exact; the bounds of each seed are next to each other.
    - A life is how long a payload sleeps before it exits, in guest instructions (nanoseconds of the
      guest): each of the 16 execs of a trial lives within a tenth of it. What the program itself takes,
      and the kernel's timer slack of 50,000 where it sleeps at all, come on top. A life did where every
      exec of the trial was seen (right path: and had the best path that the scenario allows).
    - Both bounds are of all seeds together, each proved by one trial; the median is of the values from
      which on it was so wherever a seed asked. The first seed looks over the whole range in steps of
      four, the others where its edges are.

    Proof
    - 6.1, netlink+default, seen: did 45,000: 6.1/netlink+default/absolute+life=45us/closed/exact/2
      (digest 5d7835dca203); did not 59,999: 6.1/netlink+default/absolute+life=59999ns/closed/exact/1
      (digest 812e0955e3e6)
    - 6.1, netlink+default, right-path: did 65,000:
      6.1/netlink+default/absolute+life=65us/closed/exact/2 (digest c580c10c14ea); did not 89,999:
      6.1/netlink+default/absolute+life=89999ns/closed/exact/1 (digest 20d15b091743)
    "#);
    let find = found(&bench, "o");
    // The longest life at which some seed still failed, the shortest at which some did.
    assert_eq!(
        bounds(&find),
        [(Some(59_999), Some(45_000)), (Some(89_999), Some(65_000))]
    );
    assert_eq!(find.rows[0].median, Some(50_000));
    assert!(find.complete && find.rows.iter().all(|row| row.state == State::Answered));
    // Each bound is the line of a trial of the plan.
    let (plan, lines) = (bench.plan("o"), bench.results("o"));
    assert_eq!(plan.trials.len(), lines.len());
    for proof in find
        .rows
        .iter()
        .flat_map(|row| [&row.lowest_yes, &row.highest_no])
    {
        let proof = proof.as_ref().unwrap();
        let line = lines.iter().find(|line| line.trial == proof.trial).unwrap();
        assert_eq!(line.digest, proof.digest);
        assert_eq!(
            (line.workload.lifetime_ns, line.seed),
            (proof.value, proof.seed)
        );
        assert!(plan.trials.iter().any(|trial| trial.id == proof.trial));
    }
    assert!(lines.iter().all(|line| line.workload.execs == 16));
    // Any other command that reads runs reads this one.
    let report = bench.command(&["report", "o"]).code(0);
    assert!(report.stdout.contains("netlink"), "{}", report.stdout);
}

#[test]
fn a_success_below_a_failure_is_told_with_both_trials() {
    let bench = Bench::new();
    bench.with("blind=0@life=4us/closed/exact/0;blind=50000@");
    let said = find(&bench, "o", &[WINDOW, &["--ask=seen"]].concat()).code(0);
    let odd = said
        .stdout
        .lines()
        .skip_while(|l| !l.starts_with("Not monotone"));
    insta::assert_snapshot!(odd.take(4).collect::<Vec<_>>().join("\n"), @r#"
    Not monotone
    - 6.1, netlink+default, seen: seed 0 did at 4,000
      (6.1/netlink+default/absolute+life=4us/closed/exact/0), and did not at 48,000 above it
      (6.1/netlink+default/absolute+life=48us/closed/exact/0)
    "#);
    assert!(!found(&bench, "o").rows[0].seeds[0].monotone);
}

#[test]
fn a_knee_is_found_for_each_buffer_with_its_cost() {
    let bench = Bench::new();
    bench.with("room=80@rcvbuf=65536;room=300@rcvbuf=212992");
    let args = [
        "loss-knee",
        "--backend=netlink",
        "--settings=rcvbuf=65536,212992,1048576",
        "--ask=burst",
        "--seeds=2",
        "--precision=0",
    ];
    let said = find(&bench, "o", &args).code(0);
    insta::assert_snapshot!(said.stdout, @r#"
    Loss knee: at which load is the first exec lost?

    kernel  backend  setting         load           least that lost  most that did not   median  seeds  not monotone  added per exec (instr.)  monitor
    6.1     netlink  rcvbuf=65536    burst (execs)               81                 80       81      2             -                   +7,570    1 MiB
    6.1     netlink  rcvbuf=212992   burst (execs)              301                300      301      2             -                   +7,570    1 MiB
    6.1     netlink  rcvbuf=1048576  burst (execs)             none              1,536  > 1,536      2             -                   +7,570    1 MiB

    How to read it
    - 2 seeds, scenario burst-over-buffers, lab exact; the bounds of each seed are next to each other.
    - A load lost where an exec was missed. A burst is one of so many execs at once; a rate is kept for
      1,000 execs. Payloads live no longer than they must.
    - Both bounds are of all seeds together, each proved by one trial; the median is of the values from
      which on it was so wherever a seed asked. The first seed looks over the whole range in steps of
      four, the others where its edges are.
    - Cost: instructions added to each of 200 execs of a closed storm of the scenario absolute, median
      of 2 seeds; the monitor's highest resident set, without buffers in the kernel.

    Proof
    - 6.1, netlink+rcvbuf=65536, burst: lost 81:
      6.1/netlink+rcvbuf=65536/burst-over-buffers/burst:81/exact/0 (digest fa4da435eb53); did not lose
      80: 6.1/netlink+rcvbuf=65536/burst-over-buffers/burst:80/exact/0 (digest 07e3af2dc702)
    - 6.1, netlink+rcvbuf=212992, burst: lost 301:
      6.1/netlink+rcvbuf=212992/burst-over-buffers/burst:301/exact/0 (digest 01ca2899b8ec); did not lose
      300: 6.1/netlink+rcvbuf=212992/burst-over-buffers/burst:300/exact/0 (digest 5ad261b4b3ca)
    - 6.1, netlink+rcvbuf=1048576, burst: did not lose 1,536:
      6.1/netlink+rcvbuf=1048576/burst-over-buffers/burst:1536/exact/0 (digest a3a25d6fd71e)
    "#);
    let find = found(&bench, "o");
    let wanted = [
        (Some(80), Some(81)),
        (Some(300), Some(301)),
        (Some(1_536), None),
    ];
    assert_eq!(bounds(&find), wanted);
    assert!(
        find.rows
            .iter()
            .all(|row| row.cost.as_ref().unwrap().seeds == 2)
    );
    let markdown = fs::read_to_string(bench.path("o/find.md")).unwrap();
    insta::assert_snapshot!(markdown.lines().take(8).collect::<Vec<_>>().join("\n"), @r#"
    ## Loss knee: at which load is the first exec lost?

    | kernel | backend | setting | load | least that lost | most that did not | median | seeds | not monotone | added per exec (instr.) | monitor |
    |---|---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | 6.1 | netlink | rcvbuf=65536 | burst (execs) | 81 | 80 | 81 | 2 | - | +7,570 | 1 MiB |
    | 6.1 | netlink | rcvbuf=212992 | burst (execs) | 301 | 300 | 301 | 2 | - | +7,570 | 1 MiB |
    | 6.1 | netlink | rcvbuf=1048576 | burst (execs) | none | 1,536 | &gt; 1,536 | 2 | - | +7,570 | 1 MiB |
    "#);
}

#[test]
fn without_a_word_a_knee_has_the_buffers_of_the_registry() {
    let bench = Bench::new();
    let args = [
        "find",
        "loss-knee",
        "--backend=netlink,audit,ebpf,proc-poll",
        "--seeds=1",
    ];
    let said = bench
        .command(&[&args[..], &["--dry-run", "--kernel=6.1"]].concat())
        .code(0);
    let burst = |line: &&str| line.contains("/burst:");
    let lines: Vec<_> = said.stdout.lines().filter(burst).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    6.1/netlink+rcvbuf=53248/burst: about 11 trials
    6.1/netlink+rcvbuf=212992/burst: about 11 trials
    6.1/netlink+rcvbuf=8388608/burst: about 11 trials
    6.1/audit+backlog=2048/burst: about 11 trials
    6.1/audit+backlog=8192/burst: about 11 trials
    6.1/audit+backlog=32768/burst: about 11 trials
    6.1/ebpf+buffer-pages=16/burst: about 11 trials
    6.1/ebpf+buffer-pages=64/burst: about 11 trials
    6.1/ebpf+buffer-pages=1024/burst: about 11 trials
    6.1/proc-poll+default/burst: about 11 trials
    "#);
}

#[test]
fn a_neighbour_is_as_loud_as_it_takes_the_quiet_one_its_exec() {
    let bench = Bench::new();
    // The neighbours' execs are lost from the 51st on, the quiet one makes the 25th and the 57th.
    bench.with("room=50@");
    let args = [
        "isolation",
        "--backend=ebpf",
        "--ask=burst",
        "--seeds=1",
        "--precision=0",
    ];
    find(&bench, "o", &args).code(0);
    assert_eq!(bounds(&found(&bench, "o")), [(Some(56), Some(57))]);
}

#[test]
fn what_is_unsupported_is_no_failure_and_has_its_evidence() {
    let bench = Bench::new();
    bench.with(&format!("unsupported@6.1/ebpf;{BLIND}"));
    let args = ["blind-window", "--backend=ebpf,netlink", "--seeds=2"];
    let said = find(&bench, "o", &args).code(0);
    let row = said.stdout.lines().filter(|l| l.contains("ebpf"));
    insta::assert_snapshot!(row.collect::<Vec<_>>().join("\n"), @r#"
    6.1     ebpf+default     seen                       unsupported                     -       -      -             -
    6.1     ebpf+default     right path                 unsupported                     -       -      -             -
    - 6.1, ebpf+default, seen: unsupported: planted: this kernel has no such thing
    - 6.1, ebpf+default, right-path: unsupported: planted: this kernel has no such thing
    "#);
    let find = found(&bench, "o");
    assert_eq!(find.rows[0].state, State::Unsupported);
    assert_eq!(find.rows[2].state, State::Answered);
    assert!(find.rows[0].reason.as_ref().unwrap().contains("planted"));
}

#[test]
fn a_trial_that_says_nothing_ends_its_seed_and_the_command_says_so() {
    for (rule, code, status) in [
        ("lose", 20, Status::Lost),
        ("infra", 14, Status::Infra),
        ("backend-failed", 14, Status::BackendFailed),
    ] {
        let bench = Bench::new();
        bench.with(&format!("{rule}@closed/exact/1;{BLIND}"));
        let said = find(&bench, "o", WINDOW).code(code);
        let find = found(&bench, "o");
        let seeds: Vec<bool> = find.rows[0].seeds.iter().map(|s| s.done).collect();
        assert_eq!(seeds, [true, false, true]);
        assert_eq!(find.rows[0].state, State::Answered);
        let broken = find.rows[0].seeds[1].broken.as_ref().unwrap();
        assert!(broken.contains(status.as_str()), "{broken}");
        assert!(said.stdout.contains("seed 1"), "{}", said.stdout);
        // Where none says anything there is no answer.
        bench.with(&format!("{rule}@"));
        find_fails(&bench, code);
    }
}

#[test]
fn a_trial_without_an_exec_that_is_asked_of_is_no_answer_though_it_was_completed() {
    let bench = Bench::new();
    // The quiet one makes the 25th of the execs.
    let args = [
        "isolation",
        "--backend=ebpf",
        "--ask=rate",
        "--execs=10",
        "--seeds=2",
    ];
    let said = find(&bench, "o", &args).code(14);
    assert!(said.stderr.contains("1 question;"), "{}", said.stderr);
    let find = found(&bench, "o");
    assert_eq!(find.rows[0].state, State::Failed);
    assert!(find.rows[0].reason.as_ref().unwrap().contains("no exec"));
    let lines = bench.results("o");
    assert!(lines.iter().all(|line| line.status == Status::Completed));
}

#[track_caller]
fn find_fails(bench: &Bench, code: i32) {
    find(bench, "none", WINDOW).code(code);
    let found = found(bench, "none");
    assert!(found.rows.iter().all(|row| row.state == State::Failed));
    assert!(found.rows[0].reason.is_some() && found.rows[0].lowest_yes.is_none());
}

#[test]
fn several_kernels_backends_and_settings_are_one_table() {
    let bench = Bench::new();
    bench.with("blind=150000000@interval-us=100000;blind=15000000@interval-us=10000");
    let args = [
        "find",
        "blind-window",
        "--backend=proc-poll",
        "--kernel=5.10,6.1",
        "--ask=seen",
    ];
    let more = [
        "--settings=interval-us=10000,100000",
        "--seeds=1",
        "--out=o",
    ];
    let said = bench.command(&[&args[..], &more].concat()).code(0);
    let table = said.stdout.lines().skip(2).take_while(|l| !l.is_empty());
    insta::assert_snapshot!(table.collect::<Vec<_>>().join("\n"), @r#"
    kernel  backend    setting             life (instr.) to be  shortest that did  longest that did not       median  seeds  not monotone
    5.10    proc-poll  interval-us=10000   seen                        15,360,000            14,848,000   15,360,000      1             -
    5.10    proc-poll  interval-us=100000  seen                       151,552,000           147,456,000  151,552,000      1             -
    6.1     proc-poll  interval-us=10000   seen                        15,360,000            14,848,000   15,360,000      1             -
    6.1     proc-poll  interval-us=100000  seen                       151,552,000           147,456,000  151,552,000      1             -
    "#);
}
