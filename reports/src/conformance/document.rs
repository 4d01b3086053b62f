//! A run as a conformance table, and what in it contradicts the table that is committed.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    exit::ExitCode,
    plan::{BackendSpec, PROGRAM_PREFIX},
    result::{Lab, Status, TrialResult},
    workload::Spawn,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    class::{Class, Measured},
    facet::Facet,
    held::Held,
    kernels::series,
    rules::Cell,
    settle::{Standing, settle, standing},
    table::Table,
};
use crate::{bound::bounded, text::clean};

/// Version of the format.
const SCHEMA: u32 = 1;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conformance {
    /// 1.
    pub schema: u32,
    /// Series of the kernels, the oldest first.
    pub kernels: Vec<String>,
    /// Names of the backends, in their order.
    pub backends: Vec<String>,
    /// One for each class of a scenario and a backend.
    pub rows: Vec<Row>,
    /// Where the run shows otherwise than the committed table says.
    pub contradictions: Vec<Contradiction>,
    /// Cells of which the committed table says nothing.
    pub unheld: Vec<CellName>,
    /// Trials that are no measurement.
    pub unmeasured: Vec<Unmeasured>,
    /// How many cells were compared with the committed table.
    pub compared: usize,
    /// Trials with a monitor that were run in another manner, and are not in the table.
    pub left_out: usize,
    /// The same as [`Self::rows`], as the file to be committed.
    #[serde(skip)]
    pub(super) table: Table,
}

/// What was measured of a scenario and a backend, on the kernels that agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the backend.
    pub backend: String,
    /// Series of the kernels.
    pub kernels: Vec<String>,
    /// By the name of the facet; one that has nothing to say is not there.
    pub class: BTreeMap<String, String>,
    /// The same without what is as good as it can be, for people.
    pub brief: String,
    /// Why nothing was measured, in the guest's words.
    pub evidence: Option<String>,
    /// What techniques.md predicts, where that is otherwise, by the name of the facet.
    pub predicted: BTreeMap<String, String>,
    /// Why it is otherwise.
    pub why: Vec<String>,
    /// Facets that are otherwise, and nobody said why.
    pub unexplained: Vec<String>,
}

/// A cell by its names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct CellName {
    /// Name of the scenario.
    pub scenario: String,
    /// Name of the backend.
    pub backend: String,
    /// Series of the kernel.
    pub kernel: String,
}

/// A facet of a cell that is otherwise than in the committed table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Contradiction {
    /// Which cell.
    #[serde(flatten)]
    pub cell: CellName,
    /// Name of the facet.
    pub facet: String,
    /// What the committed table says.
    pub held: String,
    /// What the run shows.
    pub found: String,
}

/// A trial that is no measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unmeasured {
    /// Its name.
    pub trial: String,
    /// Its status.
    pub status: Status,
}

/// Makes the table of a run, and holds it against what is committed.
pub fn conformance(results: &[TrialResult], held: &Held) -> Conformance {
    of_bounded(&bounded(results), held)
}

/// As [`conformance`], of results none of which is too large.
pub(crate) fn of_bounded(results: &[TrialResult], held: &Held) -> Conformance {
    let mut found = Found::default();
    for trial in results.iter().filter(|trial| trial.is_watched()) {
        found.take(trial, held);
    }
    found.unmeasured.sort_by(|a, b| a.trial.cmp(&b.trial));
    let mut table = Table::default();
    let mut contradictions = Vec::new();
    let mut unheld = Vec::new();
    let mut of_users = 0;
    for ((scenario, backend, kernel), (measured, evidence)) in &found.cells {
        let cell = Cell {
            scenario,
            backend,
            kernel,
        };
        table.put(cell, settle(held, cell, measured), evidence.as_deref());
        match held.table.get(cell) {
            Some(entry) => contradictions.extend(contradicted(cell, &entry.class, measured)),
            None if backend.starts_with(PROGRAM_PREFIX) => of_users += 1,
            None => unheld.push(CellName::of(cell)),
        }
    }
    let backends: BTreeSet<&str> = found.cells.keys().map(|(_, b, _)| b.as_str()).collect();
    Conformance {
        schema: SCHEMA,
        kernels: table.kernels.clone(),
        backends: backends.into_iter().map(str::to_owned).collect(),
        rows: rows(held, &table),
        contradictions,
        compared: found.cells.len() - unheld.len() - of_users,
        unheld,
        unmeasured: found.unmeasured,
        left_out: found.left_out,
        table,
    }
}

/// What a run has of each cell.
#[derive(Default)]
struct Found {
    cells: BTreeMap<(String, String, String), (Measured, Option<String>)>,
    unmeasured: Vec<Unmeasured>,
    left_out: usize,
}

impl Found {
    fn take(&mut self, trial: &TrialResult, held: &Held) {
        let Some(kernel) = series(&trial.kernel).filter(|_| is_conforming(trial, held)) else {
            self.left_out += 1;
            return;
        };
        let Some(measured) = Measured::of(trial) else {
            self.unmeasured.push(Unmeasured {
                trial: clean(&trial.trial),
                status: trial.status,
            });
            return;
        };
        let name = (
            clean(&trial.workload.scenario),
            clean(&trial.backend.name),
            kernel.to_owned(),
        );
        match self.cells.get_mut(&name) {
            Some((seeds, evidence)) => {
                *seeds = seeds.and(&measured);
                // Of several, always the same one, in whatever order they ended.
                let both = [evidence.take(), trial.reason.clone()];
                *evidence = both.into_iter().flatten().min();
            }
            None => {
                self.cells.insert(name, (measured, trial.reason.clone()));
            }
        }
    }
}

/// Whether a trial was run in the manner that the table is about: the exact lab, every setting as it
/// comes, execs one after the other unless the scenario is made for another load.
fn is_conforming(trial: &TrialResult, held: &Held) -> bool {
    let workload = &trial.workload;
    trial.lab == Lab::Exact
        && trial.cpus == 1
        && trial.backend.variant == BackendSpec::DEFAULT
        && workload.load == held.load(&workload.scenario)
        && workload.lifetime_ns == 0
        && workload.spawn == Spawn::default()
        && workload.population == 0
}

fn contradicted<'a>(
    cell: Cell<'a>,
    held: &'a Class,
    measured: &'a Measured,
) -> impl Iterator<Item = Contradiction> + 'a {
    let found = Class::measured(measured);
    Facet::ALL
        .into_iter()
        .filter(|facet| !held.of(*facet).holds(measured.facet(*facet)))
        .map(move |facet| Contradiction {
            cell: CellName::of(cell),
            facet: facet.to_string(),
            held: held.of(facet).text(facet),
            found: found.of(facet).text(facet),
        })
}

/// Kernels that agree in class, and in what is to be said of it, share a row.
fn rows(held: &Held, table: &Table) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (cell, entry) in table.iter() {
        let Standing {
            differs,
            why,
            unexplained,
        } = standing(held, cell, &entry.class);
        let said = Facet::ALL.into_iter().filter_map(|facet| {
            let words = entry.class.words(facet)?;
            Some((facet.to_string(), words))
        });
        let row = Row {
            scenario: cell.scenario.to_owned(),
            backend: cell.backend.to_owned(),
            kernels: vec![cell.kernel.to_owned()],
            class: said.collect(),
            brief: entry.class.brief(),
            evidence: entry.evidence.clone(),
            predicted: differs
                .into_iter()
                .map(|(facet, words)| (facet.to_string(), words))
                .collect(),
            why,
            unexplained: unexplained.iter().map(ToString::to_string).collect(),
        };
        let same = rows.iter_mut().rev().find(|known| known.agrees(&row));
        match same {
            Some(known) => known.kernels.extend(row.kernels),
            None => rows.push(row),
        }
    }
    rows
}

impl Row {
    /// Whether two rows differ in nothing but their kernels, and in what guests said.
    fn agrees(&self, other: &Self) -> bool {
        let named = |row: &Self| (row.scenario.clone(), row.backend.clone());
        named(self) == named(other)
            && self.class == other.class
            && self.predicted == other.predicted
            && self.why == other.why
            && self.unexplained == other.unexplained
    }
}

impl CellName {
    fn of(cell: Cell<'_>) -> Self {
        Self {
            scenario: cell.scenario.to_owned(),
            backend: cell.backend.to_owned(),
            kernel: cell.kernel.to_owned(),
        }
    }
}

impl Conformance {
    /// Whether the run says anything about any cell.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As the file `table.toml`; `None` where a trial is no measurement, since a
    /// table with a gap would hold nothing there.
    pub fn toml(&self) -> Option<String> {
        self.unmeasured.is_empty().then(|| self.table.toml())
    }

    /// The committed table with what was measured in the place of its own rows; `None` as in [`Self::toml`].
    pub fn renewed(&self, held: &Held) -> Option<String> {
        let whole = self.unmeasured.is_empty();
        whole.then(|| held.table.renewed_by(&self.table).toml())
    }

    /// The code to end with when the run is held against the committed table.
    pub fn exit_code(&self) -> ExitCode {
        let of = |status| match status {
            Status::Lost => ExitCode::GuestLost,
            _ => ExitCode::Incomplete,
        };
        let statuses = self.unmeasured.iter().map(|trial| of(trial.status));
        let mut code = statuses.fold(ExitCode::Ok, ExitCode::and);
        if !self.contradictions.is_empty() {
            code = code.and(ExitCode::AccuracyRegressed);
        }
        if self.compared == 0 {
            code = code.and(ExitCode::NoBaseline);
        }
        code
    }
}
