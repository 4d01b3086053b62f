//! Arguments of `execlab baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::FalseyValueParser};
use execlab_harness::baselines::DEFAULT_DIR;

use super::ListArgs;

/// Where baselines lie.
#[derive(Debug, Clone, Args)]
pub struct BaselineDir {
    /// Directory of baselines, to be kept in your repository
    #[arg(long, value_name = "DIR", default_value = DEFAULT_DIR, env = "EXECLAB_BASELINES_DIR")]
    pub dir: PathBuf,
}

#[derive(Debug, Subcommand)]
pub enum Baseline {
    /// Keep the results of a run for later runs to be compared with
    ///
    /// A baseline is moved by you and never by a result. Commit the file.
    Save {
        /// What it is to be called
        name: String,
        /// Run directory, or a `results.jsonl` from anywhere
        run: PathBuf,
        /// Replace the one of that name
        #[arg(long, env = "EXECLAB_BASELINE_FORCE", value_parser = FalseyValueParser::new())]
        force: bool,
        /// Take a run with trials that failed or have no result
        #[arg(long, env = "EXECLAB_BASELINE_INCOMPLETE", value_parser = FalseyValueParser::new())]
        incomplete: bool,
        #[command(flatten)]
        place: BaselineDir,
        #[command(flatten)]
        list: ListArgs,
    },
    /// List baselines
    List {
        #[command(flatten)]
        place: BaselineDir,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Say what a baseline is of
    Show {
        /// Which one
        name: String,
        #[command(flatten)]
        place: BaselineDir,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Remove a baseline
    Rm {
        /// Which one
        name: String,
        #[command(flatten)]
        place: BaselineDir,
    },
}
