//! What is held: the prediction, the explanations and the table, as they are committed in
//! `conformance/` and built into the program.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use execlab_model::workload::Load;
use serde::Deserialize;

use super::{
    class::Class,
    rules::{BadRule, Cell, RawRule, Rule, over},
    table::{BadTable, Table},
};

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// From which part of techniques.md a scenario's prediction is, by the scenario's name.
    pub scenarios: BTreeMap<String, String>,
    /// Scenarios that have a prediction and are not built yet.
    pub planned: Vec<String>,
    /// Loads of the scenarios that ask for their own; of all others it is [`Load::Closed`].
    pub loads: BTreeMap<String, Load>,
    /// Which backends are measured in which scenarios.
    pub scope: Scope,
    /// What techniques.md predicts; the later rules over the earlier ones.
    pub predictions: Vec<Rule>,
    /// Why what is measured differs from that.
    pub explanations: Vec<Rule>,
    /// What was measured.
    pub table: Table,
}

/// Which backends are measured in which scenarios: some in all of them, all others in those that tell techniques
/// apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Backends that are measured in every scenario; where none is named, all are.
    #[serde(default)]
    pub everywhere: BTreeSet<String>,
    /// Backends that are not measured on all kernels yet.
    #[serde(default)]
    pub planned: BTreeSet<String>,
    /// The scenarios in which all others are measured.
    #[serde(default)]
    pub scenarios: BTreeSet<String>,
    /// Further scenarios of single backends.
    #[serde(default)]
    pub also: BTreeMap<String, BTreeSet<String>>,
}

impl Scope {
    /// Whether a backend is measured in a scenario.
    pub fn holds(&self, backend: &str, scenario: &str) -> bool {
        let also = self.also.get(backend);
        self.everywhere.is_empty()
            || self.everywhere.contains(backend)
            || self.scenarios.contains(scenario)
            || also.is_some_and(|also| also.contains(scenario))
    }
}

/// Rules of one file of `conformance/expected/`, which stand over those of `expected.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFamily {
    #[serde(default)]
    rule: Vec<RawRule>,
}

/// The files of `conformance/expected/`.
const FAMILIES: &[(&str, &str)] = &[
    (
        "accounting.toml",
        include_str!("../../../conformance/expected/accounting.toml"),
    ),
    (
        "audit.toml",
        include_str!("../../../conformance/expected/audit.toml"),
    ),
    (
        "ebpf.toml",
        include_str!("../../../conformance/expected/ebpf.toml"),
    ),
    (
        "fanotify.toml",
        include_str!("../../../conformance/expected/fanotify.toml"),
    ),
    (
        "kmod.toml",
        include_str!("../../../conformance/expected/kmod.toml"),
    ),
    (
        "lsm.toml",
        include_str!("../../../conformance/expected/lsm.toml"),
    ),
    (
        "netlink.toml",
        include_str!("../../../conformance/expected/netlink.toml"),
    ),
    (
        "perf.toml",
        include_str!("../../../conformance/expected/perf.toml"),
    ),
    (
        "polling.toml",
        include_str!("../../../conformance/expected/polling.toml"),
    ),
    (
        "preload.toml",
        include_str!("../../../conformance/expected/preload.toml"),
    ),
    (
        "ptrace.toml",
        include_str!("../../../conformance/expected/ptrace.toml"),
    ),
    (
        "tracefs.toml",
        include_str!("../../../conformance/expected/tracefs.toml"),
    ),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpected {
    #[serde(default)]
    planned: Vec<String>,
    #[serde(default)]
    loads: BTreeMap<String, Load>,
    #[serde(default)]
    scope: Scope,
    scenarios: BTreeMap<String, String>,
    rule: Vec<RawRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExplanations {
    #[serde(default)]
    explanation: Vec<RawRule>,
}

/// A file that cannot be held against anything.
#[derive(Debug, thiserror::Error)]
pub enum BadHeld {
    /// It is no TOML, or has other keys.
    #[error("{file} is no such TOML: {source}")]
    Toml {
        /// Which.
        file: &'static str,
        /// What is wrong.
        source: toml::de::Error,
    },
    /// One of its rules.
    #[error("{file}, rule {number}: {source}")]
    Rule {
        /// Which.
        file: &'static str,
        /// The first is 1.
        number: usize,
        /// What is wrong.
        source: BadRule,
    },
    /// The table.
    #[error("table.toml: {0}")]
    Table(#[from] BadTable),
}

impl Held {
    /// Reads the texts of `expected.toml`, of the files beside it by their names, of `explanations.toml` and of
    /// `table.toml`.
    pub fn parse(
        expected: &str,
        families: &[(&'static str, &str)],
        explanations: &str,
        table: &str,
    ) -> Result<Self, BadHeld> {
        const EXPECTED: &str = "expected.toml";
        const EXPLANATIONS: &str = "explanations.toml";
        let toml = |file| move |source| BadHeld::Toml { file, source };
        let expected: RawExpected = toml::from_str(expected).map_err(toml(EXPECTED))?;
        let explanations: RawExplanations =
            toml::from_str(explanations).map_err(toml(EXPLANATIONS))?;
        let mut predictions = rules(EXPECTED, expected.rule)?;
        for &(file, text) in families {
            let family: RawFamily = toml::from_str(text).map_err(toml(file))?;
            predictions.extend(rules(file, family.rule)?);
        }
        Ok(Self {
            scenarios: expected.scenarios,
            planned: expected.planned,
            loads: expected.loads,
            scope: expected.scope,
            predictions,
            explanations: rules(EXPLANATIONS, explanations.explanation)?,
            table: Table::parse(table)?,
        })
    }

    /// What is committed.
    pub fn committed() -> &'static Self {
        static HELD: OnceLock<Held> = OnceLock::new();
        HELD.get_or_init(|| {
            Self::parse(
                include_str!("../../../conformance/expected.toml"),
                FAMILIES,
                include_str!("../../../conformance/explanations.toml"),
                include_str!("../../../conformance/table.toml"),
            )
            .unwrap_or_else(|error| panic!("conformance/: {error}"))
        })
    }

    /// The names of the files of `conformance/expected/`.
    pub fn families() -> Vec<&'static str> {
        FAMILIES.iter().map(|(name, _)| *name).collect()
    }

    /// On how many of the locked series one artefact of a backend attaches, and of how many: where no scenario was
    /// refused for its sake. `None` where it was not measured.
    pub fn portability(&self, backend: &str) -> Option<(usize, usize)> {
        let of_it = |kernel: &&String| {
            let mut cells = self
                .table
                .iter()
                .filter(|(cell, _)| cell.backend == backend && cell.kernel == kernel.as_str());
            // A scenario that a kernel cannot run says nothing of the backend; it refuses none.
            cells.any(|(_, entry)| entry.class.is_measured())
        };
        let measured = self.table.iter().any(|(cell, _)| cell.backend == backend);
        let kernels = &self.table.kernels;
        measured.then(|| (kernels.iter().filter(of_it).count(), kernels.len()))
    }

    /// The load under which a scenario is measured.
    pub fn load(&self, scenario: &str) -> Load {
        self.loads.get(scenario).copied().unwrap_or(Load::Closed)
    }

    /// What techniques.md predicts of a cell, before it is known whether anything was seen.
    pub fn predicted(&self, cell: Cell<'_>) -> Class {
        over(&self.predictions, cell, Class::resting())
    }

    /// The explanations that are about a cell.
    pub fn explaining<'h>(&'h self, cell: Cell<'h>) -> impl Iterator<Item = &'h Rule> {
        self.explanations
            .iter()
            .filter(move |rule| rule.covers(cell))
    }
}

fn rules(file: &'static str, raw: Vec<RawRule>) -> Result<Vec<Rule>, BadHeld> {
    let read = |(number, raw)| {
        Rule::read(raw).map_err(|source| BadHeld::Rule {
            file,
            number,
            source,
        })
    };
    (1..).zip(raw).map(read).collect()
}
