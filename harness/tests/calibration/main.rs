//! The scorer finds exactly what was planted, field by field (DESIGN §5).

use execlab_harness::score::{
    Judgement,
    calibration::{
        ArgvFault, Fault, Field, Findings, Given, LossFault, NsPid, PathFault, Scene, Shape, Sign,
        plant, truth,
    },
    judge,
};
use execlab_model::result::{Honesty, PathClass};

mod properties;
mod scenes;

const BEST: [PathClass; 2] = [PathClass::Exact, PathClass::Host];

const CLOSED: Shape = Shape {
    execs: 400,
    at_once: 1,
    pids: 60,
    per_process: 1,
    containers: 0,
    scene: Scene::Files,
    attempts: 0,
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
    scene: Scene::Containers,
    ..CLOSED
};
/// Everything at once.
const ANYTHING: Shape = Shape {
    at_once: 5,
    pids: 12,
    per_process: 2,
    containers: 2,
    scene: Scene::Everything,
    attempts: 50,
    ..CLOSED
};
const SHAPES: [Shape; 5] = [CLOSED, CROWD, PROCESSES, CONTAINERS, ANYTHING];

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
fn strings_of_calls_beside_paths() {
    let (found, _) = score(&CLOSED, &[Fault::Given(1_000, Given::Right)], 3);
    assert_eq!((found.given.right, found.path.exact), (400, 400));
    each(&[Fault::Given(300, Given::Cut)], |f| f.given.wrong > 50);
    each(&[Fault::Given(300, Given::Other)], |f| {
        f.given.wrong > 50 && f.given.absent > 200
    });
    // A path that is not there is told by the string, and that is in its own field too.
    each(&[Fault::Path(500, PathFault::GivenOnly)], |f| {
        f.given.right > 100
    });
}

#[test]
fn paths() {
    use PathFault as P;
    type Counter = fn(&Findings) -> u64;
    for fault in P::ALL {
        let counter: Counter = match fault {
            P::Cut | P::CutFront | P::SuffixOff => |f| f.path.truncated,
            P::Basename | P::Comm | P::GivenName => |f| f.path.basename,
            P::AsGiven | P::GivenOnly | P::BehindCwd | P::Lexical => |f| f.path.as_given,
            P::Host | P::HostLayer => |f| f.path.host,
            P::InRoot => |f| f.path.in_root,
            P::Interpreter | P::InterpreterName => |f| f.path.interpreter,
            P::Stale | P::StaleToo | P::FileBefore | P::FileAfter => |f| f.path.stale,
            P::NextOwner | P::Wrong => |f| f.path.wrong,
            P::Empty => |f| f.path.absent,
            P::Deleted => |f| f.path.suffixed,
            P::Undeleted => |f| 400 - f.path.suffixed,
        };
        each(&[Fault::Path(700, fault)], |f| counter(f) > 5);
    }
}

#[test]
fn arguments_and_fields() {
    use ArgvFault as A;
    type Counter = fn(&Findings) -> u64;
    for fault in A::ALL {
        let counter: Counter = match fault {
            A::Join | A::JoinNul | A::One => |f| f.argv.joined,
            A::Cut | A::CutEnd | A::CutDeep | A::CutJoined => |f| f.argv.truncated,
            A::Nothing => |f| f.argv.absent,
            A::Wrong | A::Extra | A::Swap => |f| f.argv.wrong,
        };
        each(&[Fault::Argv(300, fault)], |f| counter(f) > 50);
    }
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
    each(&[Fault::LateContainer(500)], |f| f.container.wrong > 5);
    each(&[Fault::Omit(1_000, Field::AllButOne)], |f| {
        f.container.right == 400
    });
}

#[test]
fn times_that_are_coarse_or_of_later() {
    each(&[Fault::Ticks(1_000, 4_000_000)], |f| {
        f.completeness.seen == 400
    });
    each(&[Fault::Polled(1_000)], |f| f.completeness.seen == 400);
}

#[test]
fn a_pid_that_no_process_has_is_a_miss_and_a_phantom() {
    each(&[Fault::ThreadId(200)], |f| {
        f.completeness.phantoms > 40 && f.completeness.phantoms == f.completeness.missed
    });
}

#[test]
fn pids_of_a_namespace_are_no_host_pids() {
    for how in [NsPid::InPlace, NsPid::Apart] {
        each(&[Fault::NsPid(300, how)], |f| f.pid.in_namespace > 50);
        let faults = [Fault::Omit(500, Field::Container), Fault::NsPid(500, how)];
        each(&faults, |f| f.pid.in_namespace > 50);
    }
    // By each item of a container alone.
    let faults = [
        Fault::Omit(1_000, Field::AllButOne),
        Fault::NsPid(1_000, NsPid::Apart),
    ];
    each(&faults, |f| f.pid.in_namespace == 400);
    let (_, judgement) = score(&CONTAINERS, &[Fault::NsPid(1_000, NsPid::Apart)], 2);
    assert!(judgement.notes[0].starts_with("400 sightings without a host pid"));
    let (_, judgement) = score(&CONTAINERS, &[Fault::Omit(1_000, Field::Pid)], 2);
    assert!(judgement.notes[0].contains("joined by argv id"));
}

#[test]
fn what_never_was_and_what_nobody_asked_for() {
    for sign in Sign::ALL {
        each(&[Fault::Phantoms(7, sign)], |f| {
            f.completeness.phantoms == 7
        });
    }
    each(&[Fault::Foreign(9)], |f| f.completeness.foreign == 9);
    for faults in [Fault::Neighbours(9), Fault::Canaries(9)] {
        each(&[faults], |f| {
            f.completeness.foreign == 9 && f.completeness.phantoms == 0
        });
    }
    each(&[Fault::SetUp(5)], |f| {
        f.completeness.foreign == 5 && f.completeness.phantoms == 0
    });
}

#[test]
fn honesty() {
    let cases = [
        (LossFault::Exact, Honesty::Knew),
        (LossFault::TooLittle(1), Honesty::KnewTooLittle),
        (LossFault::TooMuch(1), Honesty::KnewTooMuch),
        (LossFault::Silent, Honesty::DidNotKnow),
        (LossFault::Unnumbered, Honesty::KnewWithoutANumber),
        (LossFault::Events(40), Honesty::KnewWithoutANumber),
        (LossFault::Records(40), Honesty::KnewWithoutANumber),
        (LossFault::Uncounted, Honesty::KnewWithoutANumber),
        (LossFault::ExactAndMore, Honesty::KnewWithoutANumber),
        (LossFault::Zeroes, Honesty::DidNotKnow),
        (LossFault::OutsideToo(5), Honesty::Knew),
        (LossFault::OutsideOnly(5), Honesty::DidNotKnow),
    ];
    for (said, honesty) in cases {
        each(&[Fault::Drop(100), Fault::Loss(said)], |f| {
            f.honesty == honesty
        });
    }
    // Where nothing was missed, only who says so was right.
    let whole = [
        (LossFault::Silent, Honesty::Knew),
        (LossFault::Zeroes, Honesty::Knew),
        (LossFault::OutsideOnly(5), Honesty::Knew),
        (LossFault::TooLittle(2), Honesty::Knew),
        (LossFault::TooMuch(2), Honesty::KnewTooMuch),
        (LossFault::Unnumbered, Honesty::KnewWithoutANumber),
    ];
    for (said, honesty) in whole {
        each(&[Fault::Loss(said)], |f| f.honesty == honesty);
    }
    // Who lost all and says less by as much says nothing.
    let all_but_none = [Fault::Drop(1_000), Fault::Loss(LossFault::TooLittle(400))];
    each(&all_but_none, |f| f.honesty == Honesty::DidNotKnow);
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
