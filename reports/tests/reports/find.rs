//! What a search found, as tables: bounds, gaps, and words that others had a hand in.

use std::collections::BTreeMap;

use execlab_model::{bytes::is_hidden, plan::BackendSpec};
use execlab_reports::find::{
    Asked, Asking, Cost, Find, Proof, Question, Row, SCHEMA, Seed, State, What,
};

const LIFE: Asking = Asking {
    question: Question::RightPath,
    least: 0,
    first: 1_000,
    most: 1_000_000_000,
};

fn proof(seed: u64, value: u64) -> Proof {
    Proof {
        value,
        seed,
        trial: format!("6.1/netlink+default/absolute+life={value}ns/closed/exact/{seed}"),
        digest: format!("{value:064x}"),
    }
}

fn seed(seed: u64, no: u64, yes: u64) -> Seed {
    Seed {
        seed,
        lowest_yes: Some(proof(seed, yes)),
        highest_no: Some(proof(seed, no)),
        from_here: Some(yes.max(no + 1)),
        monotone: yes > no,
        asked: 9,
        done: true,
        broken: None,
    }
}

fn row(kernel: &str, asking: Asking, state: State, seeds: Vec<Seed>) -> Row {
    Row {
        kernel: kernel.into(),
        release: None,
        backend: BackendSpec {
            name: "netlink".into(),
            variant: "default".into(),
            settings: BTreeMap::new(),
        },
        setting: None,
        asking,
        state,
        reason: None,
        lowest_yes: None,
        highest_no: None,
        median: None,
        seeds,
        cost: None,
    }
    .summed_up()
}

fn found(what: What, rows: Vec<Row>) -> Find {
    Find {
        schema: SCHEMA,
        execlab: "0.1.0".into(),
        asked: Asked {
            what,
            kernels: vec!["6.1".into()],
            backends: vec!["netlink".into()],
            settings: None,
            workload: "absolute".into(),
            execs: 16,
            lifetime_ns: 0,
            seeds: (0, 3),
            precision: 0.05,
            questions: rows.iter().map(|row| row.asking).collect(),
        },
        complete: rows.iter().all(|row| row.state != State::Unfinished),
        trials: 12,
        qemu: vec!["7.2.22".into()],
        rows,
    }
}

fn table(text: &str) -> String {
    let lines = text.lines().skip(2).take_while(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn bounds_are_of_all_seeds_and_cross_where_seeds_differ() {
    let seeds = vec![
        seed(0, 40_000, 42_000),
        seed(1, 70_000, 73_000),
        // It did at 1,000 and not at 50,000.
        seed(2, 50_000, 1_000),
    ];
    let find = found(
        What::BlindWindow,
        vec![row("6.1", LIFE, State::Answered, seeds)],
    );
    let row = &find.rows[0];
    assert_eq!(row.lowest_yes, Some(proof(2, 1_000)));
    assert_eq!(row.highest_no, Some(proof(1, 70_000)));
    assert_eq!(row.median, Some(50_001));
    insta::assert_snapshot!(find.terminal(100), @r#"
    Blind window: how long must a process live?

    kernel  backend          life (instr.) to be  shortest that did  longest that did not  median  seeds  not monotone
    6.1     netlink+default  right path                       1,000                70,000  50,001      3             1

    How to read it
    - 3 seeds, scenario absolute, lab exact (QEMU 7.2.22); the bounds of each seed are within 5 % of
      each other, of lives below 1,000 within 50.
    - A life is how long a payload sleeps before it exits, in guest instructions (nanoseconds of the
      guest): each of the 16 execs of a trial lives within a tenth of it. What the program itself takes,
      and the kernel's timer slack of 50,000 where it sleeps at all, come on top. A life did where every
      exec of the trial was seen (right path: and had the best path that the scenario allows).
    - Both bounds are of all seeds together, each proved by one trial; the median is of the values from
      which on it was so wherever a seed asked. The first seed looks over the whole range in steps of
      four, the others where its edges are.

    Not monotone
    - 6.1, netlink+default, right-path: seed 2 did at 1,000
      (6.1/netlink+default/absolute+life=1000ns/closed/exact/2), and did not at 50,000 above it
      (6.1/netlink+default/absolute+life=50000ns/closed/exact/2)

    Proof
    - 6.1, netlink+default, right-path: did 1,000:
      6.1/netlink+default/absolute+life=1000ns/closed/exact/2 (digest 000000000000); did not 70,000:
      6.1/netlink+default/absolute+life=70000ns/closed/exact/1 (digest 000000000000)
    "#);
}

#[test]
fn what_has_no_answer_is_no_number() {
    let broken = Seed {
        done: false,
        broken: Some("6.1/x is lost: kernel panic".into()),
        ..seed(1, 3_000, 4_000)
    };
    let endless = Seed {
        lowest_yes: None,
        from_here: None,
        highest_no: Some(proof(0, LIFE.most)),
        ..seed(0, 1, 2)
    };
    let always = Seed {
        highest_no: None,
        from_here: Some(0),
        ..seed(0, 0, 0)
    };
    let reason = |row: Row, reason: &str| Row {
        reason: Some(reason.into()),
        ..row
    };
    let find = found(
        What::BlindWindow,
        vec![
            row("5.10", LIFE, State::Answered, vec![endless, broken]),
            row(
                "6.1",
                LIFE,
                State::Answered,
                vec![Seed {
                    monotone: true,
                    ..always
                }],
            ),
            reason(
                row("6.6", LIFE, State::Unsupported, vec![]),
                "no such syscall",
            ),
            reason(
                row("6.12", LIFE, State::Failed, vec![]),
                "6.12/x is lost: hung",
            ),
            row("7.3", LIFE, State::Unfinished, vec![seed(0, 1, 2)]),
        ],
    );
    insta::assert_snapshot!(table(&find.terminal(100)), @r#"
    kernel  backend          life (instr.) to be  shortest that did  longest that did not           median   seeds  not monotone
    5.10    netlink+default  right path                       4,000         1,000,000,000  > 1,000,000,000  1 of 2             -
    6.1     netlink+default  right path                           0                  none                0       1             -
    6.6     netlink+default  right path                 unsupported                     -                -       -             -
    6.12    netlink+default  right path                      failed                     -                -       -             -
    7.3     netlink+default  right path                           2                     1                2  1 of 1             -
    "#);
    let said = find.terminal(100);
    let gaps = said.lines().skip_while(|line| *line != "Without an answer");
    insta::assert_snapshot!(gaps.take(6).collect::<Vec<_>>().join("\n"), @r#"
    Without an answer
    - 5.10, netlink+default, right-path: seed 1: 6.1/x is lost: kernel panic
    - 6.6, netlink+default, right-path: unsupported: no such syscall
    - 6.12, netlink+default, right-path: 6.12/x is lost: hung
    - 7.3, netlink+default, right-path: cut off
    "#);
    assert!(said.starts_with("Blind window: how long must a process live? (unfinished)"));
}

#[test]
fn a_knee_has_settings_and_costs_beside_its_bounds() {
    let burst = Asking {
        question: Question::Burst,
        least: 1,
        first: 1,
        most: 1_536,
    };
    let mut one = row("6.1", burst, State::Answered, vec![seed(0, 80, 81)]);
    one.backend.variant = "tuned.rcvbuf=65536".into();
    one.setting = Some("rcvbuf=65536".into());
    one.cost = Some(Cost {
        scenario: "absolute".into(),
        execs: 200,
        seeds: 3,
        unit: "instructions".into(),
        added_per_exec: 168_553.4,
        monitor_peak_bytes: Some(1_593_344),
    });
    let without = row("6.1", burst, State::Answered, vec![seed(0, 0, 1)]);
    let find = found(What::LossKnee, vec![one, without]);
    insta::assert_snapshot!(table(&find.markdown()), @r#"
    | kernel | backend | setting | load | least that lost | most that did not | median | seeds | not monotone | added per exec (instr.) | monitor |
    |---|---|---|---|---:|---:|---:|---:|---:|---:|---:|
    | 6.1 | netlink+tuned | rcvbuf=65536 | burst (execs) | 81 | 80 | 81 | 1 | - | +168,553 | 1.52 MiB |
    | 6.1 | netlink+default | - | burst (execs) | 1 | 0 | 1 | 1 | - | n/a | n/a |
    "#);
}

#[test]
fn words_of_others_steer_nothing() {
    let hostile = "a\u{1b}[2J|b\n# c<script>\u{202e}d";
    let mut bad = row("6.1", LIFE, State::Unsupported, vec![seed(0, 1, 2)]);
    bad.kernel = hostile.into();
    bad.backend.variant = hostile.into();
    bad.reason = Some(hostile.into());
    bad.setting = Some(hostile.into());
    bad.seeds[0].broken = Some(hostile.into());
    bad.lowest_yes.as_mut().unwrap().trial = hostile.into();
    let mut find = found(What::LossKnee, vec![bad]);
    find.qemu = vec![hostile.into()];
    find.asked.workload = hostile.into();
    for text in [
        find.terminal(80),
        find.markdown(),
        execlab_reports::text::json(&find),
    ] {
        let steers = |c: &char| (c.is_control() && *c != '\n') || is_hidden(*c);
        assert_eq!(text.chars().find(steers), None, "{text}");
    }
    let page = find.markdown();
    assert!(!page.contains("<script>"), "{page}");
    assert!(page.lines().all(|line| !line.starts_with("# ")), "{page}");
    // A bar in a name divides no cell.
    let columns = |line: &str| line.replace("\\|", "").matches('|').count();
    let rows: Vec<usize> = page
        .lines()
        .filter(|l| l.starts_with('|'))
        .map(columns)
        .collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|&count| count == rows[0]), "{page}");
}
