//! Two runs of one lab: what became worse, better, new, or went missing, and since which input.
//!
//! A row is all seeds of one trial. Each is judged by the measures of [`measure::MEASURES`] against the limits of a
//! [`Policy`]; what can be said of a row is one [`Verdict`], and from the verdicts follows the exit code. Nothing is
//! passed over: a row that only one of the runs has, and one that cannot be compared, are verdicts too.

mod cells;
mod figures;
mod inputs;
mod interleaved;
mod judge;
mod junit;
pub mod measure;
pub mod policy;
mod show;
pub mod spread;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    exit::ExitCode,
    repeat::Repeat,
    result::{Lab, Status, TrialResult},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use inputs::{Change, Input};
pub use interleaved::{NoSuchBackend, interleaved};
pub use junit::junit;
pub use measure::Group;
pub use policy::{BadPolicy, Policy};

use self::{
    cells::{Cell, pairs},
    judge::Design,
};
use crate::{
    bound::{bounded, bounded_repeats},
    repeat::Repeatability,
    text::clean,
};

/// Version of the format.
pub const SCHEMA: u32 = 1;

/// One of the two runs, as it is handed in.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// What it is called: a path, or the name of a baseline.
    pub name: &'a str,
    /// Its lines, with one for each trial of its plan that has no result.
    pub results: &'a [TrialResult],
    /// What of it was run again.
    pub repeats: &'a [Repeat],
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Gate {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What is compared with.
    pub base: Side,
    /// What is judged.
    pub new: Side,
    /// The worst of all rows.
    pub verdict: Verdict,
    /// What the command ends with, if nothing else is wrong.
    pub exit_code: u8,
    /// How many rows have which verdict.
    pub counts: BTreeMap<Verdict, usize>,
    /// One for each row that either of the two has.
    pub rows: Vec<Row>,
    /// What holds for all of it, in sentences.
    pub notes: Vec<String>,
    /// What it was judged by.
    pub policy: Policy,
}

/// What is known of one of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Side {
    /// As it was named.
    pub name: String,
    /// Labs of its trials.
    pub labs: Vec<Lab>,
    /// Kernels, each with its release.
    pub kernels: Vec<(String, String)>,
    /// Versions of QEMU.
    pub qemu: Vec<String>,
    /// Versions of execlab.
    pub execlab: Vec<String>,
    /// How many trials.
    pub trials: usize,
}

/// What is said of a row or of one figure in it, the best first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No more than the limits allow.
    Unchanged,
    /// Better.
    Improved,
    /// The policy says that it is not to be judged.
    Ignored,
    /// Not in the base.
    New,
    /// Whether it changed by more than the limit is not to be told with so many seeds.
    Unclear,
    /// Worse, but the runs were not made in turn on a machine that drifts.
    Suspected,
    /// Worse.
    Regressed,
    /// The base is no base for it: other inputs, too few boots, or its own trials failed.
    NotComparable,
    /// Made from the same inputs, and not the same.
    Nondeterministic,
    /// In the base, and not here.
    Disappeared,
    /// A trial failed or has no result.
    Incomplete,
    /// A guest was lost.
    Lost,
}

impl Verdict {
    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Improved => "improved",
            Self::Ignored => "ignored",
            Self::New => "new",
            Self::Unclear => "unclear",
            Self::Suspected => "suspected",
            Self::Regressed => "regressed",
            Self::NotComparable => "not-comparable",
            Self::Nondeterministic => "nondeterministic",
            Self::Disappeared => "disappeared",
            Self::Incomplete => "incomplete",
            Self::Lost => "lost",
        }
    }
}

/// One row of both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// `6.1/netlink+default/relative/closed`.
    pub cell: String,
    /// The worst of what follows.
    pub verdict: Verdict,
    /// What it alone would end the command with.
    pub exit_code: u8,
    /// Seeds in the base, in the new run, and in both.
    pub seeds: Seeds,
    /// What became of the row's trials, in the base and in the new run.
    pub status: (Option<Status>, Option<Status>),
    /// Inputs that are not the same.
    pub changed: Vec<Change>,
    /// One for each measure that either has a figure of.
    pub findings: Vec<Finding>,
    /// Why, where no figure says it.
    pub why: Vec<String>,
    /// Reasons of the policy's exceptions that hold for it.
    pub exceptions: Vec<String>,
}

/// How many trials a row has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Seeds {
    /// In the base.
    pub base: usize,
    /// In the new run.
    pub new: usize,
    /// Of the same seed in both; where there is one, only these are compared.
    pub common: usize,
}

/// One figure of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which one: an id of the table of measures.
    pub metric: String,
    /// What kind of change it shows.
    pub group: Group,
    /// What is said of it.
    pub verdict: Verdict,
    /// Mean over the seeds of the base.
    pub base: Option<f64>,
    /// Mean over the seeds of the new run.
    pub new: Option<f64>,
    /// New less base.
    pub difference: Option<f64>,
    /// The same as a share of the base.
    pub relative: Option<f64>,
    /// Where the difference comes from.
    pub parts: Option<Parts>,
    /// A difference up to this is no change.
    pub limit: f64,
    /// What the seeds alone may make, in the exact lab; a change shows from the larger of this and the limit on.
    pub noise: Option<f64>,
    /// How many seeds it takes until the noise is below the limit, where it is not.
    pub seeds_wanted: Option<u64>,
    /// The share of arrangements that are as far apart, in the other labs.
    pub p: Option<f64>,
    /// For people.
    pub words: String,
}

/// Where a difference of cost comes from, in the unit of cost per exec.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Parts {
    /// What the workload pays itself.
    pub inline: f64,
    /// What the monitor uses.
    pub monitor: f64,
    /// What neither of them does.
    pub rest: f64,
}

/// Compares two runs of one lab.
pub fn gate(base: Run<'_>, new: Run<'_>, policy: &Policy) -> Gate {
    between(base, new, policy, Design::Separate)
}

fn between(base: Run<'_>, new: Run<'_>, policy: &Policy, design: Design) -> Gate {
    let (old_lines, new_lines) = (bounded(base.results), bounded(new.results));
    let (old_cells, new_cells) = (Cell::all(&old_lines), Cell::all(&new_lines));
    let rows: Vec<Row> = pairs(&old_cells, &new_cells)
        .into_iter()
        .map(|pair| judge::row(pair, policy, design))
        .collect();
    let mut counts = BTreeMap::new();
    for row in &rows {
        *counts.entry(row.verdict).or_default() += 1;
    }
    let mut code = rows.iter().fold(ExitCode::Ok, |code, row| {
        code.and(judge::code_of(row.exit_code))
    });
    let mut verdict = rows.iter().map(|r| r.verdict).max();
    let mut notes = Vec::new();
    let repeats = Repeatability::new(&old_lines, &bounded_repeats(base.repeats));
    if !repeats.differing.is_empty() {
        code = code.and(ExitCode::NoBaseline);
        verdict = verdict.max(Some(Verdict::NotComparable));
        let of_base = |warning| format!("the base is none: {warning}");
        notes.extend(repeats.warnings().into_iter().map(of_base));
    }
    let repeats = Repeatability::new(&new_lines, &bounded_repeats(new.repeats));
    if repeats.exit_code() != ExitCode::Ok {
        code = code.and(repeats.exit_code());
        verdict = verdict.max(Some(if repeats.failed > 0 {
            Verdict::Incomplete
        } else {
            Verdict::Nondeterministic
        }));
        notes.extend(repeats.warnings());
    }
    if rows.is_empty() {
        code = code.and(ExitCode::NoBaseline);
        notes.push("there is nothing in either of them".to_owned());
    }
    let mut gate = Gate {
        schema: SCHEMA,
        base: side(base.name, &old_lines),
        new: side(new.name, &new_lines),
        verdict: verdict.unwrap_or(Verdict::NotComparable),
        exit_code: code.code(),
        counts,
        rows,
        notes,
        policy: policy.clone(),
    };
    let more = words::notes(&gate, design);
    gate.notes.extend(more);
    gate
}

impl Gate {
    /// What the command ends with.
    pub fn exit_code(&self) -> ExitCode {
        judge::code_of(self.exit_code)
    }
}

fn side(name: &str, lines: &[TrialResult]) -> Side {
    let all = |of: &dyn Fn(&TrialResult) -> Option<String>| -> Vec<String> {
        let found: BTreeSet<String> = lines.iter().filter_map(of).collect();
        found.iter().map(|text| clean(text)).collect()
    };
    let labs: BTreeSet<&str> = lines.iter().map(|l| l.lab.as_str()).collect();
    let kernels: BTreeSet<(String, String)> = lines
        .iter()
        .map(|l| (clean(&l.kernel.name), clean(&l.kernel.release)))
        .filter(|(_, release)| !release.is_empty())
        .collect();
    Side {
        name: clean(name),
        labs: Lab::ALL
            .into_iter()
            .filter(|l| labs.contains(l.as_str()))
            .collect(),
        kernels: kernels.into_iter().collect(),
        qemu: all(&|l| l.provenance.qemu.clone()),
        execlab: all(&|l| Some(l.provenance.execlab.clone()).filter(|v| !v.is_empty())),
        trials: lines.len(),
    }
}
