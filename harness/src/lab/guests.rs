//! What the labs share whose trials run in guests.

use std::{os::unix::ffi::OsStrExt, path::PathBuf};

use execlab_backends::{Backend, Reach};
use execlab_model::{
    Bytes,
    frame::Nonce,
    plan::{ProgramCall, Timing, TrialPlan},
    record::{BadRecord, Record},
    result::{KernelId, Provenance},
    sched::SchedTrace,
};
use execlab_vm::{
    digest::{Hasher, Sha256},
    guest::GuestError,
    kernels::{FetchEvent, Store},
    qemu::{Machine, Qemu},
};

use self::{image::GuestImage, modules::Modules, programs::Programs, userland::Userlands};
use super::{LabError, Outcome, Ran, guest_files};
use crate::{plan::TrialSpec, program::Program};

mod image;
mod modules;
mod programs;
pub(super) mod sizes;
mod userland;

/// Where kernels come from, and where what is booted with them is kept.
pub(super) struct Pantry {
    store: Store,
    userlands: Userlands,
    programs: Programs,
    modules: Modules,
    initramfs_dir: PathBuf,
    /// Bytes of a file in each image that nobody reads.
    padding: usize,
    progress: Box<dyn Fn(&FetchEvent) + Send + Sync>,
}

/// A kernel with its initramfs.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) kernel: KernelId,
    pub(super) vmlinux: PathBuf,
    pub(super) initramfs: GuestImage,
}

impl Pantry {
    /// With kernels from `store`; `progress` is told of downloads.
    pub(super) fn new(
        store: Store,
        progress: impl Fn(&FetchEvent) + Send + Sync + 'static,
    ) -> Self {
        Self {
            initramfs_dir: store.cache_dir().join("initramfs"),
            padding: 0,
            store,
            userlands: Userlands::default(),
            programs: Programs::default(),
            modules: Modules::default(),
            progress: Box::new(progress),
        }
    }

    /// With so many bytes more in each image.
    pub(super) fn pad(&mut self, bytes: usize) {
        self.padding = bytes;
    }

    /// Sees to it that the programs which the scenario of a trial needs are there, and its backend's kernel module.
    pub(super) fn stock(&self, trial: &TrialSpec) -> Result<(), LabError> {
        self.programs.stock(trial)?;
        self.modules.stock(trial, &self.store, &self.progress)?;
        self.userlands.stock(trial, &self.store, &self.progress)
    }

    /// What a guest is asked to do, for a trial that was stocked for.
    pub(super) fn plan(&self, trial: &TrialSpec, timing: Timing) -> TrialPlan {
        let mut plan = plan(trial, timing);
        let brought = std::mem::take(&mut plan.files);
        plan.files = self.userlands.files(trial);
        plan.files.extend(brought);
        plan.files.extend(self.modules.file(trial));
        if let Some(gathered) = self.programs.of(trial) {
            if let Some(call) = &mut plan.program {
                call.library_path = gathered.library_path;
            }
            plan.files.extend(gathered.files);
        }
        plan
    }

    /// Fetches a kernel if it has to, and makes its initramfs.
    pub(super) fn prepare(&self, name: &str) -> Result<Prepared, LabError> {
        self.prepare_with(name, guest_files::INIT)
    }

    /// The same with another program as the guest's first process.
    pub(super) fn prepare_with(&self, name: &str, init: &[u8]) -> Result<Prepared, LabError> {
        let reference = self.store.resolve(name).map_err(|error| {
            lacks(
                format!("no kernel is called `{name}`"),
                "choose one of the list",
                error,
            )
        })?;
        let kernel = self
            .store
            .fetch(&reference, &mut |event| (self.progress)(&event))
            .map_err(|error| {
                let remedy = "see `execlab kernels fetch` and `execlab kernels verify`";
                lacks(format!("kernel {name} cannot be had"), remedy, error)
            })?;
        Ok(Prepared {
            kernel: KernelId {
                name: name.to_owned(),
                release: kernel.release.clone(),
                sha256: kernel.sha256.clone(),
            },
            initramfs: GuestImage::of(&kernel, &self.initramfs_dir, init, self.padding)?,
            vmlinux: kernel.vmlinux,
        })
    }
}

impl Prepared {
    /// What a trial ends as that this kernel cannot run, for want of its scenario's modules.
    pub(super) fn cannot_run(&self, trial: &TrialSpec) -> Option<Outcome> {
        let scenario = trial.workload.scenario.as_str();
        let why = self.initramfs.lacking.get(scenario)?;
        Some(Outcome::Unsupported {
            reason: format!(
                "scenario {scenario} needs kernel modules: {why}; a kernel of your own is given them with \
                 `path:IMAGE,modules=DIR`"
            ),
        })
    }
}

/// The hash of all inputs of a trial.
pub(super) fn digest(
    qemu: &Qemu,
    prepared: &Prepared,
    machine: &Machine,
    plan: &TrialPlan,
) -> String {
    let mut hash = Hasher::default();
    let parts = [
        &qemu.version,
        &prepared.kernel.sha256,
        prepared.initramfs.sha256.as_str(),
        guest_files::TOOLCHAIN,
    ];
    let machine = machine.fixed();
    for part in parts.into_iter().chain(machine.iter().map(String::as_str)) {
        hash.update(&(part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(&encode(plan));
    hash.finish().into()
}

/// What a guest takes of the host's memory at most, its emulator included.
pub(super) fn memory_bytes(machine: &Machine) -> u64 {
    // QEMU itself takes some 150 MiB, and what it translates comes on top.
    const EMULATOR_MIB: u64 = 512;
    (u64::from(machine.memory_mib) + u64::from(machine.channel_mib) + EMULATOR_MIB) << 20
}

/// What is known of a try before anything came back.
pub(super) fn blank(trial: &TrialSpec, machine: &Machine) -> Ran {
    let broke = Ran::broke(trial, String::new());
    Ran {
        provenance: Provenance {
            command_line: machine.fixed(),
            monitor: sha256_of_monitor(trial),
            monitor_command: trial.program.as_ref().map(Program::command),
            toolchain: Some(guest_files::TOOLCHAIN.into()),
            ..broke.provenance
        },
        ..broke
    }
}

/// What a guest left, read.
pub(super) fn outcome(came: Result<Vec<u8>, GuestError>) -> Outcome {
    outcome_with(came, |bytes| Ok((Record::from_bytes(bytes)?, None))).0
}

/// The same of a trial that was asked to tell what the scheduler did, beside its record.
pub(super) fn outcome_with_sched(
    came: Result<Vec<u8>, GuestError>,
) -> (Outcome, Option<Box<SchedTrace>>) {
    outcome_with(came, |bytes| {
        let (record, rest) = Record::take_from_bytes(bytes)?;
        // A trial that did not come to its storm has none.
        let sched = (!rest.is_empty()).then(|| postcard::from_bytes(rest));
        Ok((record, sched.transpose()?))
    })
}

fn outcome_with(
    came: Result<Vec<u8>, GuestError>,
    read: impl FnOnce(&[u8]) -> Result<(Record, Option<Box<SchedTrace>>), BadRecord>,
) -> (Outcome, Option<Box<SchedTrace>>) {
    let outcome = match came {
        Ok(bytes) => match read(&bytes) {
            Ok((record, sched)) => return (Outcome::Record(Box::new(record)), sched),
            Err(error) => Outcome::Lost {
                reason: format!("the guest's record {error}"),
            },
        },
        Err(GuestError::Lost(reason)) => Outcome::Lost { reason },
        Err(error) => Outcome::Infra {
            reason: error.to_string(),
        },
    };
    (outcome, None)
}

/// Of the program that watches in a trial, if one does.
pub(super) fn sha256_of_monitor(trial: &TrialSpec) -> Option<String> {
    let program = trial.program.as_ref();
    let own = || guest_files::monitor(&trial.backend.name).map(|p| Sha256::of(p).into());
    program.map(|program| program.sha256.clone()).or_else(own)
}

pub(super) fn plan(trial: &TrialSpec, timing: Timing) -> TrialPlan {
    let monitor = guest_files::monitor(&trial.backend.name);
    let backend = execlab_backends::find(&trial.backend.name);
    let program = trial.program.as_ref();
    let own = |backend: &dyn Backend| backend.portrait().reach == Reach::Descendants;
    TrialPlan {
        backend: trial.backend.name.clone(),
        monitor: Bytes(monitor.unwrap_or_default().to_vec()),
        program: program.map(|program| ProgramCall {
            file: program.file.as_os_str().as_bytes().into(),
            library_path: Bytes::default(),
            arguments: program
                .arguments
                .iter()
                .map(|a| a.as_str().into())
                .collect(),
        }),
        launched: program.map_or_else(|| backend.is_some_and(own), |program| program.launch),
        canary: program.map_or_else(
            || backend.map(Backend::canary).unwrap_or_default(),
            |program| program.canary,
        ),
        settings: trial.backend.settings.clone(),
        workload: trial.workload.clone(),
        seed: trial.seed,
        timing,
        files: Vec::new(),
    }
}

pub(super) fn encode(plan: &TrialPlan) -> Vec<u8> {
    postcard::to_allocvec(plan).expect("plain data always encodes")
}

/// The trial's nonce follows from its digest: a record of another trial is not taken for its own,
/// and the guest's bytes are the same each time.
pub(super) fn nonce(digest: &str) -> Nonce {
    let sum = Sha256::of(digest.as_bytes());
    sum.as_str().as_bytes()[..16]
        .try_into()
        .expect("16 of 64 digits")
}

pub(super) fn lacks(
    what: String,
    remedy: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> LabError {
    LabError {
        what,
        remedy: remedy.to_owned(),
        source: Some(Box::new(source)),
    }
}
