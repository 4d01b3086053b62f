//! The exact lab: one virtual CPU of QEMU's TCG, on which one guest instruction is one nanosecond.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use execlab_model::{
    Bytes,
    frame::Nonce,
    plan::{Timing, TrialPlan},
    record::Record,
    result::{KernelId, Provenance},
};
use execlab_vm::{
    digest::{Hasher, Sha256},
    guest::{self, Guest, GuestError},
    kernels::{FetchEvent, Store},
    qemu::Qemu,
    warm::Made,
};

use self::{
    guest_image::GuestImage,
    images::{Images, News},
};
use super::{
    ImageNews, ImageState, LabError, Laboratory, Outcome, Ran, Start, guest_files, image_name,
};
use crate::plan::TrialSpec;

mod guest_image;
mod images;
mod sabotage;
mod sizes;

pub use sabotage::{BadSabotage, Sabotage};

/// Everything that trials need on this host.
pub struct ExactLab {
    store: Store,
    initramfs_dir: PathBuf,
    images: Images,
    sabotage: Sabotage,
    ready: Mutex<Ready>,
    progress: Box<dyn Fn(&FetchEvent) + Send + Sync>,
}

/// What [`Laboratory::check`] found.
#[derive(Default)]
struct Ready {
    qemu: Option<Qemu>,
    kernels: BTreeMap<Key, Prepared>,
}

/// A kernel's name, and which rule of the [`Sabotage`] changes its guest's files, if one does.
type Key = (String, Option<usize>);

/// A kernel with its initramfs.
#[derive(Debug, Clone)]
struct Prepared {
    kernel: KernelId,
    vmlinux: PathBuf,
    initramfs: GuestImage,
}

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
        Self {
            initramfs_dir: store.cache_dir().join("initramfs"),
            images: Images::new(store.cache_dir().join("warm")),
            sabotage: Sabotage::default(),
            store,
            ready: Mutex::default(),
            progress: Box::new(progress),
        }
    }

    /// With other programs in some guests, for tests.
    #[must_use]
    pub fn sabotaged(self, sabotage: Sabotage) -> Self {
        Self { sabotage, ..self }
    }

    fn key(&self, trial: &TrialSpec) -> Key {
        (trial.kernel.clone(), self.sabotage.of_init(trial))
    }

    fn prepare(&self, (name, rule): &Key) -> Result<Prepared, LabError> {
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
            initramfs: GuestImage::of(
                &kernel,
                &self.initramfs_dir,
                rule.map_or(guest_files::INIT, |rule| self.sabotage.program(rule)),
            )?,
            vmlinux: kernel.vmlinux,
        })
    }

    /// What a trial runs on; `check` has prepared it.
    fn ready(&self, trial: &TrialSpec) -> Result<(Qemu, Prepared), LabError> {
        let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        match (&ready.qemu, ready.kernels.get(&self.key(trial))) {
            (Some(qemu), Some(prepared)) => Ok((qemu.clone(), prepared.clone())),
            _ => Err(LabError {
                what: format!("trial {} was not among those that were checked", trial.id),
                remedy: "this is a defect of execlab: please report it".into(),
                source: None,
            }),
        }
    }

    /// The program that watches in a trial.
    fn monitor(&self, trial: &TrialSpec) -> Option<&[u8]> {
        let put = self.sabotage.monitor(trial);
        put.or_else(|| guest_files::monitor(&trial.backend.name))
    }

    fn plan(&self, trial: &TrialSpec) -> TrialPlan {
        TrialPlan {
            backend: trial.backend.name.clone(),
            monitor: Bytes(self.monitor(trial).unwrap_or_default().to_vec()),
            settings: trial.backend.settings.clone(),
            workload: trial.workload.clone(),
            seed: trial.seed,
            timing: Timing::EXACT,
        }
    }

    fn run_guest(
        &self,
        trial: &TrialSpec,
        start: Start,
        nonce: &Nonce,
        serial_log: &Path,
        (qemu, prepared): (&Qemu, &Prepared),
    ) -> Result<Vec<u8>, GuestError> {
        let machine = sizes::machine(trial);
        let mut clocks = sizes::clocks(&trial.workload);
        if !self.sabotage.is_none() {
            clocks.hurry = Some(sabotage::HURRY);
        }
        let image = match start {
            _ if self.sabotage.of_init(trial).is_some() => None,
            Start::Cold => None,
            Start::Warm => Some(self.images.get(qemu, prepared, &machine, drop)?),
        };
        let run = Guest {
            qemu,
            machine: &machine,
            kernel: &prepared.vmlinux,
            initramfs: &prepared.initramfs.path,
            start: image
                .as_ref()
                .map_or(guest::Start::Cold, guest::Start::Warm),
            nonce,
            plan: &encode(&self.plan(trial)),
            serial_log,
            clocks,
        }
        .run();
        if let Err(GuestError::Steering { .. }) = run {
            // It may have been damaged since it was checked.
            self.images.doubt(prepared, &machine);
        }
        run
    }
}

impl Laboratory for ExactLab {
    fn check(&self, trials: &[TrialSpec]) -> Result<(), LabError> {
        let qemu = Qemu::find().map_err(|error| LabError {
            what: error.to_string(),
            remedy: "the exact lab needs QEMU and nothing else".into(),
            source: None,
        })?;
        // Of earlier runs, which were killed.
        guest::sweep();
        let mut kernels = BTreeMap::new();
        for trial in trials {
            let key = self.key(trial);
            let prepared = match kernels.entry(key) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(none) => {
                    let prepared = self.prepare(none.key())?;
                    none.insert(prepared)
                }
            };
            let scenario = trial.workload.scenario.as_str();
            if let Some(why) = prepared.initramfs.lacking.get(scenario) {
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
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = Ready {
            qemu: Some(qemu),
            kernels,
        };
        Ok(())
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        let (qemu, prepared) = self.ready(trial)?;
        let mut hash = Hasher::default();
        let parts = [
            &qemu.version,
            &prepared.kernel.sha256,
            prepared.initramfs.sha256.as_str(),
            guest_files::TOOLCHAIN,
        ];
        let machine = sizes::machine(trial).fixed();
        for part in parts.into_iter().chain(machine.iter().map(String::as_str)) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part.as_bytes());
        }
        hash.update(&encode(&self.plan(trial)));
        Ok(hash.finish().into())
    }

    fn memory_bytes(&self, trial: &TrialSpec) -> u64 {
        // QEMU itself takes some 150 MiB, and what it translates comes on top.
        const EMULATOR_MIB: u64 = 512;
        let machine = sizes::machine(trial);
        (u64::from(machine.memory_mib) + u64::from(machine.channel_mib) + EMULATOR_MIB) << 20
    }

    fn has_images(&self) -> bool {
        true
    }

    fn warm_up(
        &self,
        trials: &[TrialSpec],
        jobs: usize,
        interrupted: &AtomicBool,
        told: &(dyn Fn(ImageNews) + Sync),
    ) {
        let wanted: BTreeMap<_, _> = trials
            .iter()
            .filter(|trial| self.sabotage.of_init(trial).is_none())
            .map(|trial| ((&trial.kernel, sizes::machine(trial).fixed()), trial))
            .collect();
        let images = wanted.len();
        let wanted = Mutex::new(wanted.into_values().collect::<VecDeque<_>>());
        let next = || {
            let mut wanted = wanted.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.pop_front()
        };
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(images).max(1) {
                scope.spawn(|| {
                    while !interrupted.load(Ordering::Relaxed)
                        && let Some(trial) = next()
                        && let Ok((qemu, prepared)) = self.ready(trial)
                    {
                        let tell = |what| {
                            let image = image_name(trial);
                            told(ImageNews { image, what });
                        };
                        // What went wrong was told, and is told again by the trials.
                        let _ = self
                            .images
                            .get(&qemu, &prepared, &sizes::machine(trial), |news| {
                                tell(state(news));
                            });
                    }
                });
            }
        });
    }

    fn run(&self, trial: &TrialSpec, start: Start, digest: &str, serial_log: &Path) -> Ran {
        let started = Instant::now();
        let mut ran = Ran {
            outcome: Outcome::Infra {
                reason: String::new(),
            },
            provenance: Provenance {
                execlab: env!("CARGO_PKG_VERSION").into(),
                qemu: None,
                command_line: sizes::machine(trial).fixed(),
                initramfs: None,
                monitor: self
                    .monitor(trial)
                    .map(|program| Sha256::of(program).into()),
                toolchain: Some(guest_files::TOOLCHAIN.into()),
            },
            kernel: KernelId {
                name: trial.kernel.clone(),
                release: String::new(),
                sha256: String::new(),
            },
            wall: Duration::ZERO,
            host: BTreeMap::new(),
        };
        ran.outcome = match self.ready(trial) {
            Err(error) => Outcome::Infra {
                reason: error.to_string(),
            },
            Ok((qemu, prepared)) => {
                ran.provenance.qemu = Some(qemu.version.clone());
                ran.provenance.initramfs = Some(prepared.initramfs.sha256.to_string());
                let with = (&qemu, &prepared);
                let came = self.run_guest(trial, start, &nonce(digest), serial_log, with);
                ran.kernel = prepared.kernel;
                outcome(came)
            }
        };
        if let Outcome::Record(record) = &ran.outcome {
            ran.kernel.release.clone_from(&record.release);
        }
        ran.wall = started.elapsed();
        ran
    }
}

fn state(news: News) -> ImageState {
    match news {
        News::Making => ImageState::Making,
        News::There(Made::Found) => ImageState::Found,
        News::There(Made::Now(took)) => ImageState::Made(took),
        News::There(Made::Again(took)) => ImageState::MadeAgain(took),
        News::Failed(reason) => ImageState::Failed(reason),
    }
}

fn outcome(came: Result<Vec<u8>, GuestError>) -> Outcome {
    match came {
        Ok(bytes) => match postcard::take_from_bytes::<Record>(&bytes) {
            Ok((record, [])) => Outcome::Record(Box::new(record)),
            Ok((_, rest)) => Outcome::Lost {
                reason: format!("the guest's record is followed by {} bytes", rest.len()),
            },
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

fn encode(plan: &TrialPlan) -> Vec<u8> {
    postcard::to_allocvec(plan).expect("plain data always encodes")
}

/// The trial's nonce follows from its digest: a record of another trial is not taken for its own,
/// and the guest's bytes are the same each time.
fn nonce(digest: &str) -> Nonce {
    let sum = Sha256::of(digest.as_bytes());
    sum.as_str().as_bytes()[..16]
        .try_into()
        .expect("16 of 64 digits")
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
