//! Each scene by itself: what a monitor without a fault is worth in it, and what is odd about it.

use super::*;

fn shape(scene: Scene) -> Shape {
    Shape {
        execs: 120,
        at_once: 3,
        pids: 8,
        per_process: 2,
        containers: 0,
        scene,
        attempts: 7,
    }
}

#[test]
fn a_perfect_monitor_is_perfect_in_every_scene() {
    for scene in Scene::SMALL {
        let (found, judgement) = score(&shape(scene), &[], 9);
        assert_eq!(
            (found.path.exact, found.argv.exact),
            (120, 120),
            "{scene:?}"
        );
        assert_eq!((found.pid.host, found.container.right), (120, 120));
        let truth = judgement.truth;
        assert_eq!((truth.execs, truth.attempts, truth.forks), (120, 7, 67));
        assert_eq!((judgement.examples, judgement.notes), (vec![], vec![]));
    }
}

#[test]
fn every_fault_in_every_scene() {
    for scene in Scene::SMALL {
        for fault in PathFault::ALL {
            score(&shape(scene), &[Fault::Path(800, fault)], 4);
        }
        for fault in ArgvFault::ALL {
            score(&shape(scene), &[Fault::Argv(800, fault)], 4);
        }
        for field in Field::ALL {
            score(&shape(scene), &[Fault::Omit(800, field)], 4);
        }
        for sign in Sign::ALL {
            score(&shape(scene), &[Fault::Phantoms(8, sign)], 4);
        }
    }
}

#[test]
fn names_that_end_as_the_kernel_ends_names_are_told_apart() {
    let (found, _) = score(&shape(Scene::Nameless), &[], 1);
    assert_eq!((found.path.exact, found.path.suffixed), (120, 120));
    let without = [Fault::Path(1_000, PathFault::Undeleted)];
    let (found, _) = score(&shape(Scene::Nameless), &without, 1);
    assert_eq!((found.path.exact, found.path.suffixed), (120, 0));
    let (found, _) = score(&shape(Scene::Names), &[], 1);
    assert_eq!((found.path.exact, found.path.suffixed), (120, 0));
}

#[test]
fn a_storm_without_an_exec_has_only_phantoms_and_strangers() {
    let childless = Shape {
        execs: 0,
        attempts: 20,
        ..shape(Scene::Everything)
    };
    let faults = [Fault::Phantoms(5, Sign::Parent), Fault::Foreign(4)];
    let (found, judgement) = score(&childless, &faults, 1);
    assert_eq!(found.completeness.phantoms, 5);
    assert_eq!(found.completeness.foreign, 4);
    assert_eq!((found.completeness.seen, found.completeness.missed), (0, 0));
    assert_eq!((judgement.truth.forks, judgement.achieved_rate), (20, None));
}

#[test]
fn twenty_thousand_arguments_and_an_argument_of_131071_bytes() {
    let large = Shape {
        execs: 10,
        ..shape(Scene::Large)
    };
    for fault in ArgvFault::ALL {
        score(&large, &[Fault::Argv(700, fault)], 2);
    }
    let longest = truth(&large, 2).sites;
    let longest = longest.iter().map(|site| site.argv.len()).max();
    assert_eq!(longest, Some(20_004));
}
