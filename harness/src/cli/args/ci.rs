//! Arguments of `execlab ci`.

use clap::{Args, ValueEnum};
use execlab_harness::ci::{Service, Workflow};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ServiceName {
    Github,
    Gitlab,
}

#[derive(Debug, Args)]
pub struct CiArgs {
    /// For which service
    pub service: ServiceName,
    /// Matrix file, as a path in the repository
    #[arg(
        value_name = "MATRIX.toml",
        default_value = "execlab.toml",
        env = "EXECLAB_CI_MATRIX"
    )]
    pub matrix: String,
    /// Into how many parts the matrix is divided, each of which is a job
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u32).range(1..=256), env = "EXECLAB_CI_SHARDS")]
    pub shards: u32,
    /// Name of the baseline that the run is held against
    #[arg(
        long,
        value_name = "NAME",
        default_value = "main",
        env = "EXECLAB_CI_BASELINE"
    )]
    pub baseline: String,
}

impl From<CiArgs> for Workflow {
    fn from(args: CiArgs) -> Self {
        Self {
            service: match args.service {
                ServiceName::Github => Service::Github,
                ServiceName::Gitlab => Service::Gitlab,
            },
            matrix: args.matrix,
            shards: args.shards,
            baseline: args.baseline,
        }
    }
}
