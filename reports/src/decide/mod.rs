//! A decision: which way to watch execs meets a list of needs on a list of kernels, by what was measured.
//!
//! The worst case counts. A candidate remains only if each of its trials in scope was completed and meets each need; it
//! falls where a trial shows otherwise, and the trial is named. What was not measured is neither: such a candidate is
//! undecided, and is never recommended. The document is plain data; Markdown and HTML are made of it alone.

mod again;
mod change;
mod choose;
mod judge;
mod kernels;
mod markdown;
mod need;
mod page;
mod scope;
mod words;

use std::collections::BTreeMap;

use execlab_model::{
    exit::ExitCode,
    plan::BackendSpec,
    repeat::Repeat,
    result::{Lab, TrialResult},
    workload::Load,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    bound::{bounded, bounded_repeats},
    text::clean,
};
pub use kernels::{BadKernels, Kernels, Version};
pub use need::{ALIASES, BadNeed, Need};
pub use scope::CannotDecide;

/// Version of the format.
pub const SCHEMA: u32 = 1;

/// What is asked, and what results alone do not say.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// What a candidate must show in every trial.
    pub needs: Vec<Need>,
    /// What it must not ask of those who deploy it.
    pub without: Vec<Property>,
    /// On which kernels; empty for all.
    pub kernels: Vec<Kernels>,
    /// In which scenarios; empty for all.
    pub scenarios: Vec<String>,
    /// Under which loads; empty for all.
    pub loads: Vec<Load>,
    /// What each backend asks of those who deploy it; of one that is not here, nobody knows.
    pub deployments: BTreeMap<BackendSpec, Deployment>,
    /// Scenarios in which something runs in a container.
    pub containers: Vec<String>,
    /// Kernels that could have been measured: nothing is known of those in an asked range that were not.
    pub known_kernels: Vec<String>,
    /// What was run again: what did not repeat is no measurement.
    pub repeats: Vec<Repeat>,
    /// Where the results come from.
    pub sources: Vec<Source>,
    /// The command that asked.
    pub command: String,
}

impl Question {
    /// With nothing that steers a terminal in what is shown of it.
    fn harmless(&self) -> Self {
        let clean_all = |texts: &mut Vec<String>| {
            for text in texts {
                *text = clean(text);
            }
        };
        let mut question = self.clone();
        for Property { name, about } in &mut question.without {
            (*name, *about) = (clean(name), clean(about));
        }
        for Deployment { properties, needs } in question.deployments.values_mut() {
            clean_all(properties);
            clean_all(needs);
        }
        for Source { name, sha256, .. } in &mut question.sources {
            (*name, *sha256) = (clean(name), clean(sha256));
        }
        question.command = clean(&question.command);
        question.repeats = bounded_repeats(&question.repeats).into_owned();
        question
    }
}

/// Something that a way to watch may ask of those who deploy it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Property {
    /// As in `--without`.
    pub name: String,
    /// In words.
    pub about: String,
}

/// All that one way to watch asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Names of properties.
    pub properties: Vec<String>,
    /// What the kernel and the one who runs it must have, in words.
    pub needs: Vec<String>,
}

/// A file of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Source {
    /// As it was named.
    pub name: String,
    /// Of its bytes.
    pub sha256: String,
    /// Its lines.
    pub trials: usize,
}

/// The whole document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What came out.
    pub outcome: Outcome,
    /// What was asked and measured.
    pub context: Context,
    /// By which rule one of several is chosen.
    pub rule: Vec<String>,
    /// The one to take, if there is any.
    pub recommendation: Option<Recommendation>,
    /// Those that meet every need everywhere, the best first.
    pub remain: Vec<Candidate>,
    /// Those that nothing speaks against, but of which something was not measured.
    pub undecided: Vec<Candidate>,
    /// Those that do not meet the needs, with what shows it.
    pub fallen: Vec<Candidate>,
    /// What would change it.
    pub changes: Changes,
    /// How to measure and to decide again.
    pub commands: Vec<Command>,
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// There is one to take.
    Recommended,
    /// Nothing meets the needs, and something would if cost, latency and memory did not matter.
    CostExcludesAll,
    /// Nothing meets the needs.
    NothingMeets,
    /// Nothing is known to meet the needs, and of something it is not known.
    NotMeasured,
}

impl Outcome {
    /// The code to end with.
    pub const fn exit_code(self) -> ExitCode {
        match self {
            Self::Recommended => ExitCode::Ok,
            Self::CostExcludesAll => ExitCode::CostRegressed,
            Self::NothingMeets => ExitCode::AccuracyRegressed,
            Self::NotMeasured => ExitCode::Incomplete,
        }
    }
}

/// What was asked and measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// The needs, in the grammar of `--need`.
    pub needs: Vec<String>,
    /// What may not be asked of a deployment.
    pub without: Vec<Property>,
    /// Kernels in scope: name, release, sha256 of the image.
    pub kernels: Vec<(String, String, String)>,
    /// Kernels that were asked for and could be measured, of which there is no result.
    pub kernels_without_results: Vec<String>,
    /// Workloads in scope, in words.
    pub workloads: Vec<String>,
    /// Scenarios of these in which the container counts.
    pub container_scenarios: Vec<String>,
    /// Where time came from.
    pub lab: Lab,
    /// CPUs, virtual or not.
    pub cpus: u32,
    /// What cost is counted in.
    pub cost_unit: String,
    /// Facts of the run, in words: QEMU, version of execlab, seeds …
    pub facts: Vec<(String, String)>,
    /// Trials in scope that watched.
    pub trials: usize,
    /// Places in which each candidate has to stand: kernels × workloads × seeds.
    pub places: usize,
    /// Where the results come from.
    pub sources: Vec<Source>,
    /// What a reader must mind.
    pub cautions: Vec<String>,
}

/// One way to watch with its settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// `name+variant`.
    pub name: String,
    /// What it asks of those who deploy it; `null` where nobody knows.
    pub deployment: Option<Deployment>,
    /// What its worst trial in scope shows, metric by metric.
    pub figures: Vec<Figure>,
    /// What speaks against it, or is not known.
    pub objections: Vec<Objection>,
}

/// The worst of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Figure {
    /// Its id.
    pub metric: String,
    /// As a number, if it is one.
    pub value: Option<f64>,
    /// For people.
    pub shown: String,
    /// The trial that shows it; `null` where none does.
    pub trial: Option<String>,
    /// Trials in scope that do not say.
    pub missing: usize,
}

/// One reason why a candidate does not remain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Objection {
    /// What it is about.
    pub about: About,
    /// The need or the property; else the status.
    pub what: String,
    /// Whether it speaks against the candidate; else something was not measured.
    pub is_against: bool,
    /// What the worst trial shows, or why it shows nothing.
    pub said: String,
    /// The worst trial, if any was made.
    pub trial: Option<String>,
    /// So many trials show it.
    pub trials: usize,
    /// On these kernels.
    pub kernels: Vec<String>,
}

/// What an objection is about.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// What it asks of those who deploy it.
    Deployment,
    /// It cannot work there, or it ended, or its trial did.
    Status,
    /// A need.
    Need,
    /// There is no trial.
    Absent,
}

/// The one to take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recommendation {
    /// `name+variant`.
    pub candidate: String,
    /// Why, in sentences.
    pub why: Vec<String>,
}

/// What would change it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Changes {
    /// Needs and properties that alone keep something out.
    pub needs: Vec<NeedChange>,
    /// Kernels that alone keep something out, or on which something cannot work; the one on which most cannot work
    /// first.
    pub kernels: Vec<PlaceChange>,
    /// Workloads that alone keep something out, likewise.
    pub workloads: Vec<PlaceChange>,
    /// Of those that fell, which lack least.
    pub nearest: Vec<Near>,
}

/// Without a need or with a looser one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct NeedChange {
    /// The need or the property.
    pub what: String,
    /// What it would let in, the least loosening first.
    pub lets_in: Vec<LetIn>,
}

/// Something that one need alone keeps out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LetIn {
    /// `name+variant`.
    pub candidate: String,
    /// The strictest need that it meets; `null` where the need has to go.
    pub with: Option<String>,
    /// Whether it would then be recommended.
    pub wins: bool,
    /// What it would cost at worst.
    pub cost: Option<String>,
}

/// Without a kernel or a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlaceChange {
    /// Its name.
    pub place: String,
    /// So many candidates have something there that speaks against them.
    pub against: usize,
    /// So many cannot work there.
    pub unsupported: usize,
    /// Those that nothing elsewhere speaks against.
    pub lets_in: Vec<String>,
}

/// One that lacks little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Near {
    /// `name+variant`.
    pub candidate: String,
    /// All that speaks against it.
    pub lacks: Vec<String>,
}

/// Something to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Command {
    /// What it does.
    pub what: String,
    /// As one types it in a shell.
    pub command: String,
}

/// Decides.
pub fn decide(results: &[TrialResult], question: &Question) -> Result<Decision, CannotDecide> {
    let question = &question.harmless();
    let bounded = bounded(results);
    let selected = scope::select(&bounded, question)?;
    let scope = scope::Scope::new(&selected, question)?;
    let judged = judge::judge(&scope, question);
    let chosen = choose::choose(&scope, question, &judged);
    Ok(Decision {
        schema: SCHEMA,
        outcome: chosen.outcome,
        context: scope.context(question),
        rule: choose::rule(question),
        recommendation: chosen.recommendation,
        changes: change::changes(&scope, question, &judged, &chosen.order),
        commands: again::commands(&scope, question, &judged),
        remain: chosen.remain,
        undecided: chosen.undecided,
        fallen: chosen.fallen,
    })
}
