//! Cases that a join by pid alone or by time alone gets wrong.

mod laws;

use execlab_model::{
    sighting::{Argv, Sighting},
    truth::{Exec, Frames, ID_ARGUMENT, Outcome, Site, Truth, id_argument},
};

use super::*;

/// An exec with (spawned, started, ended); ids are given by [`truth`].
fn exec(pid: u32, (spawned_ns, started_ns, ended_ns): (u64, u64, u64)) -> Exec {
    Exec {
        id: 0,
        site: 0,
        pid,
        ns_pid: pid,
        parent: 9,
        uid: 0,
        lifetime_ns: 0,
        spawned_ns,
        started_ns,
        ended_ns,
        outcome: Outcome::Exited(0),
    }
}

fn truth(mut execs: Vec<Exec>) -> Truth {
    for (id, exec) in (0..).zip(&mut execs) {
        exec.id = id;
    }
    Truth {
        sites: vec![Site {
            frames: Frames {
                exact: "/t".into(),
                ..Frames::default()
            },
            argv: vec![ID_ARGUMENT.into()],
            cgroup: "/storm".into(),
            cgroup_id: 42,
            ..Site::default()
        }],
        storm_pids: vec![9],
        began_ns: 100,
        finished_ns: execs.iter().map(|e| e.ended_ns).max().unwrap_or(100),
        execs,
        ..Truth::default()
    }
}

fn timed(pid: u32, time_ns: u64) -> Sighting {
    Sighting {
        pid: Some(pid),
        time_ns: Some(time_ns),
        received_ns: time_ns + 1_000,
        ..Sighting::default()
    }
}

fn received(pid: u32, received_ns: u64) -> Sighting {
    Sighting {
        pid: Some(pid),
        received_ns,
        ..Sighting::default()
    }
}

fn with_id(mut sighting: Sighting, id: u32) -> Sighting {
    sighting.argv = Some(Argv::List(vec![id_argument(id).to_vec().into()]));
    sighting
}

fn verdicts(truth: &Truth, sightings: &[Sighting]) -> Vec<Verdict> {
    match_sightings(truth, sightings, 1_000_000).verdicts
}

use Verdict::{Duplicate, Foreign, Late, Phantom, Seen};

/// Two processes, one after the other, with one pid.
fn reused() -> Truth {
    truth(vec![exec(7, (100, 110, 150)), exec(7, (200, 210, 250))])
}

/// One process with two execs.
fn twice() -> Truth {
    truth(vec![exec(7, (100, 110, 165)), exec(7, (160, 165, 250))])
}

#[test]
fn a_reused_pid_is_told_by_time() {
    let sightings = [timed(7, 205), timed(7, 105)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Seen(0)]);
    // Both are of the second process; the first one was missed.
    let sightings = [timed(7, 205), timed(7, 240)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Duplicate(1)]);
    // Between the two nobody had the pid.
    assert_eq!(verdicts(&reused(), &[timed(7, 180)]), [Phantom]);
}

#[test]
fn execs_of_one_process_are_told_by_their_event_windows() {
    let sightings = [timed(7, 105), timed(7, 162)];
    assert_eq!(verdicts(&twice(), &sightings), [Seen(0), Seen(1)]);
    // A monitor that polls sees the process somewhere in the life of each image.
    let sightings = [timed(7, 140), timed(7, 230)];
    assert_eq!(verdicts(&twice(), &sightings), [Seen(0), Seen(1)]);
}

#[test]
fn a_truth_that_tells_less_of_one_process_is_read_as_one_process() {
    // Both execs said to be made when the process was, and to last as long as it did.
    let vague = truth(vec![exec(7, (100, 110, 250)), exec(7, (100, 165, 250))]);
    let sightings = [timed(7, 105), timed(7, 105)];
    assert_eq!(verdicts(&vague, &sightings), [Seen(0), Duplicate(0)]);
    assert_eq!(verdicts(&vague, &[timed(7, 240)]), [Seen(1)]);
    assert_eq!(verdicts(&vague, &[received(7, 109)]), [Seen(0)]);
}

#[test]
fn tolerance_admits_several_and_none_is_missed_for_it() {
    let mut sightings = [timed(7, 205), timed(7, 205), timed(7, 205)];
    for sighting in &mut sightings {
        sighting.time_tolerance_ns = 100;
    }
    let verdicts = verdicts(&reused(), &sightings);
    assert_eq!(verdicts[..2], [Seen(0), Seen(1)]);
    assert!(matches!(verdicts[2], Duplicate(_)));
}

#[test]
fn without_a_source_time_the_latest_exec_is_meant() {
    assert_eq!(verdicts(&reused(), &[received(7, 120)]), [Seen(0)]);
    assert_eq!(verdicts(&reused(), &[received(7, 260)]), [Seen(1)]);
    // Delayed, but in order.
    let sightings = [received(7, 260), received(7, 261)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(0), Seen(1)]);
    let sightings = [received(7, 120), received(7, 130)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(0), Duplicate(0)]);
    assert_eq!(verdicts(&reused(), &[received(7, 99)]), [Foreign]);
}

#[test]
fn the_id_settles_what_pid_and_time_leave_open() {
    let sightings = [with_id(received(7, 260), 1), with_id(received(7, 261), 0)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Seen(0)]);
    let sightings = [with_id(received(7, 260), 1), with_id(received(7, 261), 1)];
    assert_eq!(verdicts(&reused(), &sightings), [Seen(1), Duplicate(1)]);
}

#[test]
fn the_id_never_replaces_pid_and_time() {
    let matching = match_sightings(&reused(), &[with_id(timed(7, 105), 1)], 1_000_000);
    assert_eq!(matching.verdicts, [Seen(0)]);
    assert_eq!(matching.joins.conflicts, 1);
    // The right id with nobody's pid is no sighting of that exec.
    assert_eq!(verdicts(&reused(), &[with_id(timed(8, 105), 0)]), [Phantom]);
}

#[test]
fn what_comes_after_the_drain_is_late_unless_it_was_seen() {
    let late = received(7, 2_000_000);
    let sightings = [late.clone(), late.clone(), late.clone()];
    let expected = [Late(0), Duplicate(0), Late(1)];
    assert_eq!(verdicts(&reused(), &sightings), expected);
    let sightings = [late, timed(7, 205), timed(7, 105)];
    assert_eq!(
        verdicts(&reused(), &sightings),
        [Duplicate(1), Seen(1), Seen(0)]
    );
}

#[test]
fn a_late_sighting_takes_no_exec_from_one_in_time() {
    let late = Sighting {
        received_ns: 2_000_000,
        ..timed(7, 105)
    };
    let either = Sighting {
        time_tolerance_ns: 100,
        ..timed(7, 160)
    };
    let sightings = [timed(7, 205), late, either];
    let expected = [Seen(1), Duplicate(0), Seen(0)];
    assert_eq!(verdicts(&reused(), &sightings), expected);
}

#[test]
fn phantoms_put_the_blame_on_the_storm() {
    let truth = reused();
    let stranger = || Sighting {
        ppid: Some(1),
        ..timed(5, 120)
    };
    let child = Sighting {
        ppid: Some(9),
        ..timed(5, 120)
    };
    let grandchild = Sighting {
        ppid: Some(7),
        ..timed(5, 120)
    };
    let orphan = Sighting {
        ppid: Some(7),
        ..timed(5, 170)
    };
    let mut neighbour = stranger();
    neighbour.container.cgroup_id = Some(42);
    let sightings = [
        (stranger(), Foreign),
        (child.clone(), Phantom),
        (grandchild, Phantom),
        // The pid was free then, so whoever has it as a parent is not of the storm.
        (orphan, Foreign),
        (neighbour, Phantom),
        (with_id(stranger(), 77), Phantom),
        (with_id(child, FIRST_CANARY_ID), Foreign),
        // The spawner is the storm's own; it exec'd before the storm began, and never again.
        (timed(9, 120), Phantom),
        (timed(9, 99), Foreign),
        // A past pid is weak evidence: here the sighting says itself that it is somebody else's.
        (timed(7, 180), Phantom),
        (
            Sighting {
                pid: Some(7),
                time_ns: Some(180),
                ..stranger()
            },
            Foreign,
        ),
    ];
    for (sighting, expected) in sightings {
        assert_eq!(
            verdicts(&truth, std::slice::from_ref(&sighting)),
            [expected],
            "{sighting:?}"
        );
    }
}

#[test]
fn an_exec_that_was_never_reaped_lives_on() {
    let truth = truth(vec![exec(7, (100, 110, 0))]);
    assert_eq!(verdicts(&truth, &[timed(7, 5_000)]), [Seen(0)]);
}

/// A list of measured files has each file once, and nothing of who executed it.
#[test]
fn a_sighting_of_a_file_alone_is_of_one_exec_of_that_file() {
    let truth = truth(vec![
        exec(5, (100, 110, 120)),
        exec(6, (130, 140, 150)),
        exec(7, (160, 170, 180)),
    ]);
    let of = |path: &str, received_ns| Sighting {
        path: Some(path.into()),
        received_ns,
        ..Sighting::default()
    };
    let sightings = [of("/t", 155), of("/other", 155)];
    let matching = match_sightings(&truth, &sightings, 1_000_000);
    assert_eq!(matching.verdicts, [Seen(1), Foreign]);
    assert_eq!(matching.joins.by_path, 1);
    // Of a script the list has the interpreter too, which is the same exec again.
    let mut script = truth.clone();
    script.sites[0].frames.interpreter = Some("/sh".into());
    assert_eq!(
        verdicts(&script, &[of("/t", 155), of("/sh", 156)]),
        [Seen(1), Duplicate(1)]
    );
    // Who names the interpreter alone means an exec each time.
    assert_eq!(
        verdicts(&script, &[of("/sh", 155), of("/sh", 190)]),
        [Seen(1), Seen(2)]
    );
    // Before any exec of the file there was none of it.
    assert_eq!(verdicts(&truth, &[of("/t", 99)]), [Foreign]);
    // A process id that fits nowhere is no file alone.
    let elsewhere = Sighting {
        pid: Some(99),
        ..of("/t", 155)
    };
    assert_eq!(verdicts(&truth, &[elsewhere]), [Foreign]);
}

/// One that lives long is there while others of the same file come and go.
#[test]
fn execs_of_one_file_overlap() {
    let truth = truth(vec![
        exec(5, (100, 110, 900)),
        exec(6, (130, 140, 150)),
        exec(7, (120, 170, 180)),
    ]);
    let at = |time_ns| Sighting {
        path: Some("/t".into()),
        time_ns: Some(time_ns),
        received_ns: time_ns + 1,
        ..Sighting::default()
    };
    assert_eq!(verdicts(&truth, &[at(500)]), [Seen(0)]);
    assert_eq!(
        verdicts(&truth, &[at(135), at(160), at(200)]),
        [Seen(1), Seen(2), Seen(0)]
    );
    assert_eq!(verdicts(&truth, &[at(950)]), [Foreign]);
}
