//! Arguments of `execlab compare`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use execlab_reports::gate::policy::Stance;

use super::BaselineDir;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum CompareFormat {
    #[default]
    Terminal,
    Json,
    Markdown,
    /// A case for each row and figure, for a CI server; not of runs of two labs
    Junit,
}

/// How a missing baseline is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Missing {
    /// End with 12
    Fail,
    /// Say so
    Warn,
    /// List it
    Ok,
}

impl From<Missing> for Stance {
    fn from(missing: Missing) -> Self {
        match missing {
            Missing::Fail => Self::Fail,
            Missing::Warn => Self::Warn,
            Missing::Ok => Self::Ok,
        }
    }
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What is compared with: name of a baseline, run directory, or a `results.jsonl` from anywhere
    #[arg(required_unless_present = "print_policy")]
    pub base: Option<String>,
    /// What is compared with it
    #[arg(required_unless_present_any = ["print_policy", "ab"])]
    pub new: Option<String>,
    /// Limits, exceptions and what is refused [default: as `--print-policy` prints]
    #[arg(long, value_name = "FILE", env = "EXECLAB_POLICY")]
    pub policy: Option<PathBuf>,
    /// Print the policy that holds, and compare nothing
    #[arg(long, env = "EXECLAB_PRINT_POLICY", value_parser = FalseyValueParser::new())]
    pub print_policy: bool,
    /// A baseline that is not there, and rows that it does not have [default: as the policy says, which is `fail`]
    #[arg(long, value_name = "HOW", value_enum, env = "EXECLAB_MISSING_BASELINE")]
    pub missing_baseline: Option<Missing>,
    #[command(flatten)]
    pub place: BaselineDir,
    /// Compare two backends or variants of one run, the second with the first
    #[arg(
        long,
        value_name = "A,B",
        value_parser = two_names,
        conflicts_with_all = ["new", "across"],
        env = "EXECLAB_COMPARE_AB"
    )]
    pub ab: Option<(String, String)>,
    /// Compare the order of costs in runs of two labs, as is done by itself where the labs are not the same, both are
    /// paths, and nothing is asked for that only a gate has (a policy, `--missing-baseline`, `--format junit`)
    #[arg(long, env = "EXECLAB_COMPARE_ACROSS", value_parser = FalseyValueParser::new())]
    pub across: bool,
    /// Of runs of two labs: which kernel of the first run is compared with which of the second, as in
    /// `6.1=running`; may be several, divided by commas [default: those of one name; where there are none, a
    /// single one with each of the other run]
    #[arg(
        long,
        value_name = "BASE=NEW",
        value_delimiter = ',',
        value_parser = kernel_pair,
        env = "EXECLAB_COMPARE_KERNELS"
    )]
    pub kernels: Vec<(String, String)>,
    /// How the comparison is printed
    #[arg(long, value_enum, default_value_t, env = "EXECLAB_COMPARE_FORMAT")]
    pub format: CompareFormat,
}

fn two_names(text: &str) -> Result<(String, String), String> {
    match text.split_once(',') {
        Some((a, b)) if !a.is_empty() && !b.is_empty() && !b.contains(',') => {
            Ok((a.to_owned(), b.to_owned()))
        }
        _ => Err("write two backends as A,B, as in `ebpf,ebpf+tuned`".to_owned()),
    }
}

fn kernel_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((base, new)) if !base.is_empty() && !new.is_empty() => {
            Ok((base.to_owned(), new.to_owned()))
        }
        _ => Err("write the two kernels as BASE=NEW, as in `6.1=running`".to_owned()),
    }
}
