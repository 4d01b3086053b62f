//! The lab `kvm`: the same guests as in the exact lab, on the host's own CPUs, while real time passes.
//!
//! That `/dev/kvm` opens proves nothing: on hosts that are guests themselves, QEMU may abort with some
//! CPU models and kernels may hang early in their boot with others. So a guest is booted before the
//! first trial, with each CPU model in turn and with a deadline, and KVM is taken only if that guest
//! gave a whole record (see [`canary`]). There is no fallback: a lab that cannot be had is refused.
//!
//! Every guest boots: an image would bring the memory of one boot into all samples, and the boot is
//! what makes a sample a sample.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use execlab_model::{lab::REAL_TIME_OPTION, plan::Timing};
use execlab_trial::host::cpu::Processors;
use execlab_vm::{
    guest::{self, Guest},
    kernels::{FetchEvent, Store},
    kvm,
    qemu::{Accelerator, Engine, Machine, Qemu},
};
use serde_json::json;

use self::canary::Canary;
use super::{
    LabError, Laboratory, Outcome, Ran, Start, disturbances,
    guests::{self, Pantry, Prepared, encode, nonce, outcome, sizes},
};
use crate::plan::TrialSpec;

mod canary;

/// CPU models in the order in which they are tried: the host's own as it is, all that QEMU can make of
/// it, and a plain one that hides what a host passes on badly.
const MODELS: [&str; 3] = ["host", "max", "qemu64"];
/// How long the canary may take with each of them until it has booted, and then again. A guest boots in two seconds where KVM works; what
/// needs a minute is no counterpart of anything.
const DEADLINE: Duration = Duration::from_mins(1);

/// What the canary tries.
#[derive(Debug, Clone)]
pub struct Tries {
    /// QEMU; `None` for the one that is found.
    pub qemu: Option<PathBuf>,
    /// What has to open before anything is tried.
    pub device: Option<PathBuf>,
    /// Who executes the guests.
    pub accelerator: Accelerator,
    /// CPU models, in this order.
    pub models: Vec<String>,
    /// For each of them, until the guest's first mark; twice that until its record.
    pub deadline: Duration,
}

impl Tries {
    /// KVM, and nothing in its place.
    pub fn kvm() -> Self {
        Self {
            qemu: None,
            device: Some(kvm::DEVICE.into()),
            accelerator: Accelerator::Kvm,
            models: MODELS.map(str::to_owned).into(),
            deadline: DEADLINE,
        }
    }

    /// The same machine executed by QEMU, for tests where there is no KVM. Its results say nothing of
    /// KVM, so no command leads here.
    pub fn emulated() -> Self {
        Self {
            qemu: None,
            device: None,
            accelerator: Accelerator::Tcg,
            models: vec!["qemu64".into()],
            deadline: 10 * DEADLINE,
        }
    }
}

/// Everything that trials need on this host.
pub struct KvmLab {
    pantry: Pantry,
    tries: Tries,
    ready: Mutex<Option<Ready>>,
}

/// What [`Laboratory::check`] found.
#[derive(Debug, Clone)]
struct Ready {
    qemu: Qemu,
    kernels: BTreeMap<String, Prepared>,
    /// The CPU model with which the canary came through.
    model: String,
}

impl std::fmt::Debug for KvmLab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KvmLab")
            .field("tries", &self.tries)
            .finish_non_exhaustive()
    }
}

impl KvmLab {
    /// With kernels from `store`; `progress` is told of downloads.
    pub fn new(
        store: Store,
        tries: Tries,
        progress: impl Fn(&FetchEvent) + Send + Sync + 'static,
    ) -> Self {
        Self {
            pantry: Pantry::new(store, progress),
            tries,
            ready: Mutex::default(),
        }
    }

    /// What can be known without a guest.
    fn look(&self) -> Result<Qemu, LabError> {
        let qemu = match &self.tries.qemu {
            Some(program) => Qemu::at(program.clone()),
            None => Qemu::find(),
        };
        let qemu = qemu.map_err(|error| LabError {
            what: error.to_string(),
            remedy: "the lab kvm needs QEMU, and KVM".into(),
            source: None,
        })?;
        if let Some(device) = &self.tries.device {
            kvm::look(device).map_err(|error| LabError {
                what: format!("KVM cannot be used here: {error}"),
                remedy: canary::REMEDY.into(),
                source: None,
            })?;
        }
        Ok(qemu)
    }

    /// Proves with the canary alone that KVM is usable; the CPU model with which it came through.
    pub fn prove(&self, kernel: &str, cpus: u32) -> Result<String, LabError> {
        let qemu = self.look()?;
        let prepared = self.pantry.prepare(kernel)?;
        self.fly(&qemu, &prepared, cpus)
    }

    fn fly(&self, qemu: &Qemu, prepared: &Prepared, cpus: u32) -> Result<String, LabError> {
        Canary {
            qemu,
            kernel: &prepared.kernel.name,
            vmlinux: &prepared.vmlinux,
            initramfs: &prepared.initramfs.path,
            cpus,
            tries: &self.tries,
        }
        .fly()
    }

    /// What trials run on; `check` has prepared it.
    fn ready(&self, trial: &TrialSpec) -> Result<(Ready, Prepared), LabError> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        let found = ready
            .as_ref()
            .and_then(|ready| Some((ready.clone(), ready.kernels.get(&trial.kernel)?.clone())));
        found.ok_or_else(|| LabError {
            what: format!("trial {} was not among those that were checked", trial.id),
            remedy: "this is a defect of execlab: please report it".into(),
            source: None,
        })
    }

    fn machine(&self, trial: &TrialSpec, model: &str) -> Machine {
        machine(trial, self.tries.accelerator, model)
    }
}

/// The machine of a trial.
fn machine(trial: &TrialSpec, accelerator: Accelerator, model: &str) -> Machine {
    let engine = Engine::Real {
        accelerator,
        model: model.to_owned(),
        cpus: trial.cpus,
    };
    let mut machine = sizes::machine(trial, engine);
    machine.boot.insert(0, REAL_TIME_OPTION.to_owned());
    machine
}

/// What disturbed a trial. Steal is what the guest says was taken from it; what was taken from the host
/// itself stands beside it.
fn facts(before: Processors) -> BTreeMap<String, serde_json::Value> {
    let mut facts = disturbances::since(before);
    if let Some(of_host) = facts.remove("steal_ns") {
        facts.insert("host_steal_ns".to_owned(), of_host);
    }
    facts
}

impl Laboratory for KvmLab {
    fn check(&self, trials: &[TrialSpec]) -> Result<(), LabError> {
        let Some(first) = trials.first() else {
            return Ok(());
        };
        let qemu = self.look()?;
        // Of earlier runs, which were killed.
        guest::sweep();
        let mut kernels = BTreeMap::new();
        for trial in trials {
            if !kernels.contains_key(&trial.kernel) {
                kernels.insert(trial.kernel.clone(), self.pantry.prepare(&trial.kernel)?);
            }
            self.pantry.stock(trial)?;
        }
        let model = self.fly(&qemu, &kernels[&first.kernel], first.cpus)?;
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = Some(Ready {
            qemu,
            kernels,
            model,
        });
        Ok(())
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        let (Ready { qemu, model, .. }, prepared) = self.ready(trial)?;
        let machine = self.machine(trial, &model);
        let plan = self.pantry.plan(trial, Timing::REAL);
        Ok(guests::digest(&qemu, &prepared, &machine, &plan))
    }

    fn memory_bytes(&self, trial: &TrialSpec) -> u64 {
        guests::memory_bytes(&self.machine(trial, ""))
    }

    fn run(&self, trial: &TrialSpec, _: Start, digest: &str, serial_log: &Path) -> Ran {
        let started = Instant::now();
        let (ready, prepared) = match self.ready(trial) {
            Ok(found) => found,
            Err(error) => {
                let mut ran = guests::blank(trial, &self.machine(trial, ""));
                ran.outcome = Outcome::Infra {
                    reason: error.to_string(),
                };
                return ran;
            }
        };
        let machine = self.machine(trial, &ready.model);
        let mut ran = guests::blank(trial, &machine);
        ran.provenance.qemu = Some(ready.qemu.version.clone());
        ran.provenance.initramfs = Some(prepared.initramfs.sha256.to_string());
        if let Some(outcome) = prepared.cannot_run(trial) {
            (ran.kernel, ran.outcome) = (prepared.kernel, outcome);
            return ran;
        }
        let before = Processors::look();
        let came = Guest {
            qemu: &ready.qemu,
            machine: &machine,
            kernel: &prepared.vmlinux,
            initramfs: &prepared.initramfs.path,
            start: guest::Start::Cold,
            nonce: &nonce(digest),
            plan: &encode(&self.pantry.plan(trial, Timing::REAL)),
            serial_log,
            clocks: sizes::clocks(&trial.workload),
        }
        .run();
        ran.host = facts(before);
        ran.kernel = prepared.kernel;
        ran.outcome = outcome(came);
        if let Outcome::Record(record) = &ran.outcome {
            ran.kernel.release.clone_from(&record.release);
            let steal_ns = record.steal_ns.map(|ns| ("steal_ns".to_owned(), json!(ns)));
            ran.host.extend(steal_ns);
        }
        ran.wall = started.elapsed();
        ran
    }
}
