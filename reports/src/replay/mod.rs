//! What `execlab replay` says: whether the trial came out the same, what was missed in it and what stood around
//! that, and the story of one exec.

mod show;

use execlab_model::{Bytes, repeat::Difference, result::Status, sighting::LossReport};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version of the document.
pub const SCHEMA: u32 = 1;

/// The document. Times are the guest's `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Replay {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run that the trial is of.
    pub run: String,
    /// Which trial.
    pub trial: String,
    /// What came of running it again.
    pub outcome: Outcome,
    /// What the run has; `null` where it has no line of this trial.
    pub before: Option<Print>,
    /// What came back now.
    pub now: Print,
    /// Which inputs are others now than they were.
    pub changed: Vec<Change>,
    /// Where the two lines differ first, if they do.
    pub difference: Option<Difference>,
    /// Why, unless it completed.
    pub reason: Option<String>,
    /// When the storm began; `null` where no record came back.
    pub began_ns: Option<u64>,
    /// What became of execs and sightings; `null` where nobody watched or no record came back.
    pub counts: Option<Counts>,
    /// The monitor's own word of what it lost.
    pub losses: Vec<LossReport>,
    /// The execs that were missed, those side by side together, in the order of their starts.
    pub gaps: Vec<Gap>,
    /// The exec of `--around`.
    pub around: Option<Story>,
    /// The second run, of `--sched`.
    pub sched: Option<Sched>,
    /// Where the timeline was written.
    pub trace: Option<String>,
}

/// What came of running a trial again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The same inputs, and the same to the last bit.
    Same,
    /// The same inputs, and something else came out.
    Differs,
    /// It was made from other inputs: what came out says nothing of whether the trial repeats.
    OtherInputs,
    /// The run has no record of it to hold it against.
    NothingToCompare,
}

/// By what two trials are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Print {
    /// Hash of all inputs.
    pub digest: String,
    /// SHA-256 of the record; `null` where none came back.
    pub record_sha256: Option<String>,
    /// What became of the trial.
    pub status: Status,
}

/// An input that is another one now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Which: `kernel`, `image` …
    pub input: String,
    /// What it was; `null` where the line does not say.
    pub was: Option<String>,
    /// What it is; `null` where there is none.
    pub is: Option<String>,
}

/// What became of execs and sightings.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs, reason = "the words of DESIGN §1")]
pub struct Counts {
    pub execs: u64,
    pub seen: u64,
    pub late: u64,
    pub missed: u64,
    pub duplicates: u64,
    pub phantoms: u64,
    pub foreign: u64,
    /// Seen execs whose path is in the best class that the scenario allows.
    pub best_path: u64,
}

/// Missed execs between which none was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gap {
    /// Their ids, in the order of their starts.
    pub execs: Vec<u32>,
    /// The paths of the first of them.
    pub path: Bytes,
    /// From when the first was made until the last had ended.
    pub window_ns: (u64, u64),
    /// How long their images lived, the shortest and the longest, in nanoseconds.
    pub lived_ns: (u64, u64),
    /// The last exec before them that was told of.
    pub before: Option<u32>,
    /// The first one behind them.
    pub behind: Option<u32>,
    /// Loss reports whose windows touch them: positions in [`Replay::losses`].
    pub losses: Vec<usize>,
}

/// One exec, readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Story {
    /// Its id.
    pub exec: u32,
    /// Its process.
    pub pid: u32,
    /// The canonical path of the executed file.
    pub path: Bytes,
    /// What became of it: `seen`, `late`, `missed`, or `not watched`.
    pub verdict: String,
    /// From the start of its image to the receipt of its sighting; 0 where the monitor had that before.
    pub latency_ns: Option<u64>,
    /// What happened around it, in the order of time.
    pub moments: Vec<Moment>,
    /// What truth says beside what its sighting says.
    pub fields: Vec<Field>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Moment {
    /// When.
    pub at_ns: u64,
    /// Whether it is of the exec itself, and not of what stood around it.
    pub own: bool,
    /// What.
    pub what: String,
}

/// A field of a sighting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Field {
    /// Its name.
    pub field: String,
    /// What truth says.
    pub expected: Bytes,
    /// What the sighting says.
    pub reported: Option<Bytes>,
    /// How the two compare; `null` where there is no sighting.
    pub class: Option<String>,
}

/// A second run with the scheduler's events recorded: perturbed by that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sched {
    /// Why there are no events, or not all.
    pub problem: Option<String>,
    /// Events that came home.
    pub events: u64,
    /// Events that the kernel lost, by its own word.
    pub lost: u64,
    /// Pages of events for which there was no room on the way home.
    pub pages_left_out: u64,
    /// How often a process of the storm was given the CPU.
    pub storm_switches: u64,
    /// How often the monitor was.
    pub monitor_switches: u64,
    /// How often the monitor was woken.
    pub monitor_wakeups: u64,
    /// Execs with another verdict than in the trial; `null` where not the same execs were made.
    pub other_verdicts: Option<u64>,
    /// Figures of the trial beside those of this run.
    pub figures: Vec<Figure>,
}

/// One figure in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// What is counted.
    pub what: String,
    /// In the trial.
    pub trial: u64,
    /// In the perturbed second run.
    pub perturbed: u64,
}
