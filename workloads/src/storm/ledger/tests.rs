use execlab_model::truth::Site;
use nix::sys::signal::Signal;

use super::*;
use crate::evidence::EVIDENCE_MAGIC;

fn image(id: u32, pid: u32) -> Evidence {
    Evidence {
        magic: EVIDENCE_MAGIC,
        id,
        pid,
        uid: 0,
        started_ns: 15,
        ppid: 1,
        host_pid: 0,
    }
}

const OWN: u32 = 4_026_531_836;

/// A way with so many execs in the storm's own PID namespace.
fn way(execs: usize) -> Way {
    let mut site = Site::default();
    site.namespaces.pid = OWN;
    Way {
        sites: vec![site; execs],
        ..Way::default()
    }
}

/// Ids 0 to 2 with pids 100 to 102, all reaped.
fn ledger() -> Ledger {
    let mut ledger = Ledger::with_capacity(3);
    for (id, raw) in [(0, 100), (1, 101), (2, 102)] {
        ledger.spawned(id, 0, Pid::from_raw(raw), 0, 10);
    }
    ledger.reaped(WaitStatus::Exited(Pid::from_raw(101), 127), 20);
    ledger.reaped(
        WaitStatus::Signaled(Pid::from_raw(100), Signal::SIGKILL, false),
        21,
    );
    ledger.reaped(WaitStatus::Exited(Pid::from_raw(555), 0), 22);
    ledger.reaped(WaitStatus::Exited(Pid::from_raw(102), 0), 23);
    ledger
}

#[test]
fn a_child_without_evidence_is_an_attempt() {
    let evidence = [image(2, 102), image(FIRST_CANARY_ID, 9), image(0, 100)];
    let truth = ledger().join(&evidence, &[way(1)], OWN).unwrap();
    let seen: Vec<_> = truth
        .execs
        .iter()
        .map(|e| (e.id, e.ended_ns, e.outcome))
        .collect();
    assert_eq!(
        seen,
        [(0, 21, Outcome::Killed(9)), (2, 23, Outcome::Exited(0))]
    );
    assert_eq!((truth.attempts, truth.forks), (1, 3));
    assert_eq!((truth.planned.execs, truth.planned.attempts), (3, 0));
    assert_eq!(truth.storm_pids, [101]);
    assert_eq!(ledger().running(), 0);
}

#[test]
fn evidence_that_does_not_fit_spoils_the_truth() {
    let join = |evidence: &[Evidence]| ledger().join(evidence, &[way(1)], OWN).map(drop);
    let (zero, two) = (image(0, 100), image(2, 102));
    assert_eq!(join(&[zero, two, two]), Err(TruthError::SharedId(2)));
    assert_eq!(
        join(&[zero, two, image(7, 101)]),
        Err(TruthError::UnknownId(7))
    );
    let swapped = TruthError::Pid {
        id: 2,
        own: 101,
        parents: 102,
    };
    assert_eq!(join(&[zero, image(2, 101)]), Err(swapped));
}

#[test]
fn a_child_that_neither_left_evidence_nor_failed_to_exec_spoils_the_truth() {
    let silent = |status| {
        let mut ledger = Ledger::with_capacity(1);
        ledger.spawned(0, 0, Pid::from_raw(100), 0, 10);
        ledger.reaped(status, 20);
        ledger.join(&[], &[way(1)], OWN).map(drop)
    };
    let pid = Pid::from_raw(100);
    for (status, outcome) in [
        (
            WaitStatus::Exited(pid, NO_EVIDENCE.into()),
            Outcome::Exited(NO_EVIDENCE),
        ),
        (
            WaitStatus::Signaled(pid, Signal::SIGKILL, false),
            Outcome::Killed(9),
        ),
    ] {
        assert_eq!(silent(status), Err(TruthError::Silent(0, outcome)));
    }
    assert_eq!(silent(WaitStatus::Exited(pid, EXEC_FAILED.into())), Ok(()));
}

#[test]
fn in_another_pid_namespace_the_image_has_a_pid_of_its_own() {
    let mut other = way(1);
    other.sites[0].namespaces.pid += 1;
    let truth = ledger()
        .join(&[image(0, 6), image(2, 7)], &[other], OWN)
        .unwrap();
    assert_eq!((truth.execs[1].pid, truth.execs[1].ns_pid), (102, 7));
}

/// One child with the id 10, reaped at 40 with this status.
fn one_child(status: i32) -> Ledger {
    let pid = Pid::from_raw(100);
    let mut ledger = Ledger::with_capacity(1);
    ledger.spawned(10, 0, pid, 0, 10);
    ledger.reaped(WaitStatus::Exited(pid, status), 40);
    ledger
}

#[test]
fn the_images_of_a_process_follow_each_other() {
    let mut images = [image(12, 100), image(10, 100), image(11, 100)];
    (images[2].started_ns, images[0].started_ns) = (20, 30);
    let truth = one_child(0).join(&images, &[way(3)], OWN).unwrap();
    let times: Vec<_> = truth
        .execs
        .iter()
        .map(|e| (e.id, e.site, e.spawned_ns, e.started_ns, e.ended_ns))
        .collect();
    let expected = [
        (10, 0, 10, 15, 20),
        (11, 1, 15, 20, 30),
        (12, 2, 20, 30, 40),
    ];
    assert_eq!(times, expected);
    let broken_off = one_child(127).join(&images[1..2], &[way(3)], OWN);
    assert_eq!(
        broken_off,
        Err(TruthError::Silent(11, Outcome::Exited(127)))
    );
}

#[test]
fn a_program_of_others_makes_a_process_that_the_kernel_names() {
    let mut images = [image(10, 100), image(11, 1)];
    (images[1].host_pid, images[1].started_ns) = (140, 20);
    let mut ways = way(2);
    ways.descendants = 1;
    ways.sites[1].namespaces.pid = 0;
    let truth = one_child(0).join(&images, &[ways], OWN).unwrap();
    let execs: Vec<_> = truth
        .execs
        .iter()
        .map(|e| (e.pid, e.ns_pid, e.parent, e.spawned_ns, e.ended_ns))
        .collect();
    let own = std::process::id();
    assert_eq!(execs, [(100, 100, own, 10, 40), (140, 1, 100, 15, 40)]);
    assert_eq!((truth.forks, truth.planned.forks), (2, 2));
}

#[test]
fn a_child_without_an_exec_ends_in_good_order() {
    let truth = one_child(0).join(&[], &[way(0)], OWN).unwrap();
    assert_eq!(
        (truth.execs.len(), truth.forks, truth.planned.execs),
        (0, 1, 0)
    );
    assert_eq!(truth.storm_pids, [100]);
    let bad = one_child(126).join(&[], &[way(0)], OWN);
    assert_eq!(bad, Err(TruthError::NotAsMeant(10, Outcome::Exited(126))));
    let other = one_child(0).join(&[image(10, 100)], &[way(0)], OWN);
    assert_eq!(other, Err(TruthError::UnknownId(10)));
}

#[test]
fn of_others_the_image_alone_knows_pid_and_parent() {
    let mut others = way(1);
    (others.by_others, others.uid) = (true, Some(1000));
    let truth = one_child(0).join(&[image(10, 55)], &[others], OWN).unwrap();
    let exec = truth.execs[0];
    assert_eq!((exec.pid, exec.parent, exec.uid), (55, 1, 1000));
    assert_eq!(truth.storm_pids, [100]);
}
