//! Arguments of `execlab decide`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use execlab_harness::{
    matrix::unknown,
    registry::{PROPERTIES, Property},
};
use execlab_model::workload::Load;
use execlab_reports::decide::{BadNeed, Kernels, Need};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DecideFormat {
    #[default]
    Markdown,
    Html,
    Json,
}

#[derive(Debug, Args)]
pub struct DecideArgs {
    /// Run directories, or files of results from anywhere; together they are one experiment
    #[arg(required = true, value_name = "RUN")]
    pub results: Vec<PathBuf>,
    #[arg(
        long = "need",
        value_name = "NEED",
        value_delimiter = ',',
        value_parser = need,
        env = "EXECLAB_NEED",
        help = needs_help()
    )]
    pub needs: Vec<Need>,
    /// What watching may add to an exec at most, in the unit of cost of the results; short for `--need cost<=N`
    #[arg(long, value_name = "N", value_parser = max_cost, env = "EXECLAB_MAX_COST")]
    pub max_cost: Option<Need>,
    #[arg(
        long,
        value_name = "PROPERTIES",
        value_delimiter = ',',
        value_parser = property,
        env = "EXECLAB_WITHOUT",
        help = without_help()
    )]
    pub without: Vec<&'static Property>,
    /// Kernels that must be supported: a range as `5.10..`, `..6.12` or `5.10..6.18`, of which every kernel of
    /// the built-in matrix has to be measured, or names of the results [default: all of the results]
    #[arg(
        long,
        value_name = "KERNELS",
        value_delimiter = ',',
        env = "EXECLAB_KERNELS"
    )]
    pub kernels: Vec<Kernels>,
    /// Scenarios that count [default: all of the results]
    #[arg(
        long,
        visible_alias = "scenarios",
        value_name = "NAMES",
        value_delimiter = ',',
        env = "EXECLAB_WORKLOADS"
    )]
    pub workloads: Vec<String>,
    /// Loads that count [default: all of the results]
    #[arg(
        long,
        value_name = "LOADS",
        value_delimiter = ',',
        env = "EXECLAB_LOAD"
    )]
    pub load: Vec<Load>,
    /// In what form the record is written
    #[arg(long, value_enum, default_value_t, env = "EXECLAB_DECIDE_FORMAT")]
    pub format: DecideFormat,
    /// Write it to this file [default: standard output]
    #[arg(long, value_name = "FILE", env = "EXECLAB_DECIDE_OUT")]
    pub out: Option<PathBuf>,
}

fn need(text: &str) -> Result<Need, String> {
    text.parse().map_err(|error: BadNeed| match error {
        BadNeed::Metric(name) => unknown("metric", &name, Need::names()),
        error => error.to_string(),
    })
}

fn max_cost(text: &str) -> Result<Need, String> {
    format!("cost<={text}")
        .parse()
        .map_err(|error: BadNeed| error.to_string())
}

fn property(text: &str) -> Result<&'static Property, String> {
    Property::find(text).ok_or_else(|| unknown("property", text, PROPERTIES.iter().map(|p| p.name)))
}

fn needs_help() -> String {
    let names: Vec<&str> = Need::names().collect();
    format!(
        "What each trial must show: a metric, `>=`, `<=`, `=`, `>` or `<`, and a value, quoted where a shell would take the sign for its own, as in `'completeness>=0.999'`, `path=exact`, `containers`, `honesty=knew`, `latency<=5ms`; several times, or divided by commas. Metrics: {}",
        names.join(", ")
    )
}

fn without_help() -> String {
    let all: Vec<String> = PROPERTIES
        .iter()
        .map(|property| format!("{} ({})", property.name, property.about))
        .collect();
    format!("What may not be asked of a deployment: {}", all.join(", "))
}
