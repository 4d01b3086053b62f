//! The exact lab: one virtual CPU of QEMU's TCG, on which one guest instruction is one nanosecond.

use std::{
    collections::{BTreeMap, VecDeque, btree_map::Entry},
    path::Path,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use execlab_model::{
    Bytes,
    frame::Nonce,
    plan::{Timing, TrialPlan},
    result::{KernelId, Provenance},
    sched::SCHED_TRACE,
};
use execlab_vm::{
    digest::Sha256,
    guest::{self, Guest, GuestError},
    kernels::{FetchEvent, Store},
    qemu::{Engine, Machine, Qemu},
    warm::Made,
};

use self::images::{Images, News};
use super::{
    ImageNews, ImageState, LabError, Laboratory, Outcome, Ran, Start, guest_files,
    guests::{self, Pantry, Prepared, encode, nonce, outcome, outcome_with_sched, sizes},
    image_name,
};
use crate::plan::TrialSpec;

mod images;
mod sabotage;

pub use sabotage::{BadSabotage, Sabotage};

/// Everything that trials need on this host.
pub struct ExactLab {
    pantry: Pantry,
    images: Images,
    sabotage: Sabotage,
    ready: Mutex<Ready>,
}

/// What [`Laboratory::check`] found.
#[derive(Default)]
struct Ready {
    qemu: Option<Qemu>,
    kernels: BTreeMap<Key, Prepared>,
}

/// A kernel's name, and which rule of the [`Sabotage`] changes its guest's files, if one does.
type Key = (String, Option<usize>);

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
            images: Images::new(store.cache_dir().join("warm")),
            sabotage: Sabotage::default(),
            pantry: Pantry::new(store, progress),
            ready: Mutex::default(),
        }
    }

    /// With other programs in some guests, for tests.
    #[must_use]
    pub fn sabotaged(self, sabotage: Sabotage) -> Self {
        Self { sabotage, ..self }
    }

    /// With so many bytes more in each guest's image, which nothing reads: whatever that changes is no change of a
    /// backend.
    #[must_use]
    pub fn padded(mut self, bytes: usize) -> Self {
        self.pantry.pad(bytes);
        self
    }

    fn key(&self, trial: &TrialSpec) -> Key {
        (trial.kernel.clone(), self.sabotage.of_init(trial))
    }

    fn prepare(&self, (name, rule): &Key) -> Result<Prepared, LabError> {
        let init = rule.map_or(guest_files::INIT, |rule| self.sabotage.program(rule));
        self.pantry.prepare_with(name, init)
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

    /// What is known of a try before anything of it is.
    fn blank(&self, trial: &TrialSpec) -> Ran {
        let mut ran = guests::blank(trial, &machine(trial));
        if let Some(program) = self.sabotage.monitor(trial) {
            ran.provenance.monitor = Some(Sha256::of(program).into());
        }
        ran
    }

    fn plan(&self, trial: &TrialSpec) -> TrialPlan {
        let plan = self.pantry.plan(trial, Timing::EXACT);
        match self.sabotage.monitor(trial) {
            None => plan,
            Some(program) => TrialPlan {
                monitor: Bytes(program.to_vec()),
                ..plan
            },
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
        let machine = machine(trial);
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
            if let Entry::Vacant(none) = kernels.entry(self.key(trial)) {
                let prepared = self.prepare(none.key())?;
                none.insert(prepared);
            }
            self.pantry.stock(trial)?;
        }
        *self.ready.lock().unwrap_or_else(PoisonError::into_inner) = Ready {
            qemu: Some(qemu),
            kernels,
        };
        Ok(())
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        let (qemu, prepared) = self.ready(trial)?;
        let machine = machine(trial);
        Ok(guests::digest(
            &qemu,
            &prepared,
            &machine,
            &self.plan(trial),
        ))
    }

    fn inputs(&self, trial: &TrialSpec) -> Result<(KernelId, Provenance), LabError> {
        let (qemu, prepared) = self.ready(trial)?;
        let mut ran = self.blank(trial);
        tell_inputs(&mut ran, &qemu, &prepared);
        Ok((ran.kernel, ran.provenance))
    }

    fn memory_bytes(&self, trial: &TrialSpec) -> u64 {
        guests::memory_bytes(&machine(trial))
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
            .map(|trial| ((&trial.kernel, machine(trial).fixed()), trial))
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
                        let _ = self.images.get(&qemu, &prepared, &machine(trial), |news| {
                            tell(state(news));
                        });
                    }
                });
            }
        });
    }

    fn run(&self, trial: &TrialSpec, start: Start, digest: &str, serial_log: &Path) -> Ran {
        let started = Instant::now();
        let mut ran = self.blank(trial);
        match self.ready(trial) {
            Err(error) => {
                ran.outcome = Outcome::Infra {
                    reason: error.to_string(),
                }
            }
            Ok((qemu, prepared)) => {
                tell_inputs(&mut ran, &qemu, &prepared);
                let with = (&qemu, &prepared);
                let came = || self.run_guest(trial, start, &nonce(digest), serial_log, with);
                match prepared.cannot_run(trial) {
                    Some(cannot) => ran.outcome = cannot,
                    None if trial.backend.settings.contains_key(SCHED_TRACE) => {
                        (ran.outcome, ran.sched) = outcome_with_sched(came());
                    }
                    None => ran.outcome = outcome(came()),
                }
            }
        }
        if let Outcome::Record(record) = &ran.outcome {
            ran.kernel.release.clone_from(&record.release);
        }
        ran.wall = started.elapsed();
        ran
    }
}

fn tell_inputs(ran: &mut Ran, qemu: &Qemu, prepared: &Prepared) {
    ran.provenance.qemu = Some(qemu.version.clone());
    ran.provenance.initramfs = Some(prepared.initramfs.sha256.to_string());
    ran.kernel = prepared.kernel.clone();
}

fn machine(trial: &TrialSpec) -> Machine {
    sizes::machine(trial, Engine::Counting)
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
