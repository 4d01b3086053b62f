//! A laboratory without machines: records made from a generated truth, with planted trouble.
//!
//! Trouble is planted by rules `NAME[=NUMBER]@TEXT`, divided by `;`. A rule holds for every trial
//! whose id contains TEXT (or for all, where TEXT is empty):
//!
//! | rule | what happens |
//! |---|---|
//! | `lose` | the guest is lost |
//! | `infra`, `infra-once` | the host's side breaks, each time or the first time |
//! | `panic` | the laboratory panics |
//! | `slow=MS` | a try takes that long |
//! | `unsupported`, `backend-failed` | as the status says |
//! | `drop=N` | every Nth exec is not seen |
//! | `basename=N` | every Nth sighting has only the last component of its path |
//! | `dearer=N` | the storm costs N more |
//! | `blind=NS` | execs that live shorter are not seen |
//! | `hasty=NS` | execs that live shorter are seen without a path |
//! | `room=N` | of more than N at once, or a second, those behind the first N are not seen |
//! | `jitter` | no two tries cost the same |
//! | `again=N` | each try after the first costs N more |
//! | `cold=N` | a cold start costs N more |
//! | `stall=N` | the storm takes N ns longer by the clock than it is busy |
//! | `unsettled` | the kernel did not settle |
//! | `image=MS` | the image takes that long to make; without this rule it is found |
//! | `no-image` | the image cannot be made, and warm starts break |
//! | `lacks` | the check before the first boot fails |
//! | `changed` | the digest is another one, as if an input had changed |

pub(super) mod record;
pub(crate) mod sched;

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
    str::FromStr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use execlab_model::{
    record::GuestStatus,
    result::{KernelId, Provenance},
};
use execlab_reports::doubts::UNSETTLED;
use execlab_vm::digest::Sha256;

use super::{ImageNews, ImageState, LabError, Laboratory, Outcome, Ran, Start, image_name};
use crate::plan::TrialSpec;

/// See the module.
#[derive(Debug, Default)]
pub struct FakeLab {
    rules: Vec<Rule>,
    tries: Mutex<HashMap<String, u32>>,
    jitter: AtomicU64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    kind: Kind,
    number: u64,
    on: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Lose,
    Infra,
    InfraOnce,
    Panic,
    Slow,
    Unsupported,
    BackendFailed,
    Drop,
    Basename,
    Dearer,
    Blind,
    Hasty,
    Room,
    Jitter,
    Again,
    Cold,
    Stall,
    Unsettled,
    Image,
    NoImage,
    Lacks,
    Changed,
}

/// A text that is no rule of a fake laboratory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rule of the fake laboratory")]
pub struct BadRule(String);

impl FromStr for Rule {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let bad = || BadRule(text.to_owned());
        let (rule, on) = text.split_once('@').ok_or_else(bad)?;
        let (name, number) = match rule.split_once('=') {
            Some((name, number)) => (name, number.parse().map_err(|_| bad())?),
            None => (rule, 0),
        };
        let kind = match name {
            "lose" => Kind::Lose,
            "infra" => Kind::Infra,
            "infra-once" => Kind::InfraOnce,
            "panic" => Kind::Panic,
            "slow" => Kind::Slow,
            "unsupported" => Kind::Unsupported,
            "backend-failed" => Kind::BackendFailed,
            "drop" => Kind::Drop,
            "basename" => Kind::Basename,
            "dearer" => Kind::Dearer,
            "blind" => Kind::Blind,
            "hasty" => Kind::Hasty,
            "room" => Kind::Room,
            "jitter" => Kind::Jitter,
            "again" => Kind::Again,
            "cold" => Kind::Cold,
            "stall" => Kind::Stall,
            "unsettled" => Kind::Unsettled,
            "image" => Kind::Image,
            "no-image" => Kind::NoImage,
            "lacks" => Kind::Lacks,
            "changed" => Kind::Changed,
            _ => return Err(bad()),
        };
        Ok(Self {
            kind,
            number,
            on: on.to_owned(),
        })
    }
}

impl FromStr for FakeLab {
    type Err = BadRule;

    fn from_str(text: &str) -> Result<Self, BadRule> {
        let rules: Result<_, _> = text
            .split(';')
            .filter(|r| !r.is_empty())
            .map(str::parse)
            .collect();
        Ok(Self {
            rules: rules?,
            ..Self::default()
        })
    }
}

impl FakeLab {
    fn rule(&self, kind: Kind, trial: &TrialSpec) -> Option<u64> {
        self.rules
            .iter()
            .find(|r| r.kind == kind && trial.id.contains(&r.on))
            .map(|r| r.number)
    }

    /// How often this trial was tried before.
    fn tried(&self, trial: &TrialSpec) -> u32 {
        let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
        let before = tries.entry(trial.id.clone()).or_default();
        *before += 1;
        *before - 1
    }

    fn provenance(&self, trial: &TrialSpec) -> Provenance {
        let changed = self.rule(Kind::Changed, trial);
        Provenance {
            execlab: env!("CARGO_PKG_VERSION").to_owned(),
            initramfs: changed.map(|number| format!("planted {number}")),
            ..Provenance::default()
        }
    }

    fn outcome(&self, trial: &TrialSpec, start: Start, first: bool) -> Outcome {
        let rule = |kind| self.rule(kind, trial);
        if rule(Kind::Lose).is_some() {
            return Outcome::Lost {
                reason: "kernel panic: planted".to_owned(),
            };
        }
        if rule(Kind::Infra).is_some() || (first && rule(Kind::InfraOnce).is_some()) {
            return Outcome::Infra {
                reason: "the machine did not start: planted".to_owned(),
            };
        }
        let status = if rule(Kind::Unsupported).is_some() {
            GuestStatus::Unsupported("planted: this kernel has no such thing".to_owned())
        } else if rule(Kind::BackendFailed).is_some() {
            GuestStatus::BackendFailed("planted: the monitor died by signal 11".to_owned())
        } else {
            GuestStatus::Completed
        };
        if start == Start::Warm && rule(Kind::NoImage).is_some() {
            return Outcome::Infra {
                reason: "there is no image to start from: planted".to_owned(),
            };
        }
        let planted = [
            (Kind::Dearer, true),
            (Kind::Again, !first),
            (Kind::Cold, start == Start::Cold),
        ];
        let mut extra: u64 = planted
            .into_iter()
            .filter_map(|(kind, applies)| rule(kind).filter(|_| applies))
            .sum();
        if rule(Kind::Jitter).is_some() {
            extra += self.jitter.fetch_add(1, Ordering::Relaxed);
        }
        let misses = record::Misses {
            drop_every: rule(Kind::Drop).unwrap_or(0),
            blind_ns: rule(Kind::Blind).unwrap_or(0),
            hasty_ns: rule(Kind::Hasty).unwrap_or(0),
            room: rule(Kind::Room),
        };
        let mut record = record::of(trial, status, &misses, extra);
        record::shorten(&mut record, rule(Kind::Basename).unwrap_or(0));
        record.costs.storm.wall_ns += rule(Kind::Stall).unwrap_or(0);
        if rule(Kind::Unsettled).is_some() {
            record.notes.push(format!("{UNSETTLED}: planted"));
        }
        Outcome::Record(Box::new(record))
    }
}

impl Laboratory for FakeLab {
    fn check(&self, trials: &[TrialSpec]) -> Result<(), LabError> {
        match trials.iter().find(|t| self.rule(Kind::Lacks, t).is_some()) {
            None => Ok(()),
            Some(trial) => Err(LabError {
                what: format!("no machine for the trial {}: planted", trial.id),
                remedy: "take the rule `lacks` away".to_owned(),
                source: None,
            }),
        }
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        // Names of trial and variant are no inputs of a guest; everything else is.
        let inputs = (
            &trial.kernel,
            &trial.backend.name,
            &trial.backend.settings,
            &trial.boot,
            &trial.workload,
            trial.seed,
            self.rule(Kind::Changed, trial),
        );
        let json = serde_json::to_vec(&inputs).expect("plain data always encodes");
        Ok(Sha256::of(&json).into())
    }

    fn inputs(&self, trial: &TrialSpec) -> Result<(KernelId, Provenance), LabError> {
        Ok((kernel(trial), self.provenance(trial)))
    }

    fn has_images(&self) -> bool {
        true
    }

    fn warm_up(
        &self,
        trials: &[TrialSpec],
        _jobs: usize,
        interrupted: &AtomicBool,
        told: &(dyn Fn(ImageNews) + Sync),
    ) {
        let images: BTreeMap<_, _> = trials
            .iter()
            .map(|trial| ((&trial.kernel, &trial.boot), trial))
            .collect();
        for trial in images.into_values() {
            if interrupted.load(Ordering::Relaxed) {
                return;
            }
            let image = image_name(trial);
            let tell = |what| {
                told(ImageNews {
                    image: image.clone(),
                    what,
                });
            };
            if self.rule(Kind::NoImage, trial).is_some() {
                tell(ImageState::Failed("planted".to_owned()));
            } else if let Some(ms) = self.rule(Kind::Image, trial) {
                let time = Duration::from_millis(ms);
                tell(ImageState::Making);
                std::thread::sleep(time);
                tell(ImageState::Made(time));
            } else {
                tell(ImageState::Found);
            }
        }
    }

    fn run(&self, trial: &TrialSpec, start: Start, _digest: &str, serial_log: &Path) -> Ran {
        let first = self.tried(trial) == 0;
        if let Some(ms) = self.rule(Kind::Slow, trial) {
            std::thread::sleep(Duration::from_millis(ms));
        }
        assert!(self.rule(Kind::Panic, trial).is_none(), "planted");
        // A log that cannot be written is no reason to lose what the trial showed.
        let _ = std::fs::write(serial_log, format!("fake guest for {}\n", trial.id));
        Ran {
            outcome: self.outcome(trial, start, first),
            provenance: self.provenance(trial),
            kernel: kernel(trial),
            sched: sched::of(trial).map(Box::new),
            wall: Duration::from_millis(self.rule(Kind::Slow, trial).unwrap_or(1)),
            host: BTreeMap::new(),
        }
    }
}

fn kernel(trial: &TrialSpec) -> KernelId {
    KernelId {
        name: trial.kernel.clone(),
        release: format!("{}.0-fake", trial.kernel),
        sha256: "0".repeat(64),
    }
}
