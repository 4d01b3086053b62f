//! The scorer finds exactly what was planted, field by field (DESIGN §5).

use execlab_harness::score::{
    Judgement,
    calibration::{
        ArgvFault, Fault, Field, Findings, LossFault, NsPid, PathFault, Shape, Sign, plant, truth,
    },
    judge,
};
use execlab_model::result::{Honesty, PathClass};
use proptest::{collection::vec, prelude::*, sample::select};

const BEST: [PathClass; 2] = [PathClass::Exact, PathClass::Host];

const CLOSED: Shape = Shape {
    execs: 400,
    at_once: 1,
    pids: 60,
    per_process: 1,
    containers: 0,
};
const CROWD: Shape = Shape {
    at_once: 12,
    pids: 40,
    ..CLOSED
};
const PROCESSES: Shape = Shape {
    at_once: 4,
    pids: 9,
    per_process: 3,
    ..CLOSED
};
const CONTAINERS: Shape = Shape {
    at_once: 6,
    pids: 30,
    containers: 3,
    ..CLOSED
};
const SHAPES: [Shape; 4] = [CLOSED, CROWD, PROCESSES, CONTAINERS];

/// Plants, scores, compares, and gives back what the scorer found.
fn score(shape: &Shape, faults: &[Fault], seed: u64) -> (Findings, Judgement) {
    let truth = truth(shape, seed);
    let planted = plant(&truth, faults, seed);
    let judgement = judge(&planted.record(&truth), &BEST);
    let found = Findings::of(&judgement);
    assert_eq!(
        found,
        planted.expected(&truth, &BEST),
        "{shape:?} {faults:?}"
    );
    (found, judgement)
}

/// The same fault in every shape of storm; `shows` says that something was planted at all.
fn each(faults: &[Fault], shows: impl Fn(&Findings) -> bool) {
    let found = SHAPES.iter().map(|shape| score(shape, faults, 3).0);
    let found: Vec<Findings> = found.collect();
    assert!(found.iter().any(shows), "{faults:?}: {found:#?}");
}

#[test]
fn a_perfect_monitor_has_no_fault() {
    for shape in SHAPES {
        let (found, judgement) = score(&shape, &[], 1);
        assert_eq!(found.completeness.seen, 400);
        assert_eq!((found.path.exact, found.path.best), (400, 400));
        assert_eq!((found.argv.exact, found.pid.host), (400, 400));
        assert_eq!(found.container.right, 400);
        assert_eq!((found.out_of_order, found.conflicts), (0, 0));
        assert_eq!(found.honesty, Honesty::Knew);
        assert_eq!((judgement.examples, judgement.notes), (vec![], vec![]));
    }
}

#[test]
fn lost_sightings() {
    each(&[Fault::Drop(150)], |f| f.completeness.missed > 30);
    each(&[Fault::Drop(1_000)], |f| {
        f.completeness.missed == 400 && f.latency.is_none()
    });
    each(&[Fault::DropWindow(300, 450)], |f| {
        f.completeness.missed > 30
    });
}

#[test]
fn sightings_that_come_twice_late_or_in_another_order() {
    each(&[Fault::Duplicate(200, 40_000)], |f| {
        f.completeness.duplicates > 40
    });
    each(&[Fault::Duplicate(1_000, 0); 2], |f| {
        f.completeness.duplicates == 1_200
    });
    each(&[Fault::Delay(200, 3_000_000)], |f| {
        f.out_of_order > 40 && f.latency.as_ref().is_some_and(|l| l.max > 3_000_000)
    });
    each(&[Fault::Late(100)], |f| {
        f.late > 20 && f.completeness.missed == 0
    });
    each(&[Fault::Reorder(16)], |f| f.out_of_order > 40);
    // An exec with a late duplicate was seen; one whose both sightings are late was not.
    each(&[Fault::Duplicate(500, 9_000), Fault::Late(400)], |f| {
        f.late > 20 && f.completeness.duplicates > 80
    });
}

#[test]
fn swapped_pids_are_found_by_the_argv_id() {
    let (found, judgement) = score(&CROWD, &[Fault::SwapPids(300)], 5);
    assert!(found.pid.wrong >= 20, "{found:?}");
    assert_eq!(found.conflicts, found.pid.wrong);
    assert_eq!(found.argv.wrong, found.pid.wrong);
    assert_eq!(found.completeness.seen, 400);
    assert!(judgement.notes[0].contains("argv id names another exec"));
    assert!(judgement.examples.iter().any(|e| e.what == "pid"));
}

#[test]
fn paths() {
    use PathFault as P;
    type Counter = fn(&Findings) -> u64;
    let cases: [(P, Counter); 11] = [
        (P::Cut, |f| f.path.truncated),
        (P::CutFront, |f| f.path.truncated),
        (P::Basename, |f| f.path.basename),
        (P::Comm, |f| f.path.basename),
        (P::AsGiven, |f| f.path.as_given),
        (P::BehindCwd, |f| f.path.as_given),
        (P::Host, |f| f.path.host),
        (P::Interpreter, |f| f.path.interpreter),
        (P::Stale, |f| f.path.stale),
        (P::Wrong, |f| f.path.wrong),
        (P::Deleted, |f| f.path.suffixed),
    ];
    for (fault, counter) in cases {
        each(&[Fault::Path(300, fault)], |f| counter(f) > 20);
    }
}

#[test]
fn arguments_and_fields() {
    use ArgvFault as A;
    each(&[Fault::Argv(300, A::Join)], |f| f.argv.joined > 50);
    each(&[Fault::Argv(300, A::Cut)], |f| f.argv.truncated > 50);
    each(&[Fault::Argv(300, A::CutDeep)], |f| f.argv.truncated > 50);
    each(&[Fault::Argv(300, A::Wrong)], |f| f.argv.wrong > 50);
    each(&[Fault::Omit(300, Field::Pid)], |f| f.pid.absent > 50);
    each(&[Fault::Omit(300, Field::Parent)], |f| f.parent.absent > 50);
    each(&[Fault::Omit(300, Field::User)], |f| {
        f.credentials.absent > 50
    });
    each(&[Fault::Omit(300, Field::Path)], |f| f.path.absent > 50);
    each(&[Fault::Omit(300, Field::Argv)], |f| f.argv.absent > 50);
    each(&[Fault::Omit(300, Field::Container)], |f| {
        f.container.absent > 50
    });
    each(&[Fault::Omit(1_000, Field::Time)], |f| {
        f.completeness.seen == 400
    });
    each(&[Fault::WrongParent(300)], |f| f.parent.wrong > 50);
    each(&[Fault::WrongUser(300)], |f| f.credentials.wrong > 50);
    each(&[Fault::SwapContainer(300)], |f| f.container.wrong > 50);
}

#[test]
fn pids_of_a_namespace_are_no_host_pids() {
    for how in [NsPid::InPlace, NsPid::Apart] {
        each(&[Fault::NsPid(300, how)], |f| f.pid.in_namespace > 50);
        let faults = [Fault::Omit(500, Field::Container), Fault::NsPid(500, how)];
        each(&faults, |f| f.pid.in_namespace > 50);
    }
    let (_, judgement) = score(&CONTAINERS, &[Fault::NsPid(1_000, NsPid::Apart)], 2);
    assert!(judgement.notes[0].starts_with("400 sightings without a host pid"));
    let (_, judgement) = score(&CONTAINERS, &[Fault::Omit(1_000, Field::Pid)], 2);
    assert!(judgement.notes[0].contains("joined by argv id"));
}

#[test]
fn what_never_was_and_what_nobody_asked_for() {
    for sign in [
        Sign::Parent,
        Sign::Pid,
        Sign::PastPid,
        Sign::Cgroup,
        Sign::Id,
    ] {
        each(&[Fault::Phantoms(7, sign)], |f| {
            f.completeness.phantoms == 7
        });
    }
    each(&[Fault::Foreign(9)], |f| f.completeness.foreign == 9);
    each(&[Fault::SetUp(5)], |f| {
        f.completeness.foreign == 5 && f.completeness.phantoms == 0
    });
}

#[test]
fn honesty() {
    let cases = [
        (LossFault::Exact, Honesty::Knew),
        (LossFault::TooLittle(2), Honesty::KnewTooLittle),
        (LossFault::TooMuch(2), Honesty::KnewTooMuch),
        (LossFault::Silent, Honesty::DidNotKnow),
        (LossFault::Unnumbered, Honesty::KnewWithoutANumber),
        (LossFault::Events(40), Honesty::KnewWithoutANumber),
    ];
    for (said, honesty) in cases {
        each(&[Fault::Drop(100), Fault::Loss(said)], |f| {
            f.honesty == honesty
        });
    }
    each(&[Fault::Loss(LossFault::Silent)], |f| {
        f.honesty == Honesty::Knew
    });
}

#[test]
fn the_same_seed_plants_the_same() {
    let faults = [
        Fault::Drop(100),
        Fault::Reorder(8),
        Fault::Phantoms(3, Sign::Cgroup),
    ];
    let record = |seed| {
        let truth = truth(&CROWD, 1);
        plant(&truth, &faults, seed).record(&truth)
    };
    assert_eq!(record(1), record(1));
    assert_ne!(record(1), record(2));
}

fn shapes() -> impl Strategy<Value = Shape> {
    (1_u32..120, 1_u32..16, 0_u32..20, 1_u32..4, 0_u32..4).prop_map(
        |(execs, at_once, more_pids, per_process, containers)| Shape {
            execs,
            at_once,
            pids: at_once + more_pids,
            per_process,
            containers,
        },
    )
}

fn faults() -> impl Strategy<Value = Fault> {
    use {ArgvFault as A, Field as F, PathFault as P};
    let share = 0_u16..=1_000;
    let paths = select(vec![
        P::Cut,
        P::CutFront,
        P::Basename,
        P::Comm,
        P::AsGiven,
        P::BehindCwd,
        P::Host,
        P::Interpreter,
        P::Stale,
        P::Wrong,
        P::Deleted,
    ]);
    let fields = select(vec![
        F::Pid,
        F::Parent,
        F::User,
        F::Time,
        F::Path,
        F::Argv,
        F::Container,
    ]);
    let signs = select(vec![
        Sign::Parent,
        Sign::Pid,
        Sign::PastPid,
        Sign::Cgroup,
        Sign::Id,
    ]);
    let losses = select(vec![
        LossFault::Exact,
        LossFault::TooLittle(3),
        LossFault::TooMuch(3),
        LossFault::Silent,
        LossFault::Unnumbered,
        LossFault::Events(3),
    ]);
    prop_oneof![
        share.clone().prop_map(Fault::Drop),
        (share.clone(), share.clone()).prop_map(|(a, b)| Fault::DropWindow(a.min(b), a.max(b))),
        (share.clone(), 0_u64..1_000_000).prop_map(|(s, by)| Fault::Duplicate(s, by)),
        (share.clone(), 0_u64..2_000_000_000).prop_map(|(s, by)| Fault::Delay(s, by)),
        share.clone().prop_map(Fault::Late),
        (1_usize..40).prop_map(Fault::Reorder),
        share.clone().prop_map(Fault::SwapPids),
        (share.clone(), paths).prop_map(|(s, how)| Fault::Path(s, how)),
        (
            share.clone(),
            select(vec![A::Join, A::Cut, A::CutDeep, A::Wrong])
        )
            .prop_map(|(s, how)| Fault::Argv(s, how)),
        (share.clone(), fields).prop_map(|(s, field)| Fault::Omit(s, field)),
        share.clone().prop_map(Fault::WrongParent),
        share.clone().prop_map(Fault::WrongUser),
        share.clone().prop_map(Fault::SwapContainer),
        (share, select(vec![NsPid::InPlace, NsPid::Apart]))
            .prop_map(|(s, how)| Fault::NsPid(s, how)),
        (0_usize..9, signs).prop_map(|(n, sign)| Fault::Phantoms(n, sign)),
        (0_usize..9).prop_map(Fault::Foreign),
        (0_usize..9).prop_map(Fault::SetUp),
        losses.prop_map(Fault::Loss),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whatever is planted into whatever storm is found, and nothing else.
    #[test]
    fn any_faults_are_found(shape in shapes(), faults in vec(faults(), 0..7), seed: u64) {
        let truth = truth(&shape, seed);
        let planted = plant(&truth, &faults, seed);
        let judgement = judge(&planted.record(&truth), &BEST);
        prop_assert_eq!(Findings::of(&judgement), planted.expected(&truth, &BEST));
    }
}
