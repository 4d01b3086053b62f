//! The table that is committed: a class for each backend × scenario × kernel.
//!
//! ```toml
//! kernels = ["5.10", "6.1", "6.12"]
//!
//! [class.memfd.audit]
//! "5.10-6.1" = "seen all; path exact; argv exact; pid host; container right; loss knew"
//! "6.12" = "seen unsupported: what the guest said"
//! ```
//!
//! Sorted, one line for each class of a backend × scenario, so that a change is a line in a difference.

use std::collections::BTreeMap;

use execlab_model::plan::PROGRAM_PREFIX;
use serde::Deserialize;

use super::{
    class::{BadClass, Class},
    kernels::{BadSpan, Span, ranges},
    rules::Cell,
};
use crate::{order::natural, text};

/// Version of the format.
const SCHEMA: u32 = 1;
const HEADING: &str = "\
# What each backend does with each scenario on each kernel, as it was measured, and as it is predicted where it
# varies. Written by `cargo xtask conformance`, and not by hand; docs/conformance.md says what the words mean.
";
/// Between a class and the evidence for it.
const EVIDENCE: &str = ": ";
/// Longest evidence in characters: a line of a table is no place for a log.
const LONGEST_EVIDENCE: usize = 160;

/// A cell of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its class.
    pub class: Class,
    /// Why it is `unsupported` or `backend-failed`, in the guest's words. It is shown, and nothing is
    /// held against it.
    pub evidence: Option<String>,
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Series, the oldest first.
    pub kernels: Vec<String>,
    /// By scenario and backend, then by series.
    pub cells: BTreeMap<(String, String), BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    schema: u32,
    kernels: Vec<String>,
    #[serde(default)]
    class: BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>,
}

/// A text that is no table.
#[derive(Debug, thiserror::Error)]
pub enum BadTable {
    /// It is no TOML, or has other keys.
    #[error("the table is no such TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// It is of another version.
    #[error("the table has the schema {0}, and this execlab reads {SCHEMA}")]
    Schema(u32),
    /// The line of a cell.
    #[error("[class.{scenario}.{backend}] `{kernels}`: {source}")]
    Class {
        /// Whose.
        scenario: String,
        /// Whose.
        backend: String,
        /// Its key.
        kernels: String,
        /// What is wrong.
        source: BadClass,
    },
    /// The key of a cell.
    #[error("[class.{scenario}.{backend}]: {source}")]
    Span {
        /// Whose.
        scenario: String,
        /// Whose.
        backend: String,
        /// What is wrong.
        source: BadSpan,
    },
}

impl Table {
    /// Adds a cell.
    pub fn put(&mut self, cell: Cell<'_>, class: Class, evidence: Option<&str>) {
        if self.kernels.iter().all(|known| known != cell.kernel) {
            self.kernels.push(cell.kernel.to_owned());
            self.kernels.sort_by(|a, b| natural(a, b));
        }
        let key = (cell.scenario.to_owned(), cell.backend.to_owned());
        let evidence = evidence.map(|e| text::shorten(&text::clean(e), LONGEST_EVIDENCE));
        let entry = Entry { class, evidence };
        let row = self.cells.entry(key).or_default();
        row.insert(cell.kernel.to_owned(), entry);
    }

    /// This table with every cell of `measured` in place of its own.
    #[must_use]
    pub fn renewed_by(&self, measured: &Self) -> Self {
        let mut renewed = self.clone();
        // Programs of a user's own are no rows of it.
        let ours = |cell: &Cell| !cell.backend.starts_with(PROGRAM_PREFIX);
        for (cell, entry) in measured.iter().filter(|(cell, _)| ours(cell)) {
            renewed.put(cell, entry.class, entry.evidence.as_deref());
        }
        renewed
    }

    /// The entry of a cell.
    pub fn get(&self, cell: Cell<'_>) -> Option<&Entry> {
        let key = (cell.scenario.to_owned(), cell.backend.to_owned());
        self.cells.get(&key)?.get(cell.kernel)
    }

    /// Every cell, by scenario, backend and series.
    pub fn iter(&self) -> impl Iterator<Item = (Cell<'_>, &Entry)> {
        self.cells.iter().flat_map(|((scenario, backend), row)| {
            let named = self
                .kernels
                .iter()
                .filter_map(|kernel| Some((kernel, row.get(kernel)?)));
            named.map(move |(kernel, entry)| {
                let cell = Cell {
                    scenario,
                    backend,
                    kernel,
                };
                (cell, entry)
            })
        })
    }

    /// Reads what [`Self::toml`] writes.
    pub fn parse(text: &str) -> Result<Self, BadTable> {
        let raw: RawTable = toml::from_str(text)?;
        if raw.schema != SCHEMA {
            return Err(BadTable::Schema(raw.schema));
        }
        let mut table = Self {
            kernels: raw.kernels,
            cells: BTreeMap::new(),
        };
        let kernels = table.kernels.clone();
        for (scenario, backends) in &raw.class {
            for (backend, lines) in backends {
                for (key, line) in lines {
                    let span: Span = key.parse().map_err(|source| BadTable::Span {
                        scenario: scenario.clone(),
                        backend: backend.clone(),
                        source,
                    })?;
                    let (class, evidence) = match line.split_once(EVIDENCE) {
                        Some((class, evidence)) => (class, Some(evidence)),
                        None => (line.as_str(), None),
                    };
                    let class: Class = class.parse().map_err(|source| BadTable::Class {
                        scenario: scenario.clone(),
                        backend: backend.clone(),
                        kernels: key.clone(),
                        source,
                    })?;
                    for kernel in kernels.iter().filter(|kernel| span.holds(kernel)) {
                        let cell = Cell {
                            scenario,
                            backend,
                            kernel,
                        };
                        table.put(cell, class, evidence);
                    }
                }
            }
        }
        Ok(table)
    }

    /// As the file that is committed.
    pub fn toml(&self) -> String {
        let kernels: Vec<String> = self.kernels.iter().map(|k| quoted(k)).collect();
        let kernels = kernels.join(", ");
        let mut out = format!("{HEADING}schema = {SCHEMA}\nkernels = [{kernels}]\n");
        for ((scenario, backend), row) in &self.cells {
            out += &format!("\n[class.{}.{}]\n", key(scenario), key(backend));
            let mut written: Vec<Class> = Vec::new();
            for entry in self.kernels.iter().filter_map(|kernel| row.get(kernel)) {
                if written.contains(&entry.class) {
                    continue;
                }
                written.push(entry.class);
                let same = |kernel: &str| row.get(kernel).is_some_and(|e| e.class == entry.class);
                let mut line = entry.class.to_string();
                if let Some(evidence) = &entry.evidence {
                    line += EVIDENCE;
                    line += evidence;
                }
                let range = ranges(&self.kernels, same);
                out += &format!("{} = {}\n", quoted(&range), quoted(&line));
            }
        }
        out
    }
}

/// A name as part of the heading of a table.
fn key(name: &str) -> String {
    let bare = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if !name.is_empty() && name.bytes().all(bare) {
        name.to_owned()
    } else {
        quoted(name)
    }
}

/// A text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
