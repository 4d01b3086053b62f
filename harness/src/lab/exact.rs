//! The exact lab: one virtual CPU of QEMU's TCG, on which one guest instruction is one nanosecond.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant},
};

use execlab_model::{
    Bytes,
    frame::Nonce,
    plan::{Timing, TrialPlan},
    record::Record,
    result::{KernelId, Provenance},
    workload::{Load, Workload},
};
use execlab_vm::{
    guest::{Clocks, Guest, GuestError},
    initramfs::Initramfs,
    kernels::{FetchEvent, Kernel, Store},
    qemu::{Machine, Qemu},
};
use sha2::{Digest, Sha256};

use super::{LabError, Laboratory, Outcome, Ran, Start, guest_files};
use crate::plan::TrialSpec;

/// Everything that trials need on this host.
pub struct ExactLab {
    store: Store,
    images: PathBuf,
    ready: Mutex<Ready>,
    progress: Box<dyn Fn(&FetchEvent) + Send + Sync>,
}

/// What [`Laboratory::check`] found.
#[derive(Default)]
struct Ready {
    qemu: Option<Qemu>,
    kernels: BTreeMap<String, Prepared>,
}

/// A kernel with its initramfs.
#[derive(Clone)]
struct Prepared {
    kernel: KernelId,
    vmlinux: PathBuf,
    initramfs: PathBuf,
    initramfs_sha256: String,
    /// Scenarios whose modules this kernel does not have, with what is missing.
    lacking: BTreeMap<&'static str, String>,
}

/// An initramfs, its hash, and the scenarios that cannot be run with it.
type Image = (PathBuf, String, BTreeMap<&'static str, String>);

impl std::fmt::Debug for ExactLab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExactLab")
            .field("images", &self.images)
            .finish_non_exhaustive()
    }
}

impl ExactLab {
    /// With kernels from `store`; `progress` is told of downloads.
    pub fn new(store: Store, progress: impl Fn(&FetchEvent) + Send + Sync + 'static) -> Self {
        let images = store.cache_dir().join("initramfs");
        Self {
            store,
            images,
            ready: Mutex::default(),
            progress: Box::new(progress),
        }
    }

    fn prepare(&self, name: &str) -> Result<Prepared, LabError> {
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
        let (initramfs, initramfs_sha256, lacking) = self.write_initramfs(&kernel)?;
        Ok(Prepared {
            kernel: KernelId {
                name: name.to_owned(),
                release: kernel.release.clone(),
                sha256: kernel.sha256.clone(),
            },
            vmlinux: kernel.vmlinux,
            initramfs,
            initramfs_sha256,
            lacking,
        })
    }

    /// One image for all trials of a kernel, so that no scenario's trial differs from another's by
    /// what lies in memory.
    fn write_initramfs(&self, kernel: &Kernel) -> Result<Image, LabError> {
        let (wanted, lacking) = modules_of_scenarios(kernel);
        let modules = kernel.modules(&wanted).map_err(|error| {
            let what = format!("the modules of kernel {} cannot be read", kernel.name);
            lacks(
                what,
                "lock or name a kernel that has all of its modules",
                error,
            )
        })?;
        let mut files = Initramfs::default();
        for folder in ["dev", "newroot"] {
            files.folder(folder);
        }
        files.program("init", guest_files::INIT.to_vec());
        files.program("bin/execlab-storm", guest_files::STORM.to_vec());
        files.program("bin/execlab-monitor", guest_files::MONITOR.to_vec());
        files.program("bin/execlab-payload", guest_files::PAYLOAD.to_vec());
        files.program(
            "bin/execlab-payload-bare",
            guest_files::PAYLOAD_BARE.to_vec(),
        );
        for (at, module) in modules.into_iter().enumerate() {
            files.file(&format!("modules/{at:02}-{}.ko", module.name), module.bytes);
        }
        let bytes = files.to_bytes();
        let sha256 = hex(&Sha256::digest(&bytes));
        let path = self.images.join(format!("{sha256}.cpio"));
        if std::fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes.len() as u64) {
            return Ok((path, sha256, lacking));
        }
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&self.images)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.images)?;
            std::io::Write::write_all(&mut file, &bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        };
        write().map_err(|error| {
            let what = format!(
                "cannot write the guest's files to {}",
                self.images.display()
            );
            lacks(
                what,
                "free some space there, or choose another cache with --cache",
                error,
            )
        })?;
        Ok((path, sha256, lacking))
    }

    /// What a trial runs on; `check` has prepared it.
    fn ready(&self, trial: &TrialSpec) -> Result<(Qemu, Prepared), LabError> {
        let ready = self
            .ready
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match (&ready.qemu, ready.kernels.get(&trial.kernel)) {
            (Some(qemu), Some(prepared)) => Ok((qemu.clone(), prepared.clone())),
            _ => Err(LabError {
                what: format!("trial {} was not among those that were checked", trial.id),
                remedy: "this is a defect of execlab: please report it".into(),
                source: None,
            }),
        }
    }
}

impl Laboratory for ExactLab {
    fn check(&self, trials: &[TrialSpec]) -> Result<(), LabError> {
        let qemu = Qemu::find().map_err(|error| LabError {
            what: error.to_string(),
            remedy: "the exact lab needs QEMU and nothing else".into(),
            source: None,
        })?;
        let mut kernels = BTreeMap::new();
        for trial in trials {
            if !kernels.contains_key(&trial.kernel) {
                kernels.insert(trial.kernel.clone(), self.prepare(&trial.kernel)?);
            }
            let scenario = trial.workload.scenario.as_str();
            if let Some(why) = kernels[&trial.kernel].lacking.get(scenario) {
                return Err(LabError {
                    what: format!(
                        "scenario {scenario} cannot run on kernel {}: {why}",
                        trial.kernel
                    ),
                    remedy:
                        "name its modules too (`path:IMAGE,modules=DIR`), or leave the scenario out"
                            .into(),
                    source: None,
                });
            }
        }
        *self
            .ready
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = Ready {
            qemu: Some(qemu),
            kernels,
        };
        Ok(())
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        let (qemu, prepared) = self.ready(trial)?;
        let mut hash = Sha256::new();
        let machine = machine(trial);
        let parts = [
            &qemu.version,
            &prepared.kernel.sha256,
            &prepared.initramfs_sha256,
        ];
        for part in parts.into_iter().chain(&machine.fixed()) {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(plan_bytes(trial));
        Ok(hex(&hash.finalize()))
    }

    fn run(&self, trial: &TrialSpec, _start: Start, digest: &str, serial_log: &Path) -> Ran {
        let started = Instant::now();
        let machine = machine(trial);
        let mut ran = Ran {
            outcome: Outcome::Infra {
                reason: String::new(),
            },
            provenance: Provenance {
                execlab: env!("CARGO_PKG_VERSION").into(),
                qemu: None,
                command_line: machine.fixed(),
                initramfs: None,
                monitor: None,
                toolchain: None,
            },
            kernel: KernelId {
                name: trial.kernel.clone(),
                release: String::new(),
                sha256: String::new(),
            },
            wall: Duration::ZERO,
        };
        ran.outcome = match self.ready(trial) {
            Err(error) => Outcome::Infra {
                reason: error.to_string(),
            },
            Ok((qemu, prepared)) => {
                ran.provenance.qemu = Some(qemu.version.clone());
                ran.provenance.initramfs = Some(prepared.initramfs_sha256.clone());
                let guest = Guest {
                    qemu: &qemu,
                    machine: &machine,
                    kernel: &prepared.vmlinux,
                    initramfs: &prepared.initramfs,
                    nonce: &nonce(digest),
                    plan: &plan_bytes(trial),
                    serial_log,
                    clocks: clocks(&trial.workload),
                };
                let outcome = outcome(guest.run());
                ran.kernel = prepared.kernel;
                outcome
            }
        };
        if let Outcome::Record(record) = &ran.outcome {
            ran.kernel.release.clone_from(&record.release);
        }
        ran.wall = started.elapsed();
        ran
    }
}

/// The modules of all scenarios that this kernel can run, so that it has one image for all of them;
/// and the scenarios that it cannot run.
fn modules_of_scenarios(kernel: &Kernel) -> (Vec<&'static str>, BTreeMap<&'static str, String>) {
    let (mut wanted, mut lacking) = (Vec::new(), BTreeMap::new());
    for scenario in execlab_workloads::SCENARIOS {
        match kernel.modules(scenario.modules()) {
            Ok(_) => wanted.extend_from_slice(scenario.modules()),
            Err(error) => {
                lacking.insert(scenario.name(), error.to_string());
            }
        }
    }
    (wanted, lacking)
}

fn outcome(came: Result<Vec<u8>, GuestError>) -> Outcome {
    match came {
        Ok(bytes) => match postcard::from_bytes::<Record>(&bytes) {
            Ok(record) => Outcome::Record(Box::new(record)),
            Err(error) => Outcome::Lost {
                reason: format!("the guest's record cannot be read: {error}"),
            },
        },
        Err(GuestError::Lost(reason)) => Outcome::Lost { reason },
        Err(error) => Outcome::Infra {
            reason: error.to_string(),
        },
    }
}

fn plan_bytes(trial: &TrialSpec) -> Vec<u8> {
    let plan = TrialPlan {
        backend: trial.backend.name.clone(),
        monitor: Bytes::default(),
        settings: trial.backend.settings.clone(),
        workload: trial.workload.clone(),
        seed: trial.seed,
        timing: Timing::EXACT,
    };
    postcard::to_allocvec(&plan).expect("plain data always encodes")
}

/// A machine with room for what the workload keeps alive at once and for what it leaves behind.
fn machine(trial: &TrialSpec) -> Machine {
    let workload = &trial.workload;
    let at_once = match workload.load {
        Load::Closed => 1,
        Load::Burst(at_once) => at_once.into(),
        Load::Rate(per_second) => {
            (u64::from(per_second).saturating_mul(workload.lifetime_ns)) / 1_000_000_000 + 1
        }
    };
    // A process that sleeps holds some 100 KiB: stack, page tables, a few copied pages. An exec
    // leaves about 0.5 KiB in the seam, and that again a few times while the record is made.
    let alive = u64::from(workload.population) + at_once.min(workload.execs.into());
    let memory_mib = 256 + alive / 8 + u64::from(workload.execs) / 256;
    let memory_mib =
        u32::try_from(memory_mib).expect("two numbers below 2^32, divided by 8 and more");
    let channel_mib = (8 + workload.execs / 1024).next_power_of_two();
    Machine {
        memory_mib: memory_mib.next_multiple_of(64),
        channel_mib: channel_mib.max(16),
        boot: trial.boot.clone(),
    }
}

/// Generous on purpose: they end guests that hang, and are no measure of speed. A slow or busy host
/// emulates 10 million instructions a second; an exec with a monitor takes under 2 million.
fn clocks(workload: &Workload) -> Clocks {
    let storm = Duration::from_millis(200) * workload.execs;
    let boot = Duration::from_mins(5);
    let stage = Duration::from_mins(10) + storm;
    Clocks {
        boot,
        stage,
        total: boot + 4 * stage,
    }
}

/// The trial's nonce follows from its digest: a record of another trial is not taken for its own,
/// and the guest's bytes are the same each time.
fn nonce(digest: &str) -> Nonce {
    Sha256::digest(digest)[..16]
        .try_into()
        .expect("16 of 32 bytes")
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

fn lacks(
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
