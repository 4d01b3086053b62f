//! Replays in words.

use execlab_model::{
    Bytes,
    repeat::Difference,
    result::Status,
    sighting::{LossReport, LossUnit},
};
use execlab_reports::replay::{
    Change, Counts, Field, Figure, Gap, Moment, Outcome, Print, Replay, SCHEMA, Sched, Story,
};

fn replay() -> Replay {
    let print = Print {
        digest: "d1".repeat(32),
        record_sha256: Some("ab".repeat(32)),
        status: Status::Completed,
    };
    Replay {
        schema: SCHEMA,
        run: "o".into(),
        trial: "6.1/netlink+default/relative/burst:500/exact/0".into(),
        outcome: Outcome::Same,
        before: Some(print.clone()),
        now: print,
        changed: Vec::new(),
        difference: None,
        reason: None,
        began_ns: Some(5_000_000_000),
        counts: Some(Counts {
            execs: 1_200,
            seen: 1_196,
            missed: 4,
            foreign: 2,
            best_path: 1_000,
            ..Counts::default()
        }),
        losses: vec![LossReport {
            source: "ENOBUFS".into(),
            unit: LossUnit::Unknown,
            count: None,
            window_ns: (5_000_900_000, 5_002_000_001),
        }],
        gaps: vec![
            Gap {
                execs: vec![7, 8, 9],
                path: "/opt/storm/true".into(),
                window_ns: (5_001_000_000, 5_001_500_000),
                lived_ns: (10_000, 12_500),
                before: Some(6),
                behind: Some(10),
                losses: vec![0],
            },
            Gap {
                execs: vec![1_199],
                path: "/opt/\u{1b}[31m".into(),
                window_ns: (5_900_000_000, 5_900_100_000),
                lived_ns: (10_000, 10_000),
                before: Some(1_198),
                behind: None,
                losses: Vec::new(),
            },
        ],
        around: None,
        sched: None,
        trace: Some("o/replay/x.trace.json".into()),
    }
}

#[test]
fn a_replay_says_what_was_missed_and_what_stood_around_it() {
    insta::assert_snapshot!(replay().terminal(), @r#"
    6.1/netlink+default/relative/burst:500/exact/0
    The same to the last bit: digest d1d1d1d1d1d1, record abababababab.
    1,200 execs: 1,196 seen, 4 missed and 2 foreign; 1,000 of those seen have the best path.

    What the monitor says that it lost
      ENOBUFS: no number, between +0.900000 ms and +2.000001 ms

    Missed, and what stood around it (times since the storm began)
      #7 to #9 (3 execs) /opt/storm/true: +1.000000 ms to +1.500000 ms, lived 10 µs to 12.5 µs; told of #6 before and of #10 after; loss reported by ENOBUFS
      #1199 /opt/\x1b[31m: +900.000000 ms to +900.100000 ms, lived 10 µs; told of #1198 before and of none after; no loss report touches it
      the story of one: --around 7

    Timeline: o/replay/x.trace.json
    "#);
}

#[test]
fn the_story_of_an_exec_and_of_a_second_run() {
    let moment = |at_ns, own, what: &str| Moment {
        at_ns,
        own,
        what: what.into(),
    };
    let story = Story {
        exec: 7,
        pid: 1_007,
        path: "/opt/storm/true".into(),
        verdict: "late".into(),
        latency_ns: Some(1_250_000),
        moments: vec![
            moment(4_999_999_000, false, "the monitor tells of #6 (seen)"),
            moment(5_001_000_000, true, "its child is about to be made"),
        ],
        fields: vec![
            Field {
                field: "path".into(),
                expected: "/opt/storm/true".into(),
                reported: Some(Bytes::from(&b"/bin/\xff"[..])),
                class: Some("wrong".into()),
            },
            Field {
                field: "uid".into(),
                expected: "0".into(),
                reported: None,
                class: Some("absent".into()),
            },
        ],
    };
    let sched = Sched {
        problem: None,
        events: 12_345,
        lost: 3,
        pages_left_out: 0,
        storm_switches: 4_800,
        monitor_switches: 1_200,
        monitor_wakeups: 1_190,
        other_verdicts: Some(2),
        figures: vec![Figure {
            what: "busy instructions of the storm".into(),
            trial: 100_000,
            perturbed: 112_500,
        }],
    };
    let told = Replay {
        around: Some(story),
        sched: Some(sched),
        losses: Vec::new(),
        ..replay()
    };
    insta::assert_snapshot!(told.terminal(), @r#"
    6.1/netlink+default/relative/burst:500/exact/0
    The same to the last bit: digest d1d1d1d1d1d1, record abababababab.
    1,200 execs: 1,196 seen, 4 missed and 2 foreign; 1,000 of those seen have the best path.

    Exec #7 (pid 1007, /opt/storm/true): late, 1.25 ms after its image started
      -0.001000 ms  the monitor tells of #6 (seen)
    > +1.000000 ms  its child is about to be made

      path: wrong; it is /opt/storm/true, told was /bin/\xff
      uid: absent; it is 0

    A second run, with the scheduler's events recorded. That perturbs it: its figures are not the trial's.
      12,345 events, 3 LOST, as the buffer was full
      the CPU was given to the storm 4,800 times and to the monitor 1,200 times, which was woken 1,190 times
      2 execs have another verdict than in the trial
      busy instructions of the storm: 112,500 here, 100,000 in the trial (+12,500, +12.5%)

    Timeline: o/replay/x.trace.json
    "#);
}

#[test]
fn each_outcome_is_told_as_what_it_is() {
    let mut told = Replay {
        counts: None,
        losses: Vec::new(),
        gaps: Vec::new(),
        trace: None,
        ..replay()
    };
    let mut say = |outcome| {
        told.outcome = outcome;
        told.terminal()
    };
    let same = say(Outcome::Same);
    let none = say(Outcome::NothingToCompare);
    told.difference = Some(Difference {
        path: "record_sha256".into(),
        one: "\"ab\"".into(),
        other: "\"cd\"".into(),
    });
    let rescored = {
        told.outcome = Outcome::Same;
        told.terminal()
    };
    told.outcome = Outcome::Differs;
    let differs = told.terminal();
    told.outcome = Outcome::OtherInputs;
    told.changed = vec![
        Change {
            input: "monitor".into(),
            was: Some("aa".into()),
            is: Some("bb".into()),
        },
        Change {
            input: "something".into(),
            was: None,
            is: None,
        },
    ];
    let other = told.terminal();
    told.outcome = Outcome::Same;
    told.difference = None;
    told.began_ns = None;
    told.reason = Some("kernel panic".into());
    told.now.status = Status::Lost;
    told.now.record_sha256 = None;
    let lost = told.terminal();
    insta::assert_snapshot!([same, none, rescored, differs, other, lost].join("---\n"), @r#"
    6.1/netlink+default/relative/burst:500/exact/0
    The same to the last bit: digest d1d1d1d1d1d1, record abababababab.
    Nobody watched: there is truth alone.
    ---
    6.1/netlink+default/relative/burst:500/exact/0
    The run has nothing to hold it against.
    Nobody watched: there is truth alone.
    ---
    6.1/netlink+default/relative/burst:500/exact/0
    The same to the last bit: digest d1d1d1d1d1d1, record abababababab.
    The record is the same; another execlab scored it: record_sha256 is "ab" and "cd"
    Nobody watched: there is truth alone.
    ---
    6.1/netlink+default/relative/burst:500/exact/0
    NOT THE SAME: digest d1d1d1d1d1d1 is, what came out is not: record_sha256 is "ab" and "cd".
    Nobody watched: there is truth alone.
    ---
    6.1/netlink+default/relative/burst:500/exact/0
    Made from other inputs than in the run; it says nothing of that one:
      monitor: bb, was aa
      something
    Nobody watched: there is truth alone.
    ---
    6.1/netlink+default/relative/burst:500/exact/0
    It is lost again: digest d1d1d1d1d1d1, and no record, as in the run.
    It is lost: kernel panic
    "#);
}
