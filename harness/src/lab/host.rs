//! The host lab: trials on the running kernel, one at a time, each leaving the machine as it was.
//!
//! What runs there is in `trial/src/host*`; this is the side that starts it, waits, and takes the record.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use execlab_backends::Backend;
use execlab_model::{
    Bytes,
    frame::{self, Nonce, PLAN_MAGIC, RECORD_MAGIC},
    plan::{Timing, TrialPlan},
    record::Record,
    result::{KernelId, Provenance},
};
use execlab_trial::{
    host::{
        claim::Claim,
        clean::clean,
        cpu::Processors,
        runner::{BEGAN, cgroup2_mount},
        session::{ROOT, Session},
        supervisor::{End, Outcome as Told},
    },
    machine_meter::MachineMeter,
    storm::patience_ns,
};
use execlab_vm::digest::{Hasher, Sha256};
use serde_json::json;

use super::{
    LabError, Laboratory, Outcome, Ran, Start, disturbances, guest_files,
    guests::{encode, nonce, plan, sha256_of_monitor},
};
use crate::{plan::TrialSpec, program::Program, progress::tell};

mod changes;
mod process;
mod sweep;

pub use changes::changes;
pub use sweep::Swept;

use sweep::sweep;

/// See the module.
#[derive(Debug, Default)]
pub struct HostLab {
    kernel: OnceLock<KernelId>,
    claim: Mutex<Option<Claim>>,
    /// Why no trial can be run any more: the machine is not as it was.
    spoiled: Mutex<Option<String>>,
}

/// Besides what its execs take: start, canaries, windows, drain, and a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(3);

impl HostLab {
    fn kernel(&self, name: &str) -> KernelId {
        let found = self.kernel.get_or_init(|| {
            let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
            // The notes hold the build id; the file of the image may be another kernel's by now.
            let identity = fs::read("/sys/kernel/notes").or_else(|_| fs::read("/proc/version"));
            KernelId {
                name: String::new(),
                release: release.trim().to_owned(),
                sha256: Sha256::of(&identity.unwrap_or_default()).into(),
            }
        });
        KernelId {
            name: name.to_owned(),
            ..found.clone()
        }
    }

    /// What a trial ends as that is not for a machine that others use, or whose modules are not loaded.
    fn cannot_run(trial: &TrialSpec) -> Option<Outcome> {
        let backend = execlab_backends::find(&trial.backend.name);
        if let Some(why) = backend.and_then(Backend::only_in_guests) {
            let name = &trial.backend.name;
            let reason = format!("backend {name} runs in guests alone: {why}");
            return Some(Outcome::Unsupported { reason });
        }
        if let Some(program) = trial
            .program
            .as_ref()
            .filter(|program| !program.is_as_planned())
        {
            let file = program.file.display();
            let reason = format!(
                "{file} is not what it was when the run was planned: put it back, or begin a new run"
            );
            return Some(Outcome::Infra { reason });
        }
        let scenario = execlab_workloads::scenario::find(&trial.workload.scenario)?;
        let name = scenario.name();
        let missing = || scenario.modules().iter().find(|m| !has_module(m));
        let reason = match (scenario.only_in_guests(), missing()) {
            (Some(why), _) => format!("scenario {name} runs in guests alone: {why}"),
            (None, Some(module)) => format!(
                "scenario {name} needs the kernel module {module}, which is not loaded (`modprobe {module}`)"
            ),
            (None, None) => return None,
        };
        Some(Outcome::Unsupported { reason })
    }

    /// Runs a trial in a session of its own, unless an earlier one has spoiled the machine: what comes
    /// after it would take the spoiled machine for the one that it has to leave.
    fn run_alone(&self, trial: &TrialSpec, digest: &str, log: &Path) -> Outcome {
        let mut spoiled = self.spoiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(reason) = &*spoiled {
            let reason = format!("not run, because {reason}");
            return Outcome::Infra { reason };
        }
        let session = match process::new_session(Path::new(ROOT)) {
            Ok(session) => session,
            Err(error) => {
                return Outcome::Infra {
                    reason: format!("cannot make a folder in {ROOT}: {error}"),
                };
            }
        };
        let ended = run_in(&session, trial, &nonce(digest));
        process::keep_log(&session, log);
        if ended.problems.is_empty() {
            process::discard(&session);
            return ended.outcome;
        }
        // The session stays: with it, it can be tried again.
        let reason = format!(
            "the machine is not as it was, and `execlab doctor --clean` may help: {}",
            ended.problems.join("; ")
        );
        *spoiled = Some(reason.clone());
        Outcome::Infra { reason }
    }
}

impl Laboratory for HostLab {
    fn check(&self, _: &[TrialSpec]) -> Result<(), LabError> {
        if !nix::unistd::geteuid().is_root() {
            return Err(lacks(
                "the lab host needs root: it makes cgroups and namespaces, and monitors attach to the kernel",
                "run it as root, or use the lab exact, which needs none",
            ));
        }
        cgroup2_mount().map_err(|error| {
            lacks(
                error.to_string(),
                "mount it: `mount -t cgroup2 none /sys/fs/cgroup/unified`, or boot with cgroup v2",
            )
        })?;
        let (claim, swept) = claim(Path::new(ROOT))?;
        for what in swept.put_back {
            tell(format_args!("note: after a run that was killed: {what}"));
        }
        *self.claim.lock().unwrap_or_else(PoisonError::into_inner) = Some(claim);
        Ok(())
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        let kernel = self.kernel(&trial.kernel);
        let plan = encode(&host_plan(trial));
        let cpus = trial.cpus.to_le_bytes();
        let parts: [&[u8]; 7] = [
            kernel.sha256.as_bytes(),
            guest_files::HOST,
            guest_files::STORM,
            guest_files::PAYLOAD,
            guest_files::TOOLCHAIN.as_bytes(),
            &cpus,
            &plan,
        ];
        let mut hash = Hasher::default();
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Ok(hash.finish().into())
    }

    fn run(&self, trial: &TrialSpec, _start: Start, digest: &str, serial_log: &Path) -> Ran {
        let started = Instant::now();
        let before = Processors::look();
        let outcome =
            Self::cannot_run(trial).unwrap_or_else(|| self.run_alone(trial, digest, serial_log));
        Ran {
            host: facts(before, &outcome),
            outcome,
            provenance: Provenance {
                execlab: env!("CARGO_PKG_VERSION").into(),
                monitor: sha256_of_monitor(trial),
                monitor_command: trial.program.as_ref().map(Program::command),
                toolchain: Some(guest_files::TOOLCHAIN.into()),
                ..Provenance::default()
            },
            kernel: self.kernel(&trial.kernel),
            sched: None,
            wall: started.elapsed(),
        }
    }
}

/// Puts back what killed runs left; an error where a run goes on, or where something could not be.
pub fn put_back(root: &Path) -> Result<Swept, LabError> {
    if !root.exists() {
        return Ok(Swept::default());
    }
    claim(root).map(|(_claim, swept)| swept)
}

/// Has the machine for this run alone, as no earlier run has left it.
fn claim(root: &Path) -> Result<(Claim, Swept), LabError> {
    let in_use = || {
        lacks(
            "another run uses the lab host of this machine",
            "wait until it has ended: two would measure each other",
        )
    };
    let broken = |error| LabError {
        what: format!("cannot look after what runs keep in {}", root.display()),
        remedy: "see what `execlab doctor --lab host` says".into(),
        source: Some(Box::new(error)),
    };
    let claim = Claim::take(root).map_err(broken)?.ok_or_else(in_use)?;
    let swept = sweep(root).map_err(broken)?;
    if swept.minded > 0 {
        return Err(in_use());
    }
    if !swept.problems.is_empty() {
        return Err(lacks(
            format!(
                "an earlier run left this machine changed: {}",
                swept.problems.join("; ")
            ),
            "put it back by hand; the next boot ends it in any case",
        ));
    }
    Ok((claim, swept))
}

/// What is asked of the runner. A program of somebody else finds here what it needs. That its bytes are in the plan makes them an
/// input of the trial; one that cannot be read any more does not start.
fn host_plan(trial: &TrialSpec) -> TrialPlan {
    let mut plan = plan(trial, Timing::REAL);
    if let Some(program) = &trial.program {
        plan.monitor = Bytes(fs::read(&program.file).unwrap_or_default());
    }
    plan
}

/// What came of a trial, and what could not be put back after it.
struct Ended {
    outcome: Outcome,
    problems: Vec<String>,
}

impl Ended {
    fn broke(reason: String) -> Self {
        Self {
            outcome: Outcome::Infra { reason },
            problems: Vec::new(),
        }
    }
}

/// Runs a trial in a session's folder and takes what it left.
fn run_in(session: &Session, trial: &TrialSpec, nonce: &Nonce) -> Ended {
    let plan = encode(&host_plan(trial));
    if let Err(error) = process::furnish(session, &frame::encode(PLAN_MAGIC, nonce, &plan)) {
        let dir = session.dir().display();
        return Ended::broke(format!("cannot put the trial's files into {dir}: {error}"));
    }
    let patience = PATIENCE + Duration::from_nanos(patience_ns(&trial.workload));
    let ended = match process::supervise(session, patience) {
        Ok(ended) => ended,
        Err(error) => {
            return Ended::broke(format!("cannot start the trial's supervisor: {error}"));
        }
    };
    let Some(told) = Told::read(session) else {
        let after = session.stage_reached();
        let words = process::last_words(session);
        let reason =
            format!("the trial's supervisor {ended}; the last stage reached is {after}{words}");
        return Ended {
            outcome: Outcome::Infra { reason },
            problems: clean(session).problems,
        };
    };
    Ended {
        outcome: outcome(session, nonce, &told),
        problems: told.problems,
    }
}

/// What came of a trial that its supervisor ended properly.
fn outcome(session: &Session, nonce: &Nonce, told: &Told) -> Outcome {
    let stage = session.stage_reached();
    let words = process::last_words(session);
    let told_how = |how: String| format!("{how}; the last stage reached is {stage}{words}");
    let lost = |how: String| Outcome::Lost {
        reason: told_how(how),
    };
    match &told.end {
        // Before that nothing of the trial has run: the host's side broke.
        End::Broke(status) if !session.has_reached(BEGAN) => {
            return Outcome::Infra {
                reason: told_how(format!("the trial runner ended ({status})")),
            };
        }
        End::Broke(status) => return lost(format!("the trial runner ended ({status})")),
        End::Hung(seconds) => {
            return lost(format!(
                "the trial took more than {seconds} s and was ended"
            ));
        }
        End::Abandoned => {
            let reason = told_how("the trial's supervisor was told to end it".to_owned());
            return Outcome::Infra { reason };
        }
        End::Whole => {}
    }
    let record = fs::read(session.record()).map_err(|e| e.to_string());
    let record = record.and_then(|bytes| {
        let payload = frame::decode_for(RECORD_MAGIC, nonce, &bytes).map_err(|e| e.to_string())?;
        Record::from_bytes(payload).map_err(|e| e.to_string())
    });
    match record {
        Ok(mut record) => {
            let put_back = told.put_back.iter();
            record
                .notes
                .extend(put_back.map(|what| format!("put back for the monitor: {what}")));
            Outcome::Record(Box::new(record))
        }
        Err(error) => lost(format!("the trial left no whole record ({error})")),
    }
}

/// What disturbed the measurement, as far as the machine tells.
fn facts(before: Processors, outcome: &Outcome) -> BTreeMap<String, serde_json::Value> {
    let mut facts = disturbances::since(before);
    if let Ok(meter) = MachineMeter::open() {
        facts.insert("meter".to_owned(), json!(meter.source()));
    }
    if let Outcome::Record(record) = outcome {
        let storm = &record.costs.storm;
        let own = storm.storm_ns + storm.monitor_ns + storm.monitor_kernel_ns;
        let others = json!(storm.busy_ns.saturating_sub(own));
        facts.insert("others_busy_ns".to_owned(), others);
    }
    facts
}

/// Whether the kernel has a file system now (`proc_filesystems(5)`).
/// Whether a module is loaded, or built in and of a kind that tells so.
fn has_module(name: &str) -> bool {
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap_or_default();
    Path::new("/sys/module").join(name).exists()
        || filesystems
            .lines()
            .any(|line| line.split('\t').next_back() == Some(name))
}

fn lacks(what: impl Into<String>, remedy: &str) -> LabError {
    LabError {
        what: what.into(),
        remedy: remedy.to_owned(),
        source: None,
    }
}
