//! Results in, documents out: every report is a pure function of the lines of `results.jsonl`, and
//! of `verify.jsonl` where trials were run again.
//!
//! | function | document |
//! |---|---|
//! | [`terminal`] | what `execlab run` prints |
//! | [`markdown`] | `report.md`, also for the step summary of a CI run |
//! | [`html`] | `report.html`, one file that needs nothing else |
//! | [`junit`] | `junit.xml` |
//! | [`csv()`] | a row for each trial |
//! | [`github_smaller`], [`github_bigger`], [`bencher`] | points for dashboards of benchmarks |
//! | [`run_trace()`] | the run itself as a Chrome trace |
//! | [`step_summary`] | the summary of a step in CI |
//! | [`Summary`] | `summary.json` |
//! | [`across()`] | what `execlab compare` prints of runs of two labs |
//! | [`gate::gate`] | what `execlab compare` prints of runs of one lab |
//! | [`across()`] | what `execlab compare` prints |
//! | [`decide::decide`] | what `execlab decide` prints |
//! | [`conformance::conformance()`] | what `execlab report --conformance` prints |
//! | [`replay::Replay`] | what `execlab replay` prints |
//! | [`trace::Trace`] | a timeline that Perfetto opens |
//! | [`find::Find`] | what `execlab find` prints |
//! | [`schema()`] | the JSON schema of one line of `results.jsonl` |
//! | [`metrics_guide`] | the table of metrics for the documentation |
//!
//! All of them see the results through two things only: the list of metrics in [`metric::METRICS`],
//! which says what can be read from a trial and how it is printed, and [`matrix::Matrix`], which
//! gathers the seeds of a trial into a cell. A figure that is not in the list is in no document; a
//! figure that is in it is in all of them.
//!
//! Whatever a guest or a monitor had a hand in (reasons, paths, notes, settings) is hostile: it goes
//! through [`mod@text`] before it reaches a document.

#![allow(
    clippy::format_push_string,
    reason = "a document is a string, and writing to one cannot fail: `write!` would only add ways to look as if"
)]

pub mod across;
mod bound;
mod cached;
mod columns;
pub mod compare;
pub mod conclude;
pub mod conformance;
mod control;
mod csv;
pub mod dashboard;
pub mod decide;
pub mod doubts;
pub mod find;
pub mod gate;
mod guide;
mod html;
pub mod interval;
mod junit;
mod limits;
mod log_name;
pub mod machine;
mod markdown;
pub mod matrix;
pub mod metric;
pub mod number;
mod order;
pub mod overview;
pub mod rank;
mod reading;
mod reasons;
pub mod repeat;
pub mod replay;
mod run_trace;
pub mod schema;
mod step;
mod summary;
mod terminal;
pub mod text;
pub mod trace;
pub mod witness;

pub use across::{Across, NotComparable, across};
pub use cached::cached_since;
pub use compare::{Compared, compare};
pub use csv::{csv, csv_columns};
pub use dashboard::{bencher, github_bigger, github_smaller};
pub use guide::metrics_guide;
pub use html::html;
pub use junit::junit;
pub use log_name::log_name;
pub use markdown::markdown;
pub use repeat::Repeatability;
pub use run_trace::run_trace;
pub use schema::results as schema;
pub use step::{LIMIT as STEP_LIMIT, step_summary};
pub use summary::{CellSummary, Exit, FigureSummary, Summary, Totals};
pub use terminal::{TerminalOptions, terminal};
pub use witness::Witnesses;
