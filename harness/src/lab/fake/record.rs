//! The record of a trial that never ran.

use execlab_model::{
    Bytes,
    record::{Canary, Costs, GuestStatus, Record, WindowCost, Witness},
    seam::Ready,
    sighting::{Argv, LossReport, LossUnit, Sighting},
    truth::{Exec, Frames, ID_ARGUMENT, Namespaces, Outcome, Planned, Site, Truth},
    workload::Load,
};

use crate::plan::TrialSpec;

const PATH: &str = "/opt/storm/bin/true";
const FIRST_PID: u32 = 1_000;
/// Time between two execs.
const STEP_NS: u64 = 100_000;
/// The quiet one of `quiet-victim`: one exec of so many, and which.
const SHARE: u32 = 32;
const PLACE: u32 = 24;
/// What an exec costs without any monitor.
const BASE_NS: u64 = 80_000;
/// What the boot options of a backend cost each exec.
const BOOT_NS: u64 = 2_000;

/// What a monitor does not see, by the rules of the same names.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::lab) struct Misses {
    pub drop_every: u64,
    pub blind_ns: u64,
    pub hasty_ns: u64,
    pub room: Option<u64>,
}

impl Misses {
    fn hit(&self, exec: &Exec, load: Load) -> bool {
        let id = u64::from(exec.id);
        let together = match load {
            Load::Closed => 0,
            Load::Rate(count) | Load::Burst(count) => u64::from(count),
        };
        let dropped = self.drop_every > 0 && id.is_multiple_of(self.drop_every);
        let crowded = self.room.is_some_and(|room| together > room && id >= room);
        dropped || crowded || exec.lifetime_ns < self.blind_ns
    }
}

/// Every exec is seen at once and right but for these; `extra` is added to the cost.
pub(in crate::lab) fn of(
    trial: &TrialSpec,
    status: GuestStatus,
    misses: &Misses,
    extra: u64,
) -> Record {
    let unsupported = matches!(status, GuestStatus::Unsupported(_));
    let watched = trial.backend.watches() && !unsupported;
    let truth = if unsupported {
        Truth::default()
    } else {
        truth(trial)
    };
    let load = trial.workload.load;
    let seen = truth
        .execs
        .iter()
        .filter(|e| watched && !misses.hit(e, load));
    let told = |exec: &Exec| Sighting {
        path: (exec.lifetime_ns >= misses.hasty_ns).then(|| PATH.into()),
        ..sighting(&truth, exec)
    };
    let sightings: Vec<Sighting> = seen.map(told).collect();
    let missed = truth.execs.len() - sightings.len();
    let losses = if watched && missed > 0 {
        vec![LossReport {
            source: "planted".to_owned(),
            unit: LossUnit::Exec,
            count: Some(missed as u64),
            window_ns: (truth.began_ns, truth.finished_ns),
        }]
    } else {
        Vec::new()
    };
    Record {
        release: format!("{}.0-fake", trial.kernel),
        status,
        ready: watched.then(Ready::default),
        canary: Canary {
            tries_before: u32::from(watched),
            seen_after: watched,
        },
        drained_ns: truth.finished_ns + 1_000_000_000,
        costs: costs(trial, &truth, extra),
        monitor_peak_bytes: if watched { 1 << 20 } else { 0 },
        steal_ns: None,
        witness: (!unsupported).then(|| witness(trial, &truth)),
        notes: Vec::new(),
        truth,
        sightings,
        losses,
    }
}

/// Leaves only the last component of every `every`th path, where that is not 0.
pub(in crate::lab) fn shorten(record: &mut Record, every: u64) {
    for (at, sighting) in (0_u64..).zip(&mut record.sightings) {
        if every > 0 && at.is_multiple_of(every) {
            sighting.path = PATH.rsplit('/').next().map(Bytes::from);
        }
    }
}

pub(super) fn truth(trial: &TrialSpec) -> Truth {
    let labels: &[&str] = match trial.workload.scenario.as_str() {
        "quiet-victim" => &["neighbour", "victim"],
        _ => &[""],
    };
    let execs: Vec<Exec> = (0..trial.workload.execs)
        .map(|id| {
            let at = u64::from(id + 1) * STEP_NS;
            Exec {
                id,
                site: u32::from(labels.len() > 1 && id % SHARE == PLACE),
                pid: FIRST_PID + id,
                ns_pid: FIRST_PID + id,
                parent: FIRST_PID - 1,
                uid: 0,
                lifetime_ns: trial.workload.lifetime_ns,
                spawned_ns: at,
                started_ns: at + 10_000,
                ended_ns: at + 20_000 + trial.workload.lifetime_ns,
                outcome: Outcome::Exited(0),
            }
        })
        .collect();
    Truth {
        sites: labels.iter().map(|label| site(label)).collect(),
        attempts: 0,
        forks: execs.len() as u64,
        planned: Planned {
            execs: trial.workload.execs.into(),
            attempts: 0,
            forks: trial.workload.execs.into(),
            children: trial.workload.execs.into(),
        },
        storm_pids: vec![FIRST_PID - 1],
        began_ns: STEP_NS,
        finished_ns: execs.last().map_or(STEP_NS, |e| e.ended_ns),
        worst_lateness_ns: 0,
        execs,
    }
}

fn site(label: &str) -> Site {
    Site {
        label: label.to_owned(),
        given: PATH.into(),
        cwd: "/".into(),
        frames: Frames {
            exact: PATH.into(),
            ..Frames::default()
        },
        argv: vec![PATH.into(), Bytes(ID_ARGUMENT.to_vec())],
        dev: 1,
        ino: 2,
        cgroup: "/storm".into(),
        cgroup_id: 3,
        namespaces: Namespaces::default(),
        in_container: false,
    }
}

/// A kernel that counts right.
fn witness(trial: &TrialSpec, truth: &Truth) -> Witness {
    let counts = trial.backend.is_witness();
    Witness {
        forks: truth.forks,
        kernel_threads: 0,
        execs: counts.then_some(truth.execs.len() as u64),
    }
}

fn sighting(truth: &Truth, exec: &Exec) -> Sighting {
    Sighting {
        pid: Some(exec.pid),
        ppid: Some(exec.parent),
        uid: Some(exec.uid),
        time_ns: Some(exec.started_ns - 1_000),
        received_ns: exec.started_ns + 5_000,
        path: Some(PATH.into()),
        argv: Some(Argv::List(truth.argv(exec))),
        ..Sighting::default()
    }
}

fn costs(trial: &TrialSpec, truth: &Truth, extra: u64) -> Costs {
    let execs = truth.execs.len() as u64;
    // Any function of the name will do, so that backends differ and repeat.
    let watching = if trial.backend.watches() {
        trial.backend.name.bytes().map(u64::from).sum::<u64>() * 10
    } else {
        0
    };
    let boot = if trial.boot.is_empty() { 0 } else { BOOT_NS };
    let quiet = WindowCost {
        wall_ns: 1_000_000_000,
        busy_ns: 500_000 + watching,
        monitor_ns: watching,
        ..WindowCost::default()
    };
    let busy_ns = execs * (BASE_NS + boot + watching) + extra;
    Costs {
        idle: quiet,
        storm: WindowCost {
            // A storm that never idles is busy as long as it lasts.
            wall_ns: busy_ns,
            busy_ns,
            storm_ns: execs * (BASE_NS + boot),
            monitor_ns: execs * watching,
            ..WindowCost::default()
        },
        catch_up: quiet,
        ..Costs::default()
    }
}
