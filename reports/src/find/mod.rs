//! What `execlab find` found: for each question the bounds that trials prove.
//!
//! A question asks where along a line of whole numbers (a life, a burst, a rate) something begins to
//! hold for a backend on a kernel. It need not begin once and for all, and it differs from seed to seed. So a
//! [`Row`] has no one number: it has the lowest value at which it held in any seed, the highest at which it
//! did not, each with the trial that shows it, and the brackets of every seed.

mod show;
mod words;

use execlab_model::plan::BackendSpec;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of `find.json`.
pub const SCHEMA: u32 = 1;

/// `find.json`, and what `execlab find --format json` prints.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Find {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Version of execlab.
    pub execlab: String,
    /// What was asked for: with it the search can be begun again.
    pub asked: Asked,
    /// Whether every question has its answer, as far as it can be had. A search that goes on, or was cut
    /// off, has those so far.
    pub complete: bool,
    /// Trials in `results.jsonl`.
    pub trials: usize,
    /// Versions of QEMU that ran them.
    pub qemu: Vec<String>,
    /// One for each question.
    pub rows: Vec<Row>,
}

impl Find {
    /// How many questions have no answer, or not that of every seed, though nothing is left to search.
    pub fn open_questions(&self) -> usize {
        let is_unanswered = |row: &&Row| match row.state {
            State::Unsupported => false,
            State::Failed => true,
            State::Answered | State::Unfinished => row.seeds.iter().any(|s| s.broken.is_some()),
        };
        self.rows.iter().filter(is_unanswered).count()
    }
}

/// Which experiment.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The life that a process needs to be seen, and to be seen with its right path.
    BlindWindow,
    /// The load at which the first exec is lost, and what a bigger buffer changes of it.
    LossKnee,
    /// The load of a neighbour at which a quiet container loses its first exec.
    Isolation,
}

impl What {
    /// The name used in commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlindWindow => "blind-window",
            Self::LossKnee => "loss-knee",
            Self::Isolation => "isolation",
        }
    }
}

/// What begins to hold as what is varied grows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Question {
    /// With this life, every exec is seen.
    Seen,
    /// With this life, every exec is seen with the best path that the scenario allows.
    RightPath,
    /// With so many execs at once, one is lost.
    Burst,
    /// With so many execs a second, one is lost.
    Rate,
}

impl Question {
    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::RightPath => "right-path",
            Self::Burst => "burst",
            Self::Rate => "rate",
        }
    }

    /// What its values count.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Seen | Self::RightPath => "instructions",
            Self::Burst => "execs at once",
            Self::Rate => "execs a second",
        }
    }
}

/// What a search was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// Which experiment.
    pub what: What,
    /// Names of kernels.
    pub kernels: Vec<String>,
    /// `name` or `name+variant`.
    pub backends: Vec<String>,
    /// Values of a setting, each asked about by itself; the registry's choice where it is `null`, and no
    /// setting where it has no values.
    pub settings: Option<Values>,
    /// Name of the scenario.
    pub workload: String,
    /// Execs in each trial; a burst has as many as come at once.
    pub execs: u32,
    /// How long payloads live where that is not what is varied, in nanoseconds.
    pub lifetime_ns: u64,
    /// First seed, and the one after the last.
    pub seeds: (u64, u64),
    /// How close the bounds of a seed must come, relative to the higher one.
    pub precision: f64,
    /// What is varied, and how far.
    pub questions: Vec<Asking>,
}

/// One question and its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asking {
    /// What is asked.
    pub question: Question,
    /// The lowest value.
    pub least: u64,
    /// The first coarse step above it.
    pub first: u64,
    /// The highest value.
    pub most: u64,
}

/// Values of one setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Values {
    /// Its name.
    pub setting: String,
    /// In the order in which they are shown.
    pub values: Vec<String>,
}

/// How far a question was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Every seed that could be searched was.
    Answered,
    /// The backend cannot work on this kernel; `reason` is the evidence.
    Unsupported,
    /// No seed could be searched; `reason` says what became of the first.
    Failed,
    /// Seeds are still missing.
    Unfinished,
}

/// One question, asked of one backend with one group of settings on one kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// As the user names it.
    pub kernel: String,
    /// `uname -r`, once a guest has told it.
    pub release: Option<String>,
    /// What watches.
    pub backend: BackendSpec,
    /// The setting that differs from row to row, as `name=value`.
    pub setting: Option<String>,
    /// What was asked, and how far.
    pub asking: Asking,
    /// How far it was answered.
    pub state: State,
    /// Why it was not answered.
    pub reason: Option<String>,
    /// The lowest value at which it held, in any seed.
    pub lowest_yes: Option<Proof>,
    /// The highest value at which it did not, in any seed.
    pub highest_no: Option<Proof>,
    /// Median over seeds of the value from which on it held wherever it was asked; `null` where it is
    /// beyond the range.
    pub median: Option<u64>,
    /// What came of each seed.
    pub seeds: Vec<Seed>,
    /// What this group of settings costs; `null` where it was not asked for or not measured.
    pub cost: Option<Cost>,
}

/// A trial that shows what it shows: `execlab replay` runs it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// What was varied had this value in it.
    pub value: u64,
    /// Its seed.
    pub seed: u64,
    /// Its id in `results.jsonl`.
    pub trial: String,
    /// Its digest.
    pub digest: String,
}

/// What came of one seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seed {
    /// Its number.
    pub seed: u64,
    /// The lowest value at which it held.
    pub lowest_yes: Option<Proof>,
    /// The highest value at which it did not.
    pub highest_no: Option<Proof>,
    /// The lowest value from which on it held wherever it was asked.
    pub from_here: Option<u64>,
    /// Whether it held nowhere below a value at which it did not.
    pub monotone: bool,
    /// How many values were asked about.
    pub asked: usize,
    /// Whether its bounds are as close as was asked for.
    pub done: bool,
    /// The trial that ended its search early, and what became of it.
    pub broken: Option<String>,
}

/// What a group of settings costs in a closed storm, with which the monitor keeps up; medians over seeds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cost {
    /// Its scenario.
    pub scenario: String,
    /// Execs in each of the trials.
    pub execs: u32,
    /// How many seeds.
    pub seeds: usize,
    /// Unit of the next field.
    pub unit: String,
    /// What watching adds to an exec.
    pub added_per_exec: f64,
    /// Highest resident set of the monitor. Buffers in the kernel are not in it.
    pub monitor_peak_bytes: Option<u64>,
}

impl Row {
    /// `name+variant`.
    pub fn backend_label(&self) -> String {
        format!("{}+{}", self.backend.name, self.backend.variant)
    }

    /// The seeds in which it held below a value at which it did not.
    pub fn not_monotone(&self) -> impl Iterator<Item = &Seed> {
        self.seeds.iter().filter(|seed| !seed.monotone)
    }

    /// Of all seeds: the lowest that held, the highest that did not, the median.
    #[must_use]
    pub fn summed_up(mut self) -> Self {
        let yes = self.seeds.iter().filter_map(|s| s.lowest_yes.as_ref());
        self.lowest_yes = yes.min_by_key(|p| (p.value, p.seed)).cloned();
        let no = self.seeds.iter().filter_map(|s| s.highest_no.as_ref());
        self.highest_no = no
            .max_by_key(|p| (p.value, std::cmp::Reverse(p.seed)))
            .cloned();
        let mut all: Vec<u64> = self
            .seeds
            .iter()
            .filter(|seed| seed.done)
            .map(|seed| seed.from_here.unwrap_or(u64::MAX))
            .collect();
        all.sort_unstable();
        // The higher of two in the middle: what half of the seeds need, all of it.
        self.median = all.get(all.len() / 2).copied().filter(|&v| v < u64::MAX);
        self
    }
}
