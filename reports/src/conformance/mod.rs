//! The conformance table: backend × scenario × kernel, with the class that was measured, held against
//! what techniques.md predicts and against the table that is committed.
//!
//! | file | what it is |
//! |---|---|
//! | `conformance/expected.toml` | what techniques.md predicts, with the section that says so |
//! | `conformance/expected/` | the same of the rows of each family of backends |
//! | `conformance/table.toml` | what was measured; made by `cargo xtask conformance` |
//! | `conformance/explanations.toml` | why the two differ, where they do |
//!
//! The rule is mechanical ([`problems`]): a row of the table equals its prediction, or an explanation
//! quotes the very words of the row. So a row that changes is refused until somebody explains it, and
//! an explanation of what is no longer so is refused too.
//!
//! What the words mean stands in `docs/conformance.md`.

mod class;
mod document;
mod facet;
mod held;
mod kernels;
mod rules;
mod settle;
mod show;
mod stubs;
mod table;

pub use class::{BadClass, Claim, Class, Measured, Words};
pub(crate) use document::of_bounded;
pub use document::{CellName, Conformance, Contradiction, Row, Unmeasured, conformance};
pub use facet::{Facet, NOTHING, NOTHING_TO_SEE};
pub use held::{BadHeld, Held, Scope};
pub use kernels::{BadSpan, Span, series};
pub use rules::{BadRule, Cell, Rule};
pub use settle::{Problem, Standing, problems, settle, standing};
pub(crate) use show::LEGEND;
pub use stubs::stubs;
pub use table::{BadTable, Entry, Table};
