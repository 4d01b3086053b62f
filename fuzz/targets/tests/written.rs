//! Seeds in forms that execlab alone writes are written by the code: a binary form that has changed since
//! would be refused at its first byte, and the fuzzers would see little more. `UPDATE_SEEDS=1` writes them
//! anew.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use execlab_harness::score::calibration::{
    ArgvFault, Fault, Field, Given, LossFault, NsPid, PathFault, Scene, Shape, Sign, plant, truth,
};
use execlab_model::{
    Bytes,
    frame::{RECORD_MAGIC, encode},
    plan::{CanaryKind, Contents, PlanFile, Timing, TrialPlan},
    record::{Checkpoint, Costs, GuestStatus, Record, WindowCost, Witness},
    seam::{Done, Message, Ready, Reason},
    truth::Truth,
    workload::{Load, Spawn, Workload},
};
use execlab_workloads::{
    evidence::EVIDENCE_MAGIC,
    protocol::{Answer, Order, Report, send},
};
use serde::Serialize;

/// Few execs each: what a fuzzer changes should mean something.
const SMALL: Shape = Shape {
    execs: 3,
    at_once: 1,
    pids: u32::MAX,
    per_process: 1,
    containers: 0,
    scene: Scene::Files,
    attempts: 0,
};

fn workload() -> Workload {
    Workload {
        scenario: "relative".to_owned(),
        load: Load::Rate(500),
        execs: 7,
        lifetime_ns: 1,
        spawn: Spawn::Fork,
        population: 3,
    }
}

fn plan() -> TrialPlan {
    let file = |path: &str, contents| PlanFile {
        path: path.into(),
        contents,
    };
    TrialPlan {
        program: None,
        launched: false,
        canary: CanaryKind::Payload,
        backend: "netlink".to_owned(),
        monitor: Bytes::from(&b"\x7fELF"[..]),
        settings: [("rcvbuf".to_owned(), "0".to_owned())].into(),
        workload: workload(),
        seed: 3,
        timing: Timing::EXACT,
        files: vec![
            file("bin/sh", Contents::File(0o755, "#!".into())),
            file("bin/bash", Contents::Link("sh".into())),
        ],
    }
}

/// Trials of the scorer's calibration, with what it leaves out: a monitor that did all that it could, one
/// that lost much, and one that failed where scripts and a container were.
fn records() -> [Record; 3] {
    let planted = |shape: Shape, faults: &[Fault], seed| {
        let truth = truth(&shape, seed);
        plant(&truth, faults, seed).into_record(truth)
    };
    let mut perfect = planted(SMALL, &[], 1);
    "6.1.0-47-cloud-amd64".clone_into(&mut perfect.release);
    perfect.ready = Some(ready());
    let shape = Shape {
        pids: 2,
        per_process: 2,
        ..SMALL
    };
    let faults = [
        Fault::Drop(300),
        Fault::Duplicate(500, 5_000),
        Fault::Path(500, PathFault::Cut),
        Fault::Given(500, Given::Right),
        Fault::Argv(300, ArgvFault::Join),
        Fault::Omit(300, Field::Container),
        Fault::Phantoms(1, Sign::Cgroup),
        Fault::Loss(LossFault::TooLittle(1)),
    ];
    let mut losing = planted(shape, &faults, 2);
    losing.costs = costs();
    losing.monitor_peak_bytes = 3 << 20;
    losing.steal_ns = Some(10_000_000);
    losing.witness = Some(Witness {
        forks: 5,
        kernel_threads: 1,
        execs: Some(4),
    });
    let shape = Shape {
        execs: 4,
        containers: 1,
        scene: Scene::Scripts,
        attempts: 2,
        ..SMALL
    };
    let faults = [
        Fault::NsPid(400, NsPid::Apart),
        Fault::Late(300),
        Fault::Foreign(1),
        Fault::Loss(LossFault::Unnumbered),
    ];
    let mut failed = planted(shape, &faults, 3);
    failed.status = GuestStatus::BackendFailed("the monitor was killed by signal 9".to_owned());
    for (number, site) in failed.truth.sites.iter_mut().enumerate() {
        site.label = format!("way {number}");
    }
    failed.notes = vec!["a note".to_owned()];
    [perfect, losing, failed]
}

fn costs() -> Costs {
    let window = |busy_ns| WindowCost {
        wall_ns: 1_000_000_000,
        busy_ns,
        storm_ns: busy_ns / 2,
        monitor_ns: busy_ns / 4,
        monitor_kernel_ns: 1_000,
        switches: 20,
    };
    Costs {
        idle: window(1_000),
        storm: window(9_000_000),
        catch_up: window(2_000),
        bare: Some(window(4_000_000)),
        bare_execs: 2,
        progress: progress(),
    }
}

fn progress() -> Vec<Checkpoint> {
    let at = |execs: u32| Checkpoint {
        execs,
        wall_ns: u64::from(execs) * 1_000_000,
        busy_ns: u64::from(execs) * 900_000,
    };
    vec![at(1), at(3)]
}

fn ready() -> Ready {
    Ready {
        evidence: vec!["rcvbuf 212992".to_owned()],
        kernel_threads: vec!["kauditd".to_owned()],
    }
}

/// What a monitor says in such a trial, from its first word to its last.
fn said(record: &Record) -> Vec<Message> {
    let sightings = record.sightings.iter().cloned().map(Message::Sighting);
    let losses = record.losses.iter().cloned().map(Message::Loss);
    let last = match &record.status {
        GuestStatus::Completed => Message::Done(Done {
            notes: vec!["a note".to_owned()],
        }),
        GuestStatus::Unsupported(reason) => Message::Unsupported(Reason {
            reason: reason.clone(),
        }),
        GuestStatus::BackendFailed(reason) => Message::Failed(Reason {
            reason: reason.clone(),
        }),
    };
    let first = Message::Ready(ready());
    [first]
        .into_iter()
        .chain(sightings)
        .chain(losses)
        .chain([last])
        .collect()
}

fn orders() -> Vec<Order> {
    vec![
        Order::Prepare {
            canary: CanaryKind::Fresh,
            workload: workload(),
            seed: 3,
        },
        Order::Canary {
            id: execlab_model::truth::FIRST_CANARY_ID,
            lifetime_ns: 500_000_000,
        },
        Order::Align,
        Order::Storm,
        Order::Bare(9),
        Order::Report,
    ]
}

fn answers(record: &Record) -> Vec<Answer> {
    let first = match &record.status {
        GuestStatus::Completed => Answer::Prepared { bare: true },
        _ => Answer::Unsupported("no binfmt_misc".to_owned()),
    };
    vec![
        first,
        Answer::Canary(77, "/canary".into()),
        Answer::Done,
        Answer::Report(Box::new(Report {
            truth: record.truth.clone(),
            progress: progress(),
        })),
        Answer::Failed("cannot fork: EAGAIN".to_owned()),
    ]
}

fn talk<T: Serialize>(messages: &[T]) -> Vec<u8> {
    let mut pipe = Vec::new();
    for message in messages {
        send(&mut pipe, message).unwrap();
    }
    pipe
}

/// What the payloads of such a trial leave, and the room behind it.
fn evidence(truth: &Truth) -> Vec<u8> {
    let mut log = Vec::new();
    for exec in &truth.execs {
        for word in [EVIDENCE_MAGIC, exec.id, exec.ns_pid, exec.uid] {
            log.extend_from_slice(&word.to_ne_bytes());
        }
        log.extend_from_slice(&exec.started_ns.to_ne_bytes());
        log.extend_from_slice(&exec.parent.to_ne_bytes());
        log.extend_from_slice(&[0; 4]);
    }
    log.extend_from_slice(&[0; 32]);
    log
}

/// The seeds by target and name, each behind the bytes that say which form it is.
fn written() -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut add = |path: String, form: &[u8], bytes: &[u8]| {
        all.push((PathBuf::from(path), [form, bytes].concat()));
    };
    let postcard = |record: &Record| postcard::to_allocvec(record).unwrap();
    for (number, record) in (1..).zip(records()) {
        let bytes = postcard(&record);
        add(format!("record/record-{number}"), &[2], &bytes);
        // The second byte is the format of the document.
        let format = b"BCF"[number - 1];
        add(format!("results/scored-{number}"), &[b'I', format], &bytes);
        let mut seam = Vec::new();
        for message in said(&record) {
            message.encode_into(&mut seam);
        }
        add(format!("record/seam-{number}"), &[4], &seam);
        let talk = talk(&answers(&record));
        add(format!("record/answers-{number}"), &[7], &talk);
    }
    let [perfect, losing, failed] = records();
    add(
        "record/frame".to_owned(),
        &[0],
        &encode(RECORD_MAGIC, &[3; 16], &postcard(&perfect)),
    );
    add("record/evidence".to_owned(), &[8], &evidence(&failed.truth));
    let plan = postcard::to_allocvec(&plan()).unwrap();
    add("record/plan".to_owned(), &[3], &plan);
    add("record/orders".to_owned(), &[7], &talk(&orders()));
    let mut messages = said(&losing);
    messages.extend(said(&failed).pop());
    for (number, message) in messages.iter().enumerate() {
        let mut bytes = Vec::new();
        message.encode_into(&mut bytes);
        // Behind length and checksum.
        add(format!("record/body-{number}"), &[5], &bytes[8..]);
        let json = message.to_json();
        add(format!("record/line-{number}"), &[6], json.as_bytes());
    }
    all
}

#[test]
fn seeds_in_our_own_forms_are_those_that_the_code_writes() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds");
    for (name, bytes) in written() {
        let path = seeds.join(&name);
        if env::var_os("UPDATE_SEEDS").is_some() {
            fs::write(&path, &bytes).unwrap();
        }
        let stored = fs::read(&path).unwrap_or_default();
        assert!(
            stored == bytes,
            "fuzz/seeds/{} is out of date: run this test with UPDATE_SEEDS=1",
            name.display()
        );
    }
}
