//! Arguments of `execlab list`.

use clap::{Args, Subcommand, ValueEnum};
use execlab_harness::plan::Partition;

use super::{KernelStoreArgs, SelectionArgs};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    #[default]
    Terminal,
    Json,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum BackendsFormat {
    #[default]
    Terminal,
    Json,
    /// The tables of `docs/backends.md`
    Markdown,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ListBackends {
    /// How the list is printed
    #[arg(long, value_enum, default_value_t, env = "EXECLAB_LIST_FORMAT")]
    pub format: BackendsFormat,
}

#[derive(Debug, Clone, Copy, Args)]
pub struct ListArgs {
    /// How the list is printed
    #[arg(long, value_enum, default_value_t, env = "EXECLAB_LIST_FORMAT")]
    pub format: ListFormat,
}

#[derive(Debug, Subcommand)]
pub enum List {
    /// Ways to watch: how each works, what it needs and from which kernel on, what it knows of its losses, whom it
    /// reaches, and its settings
    Backends(ListBackends),
    /// Ways in which execs are made
    Workloads(ListArgs),
    /// Locked kernels
    Kernels {
        #[command(flatten)]
        store: KernelStoreArgs,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Trials of a matrix, in the order in which `run` would run them
    Trials {
        #[command(flatten)]
        selection: Box<SelectionArgs>,
        /// List a part of the plan only, as `run --partition` does
        #[arg(long, value_name = "PART", env = "EXECLAB_PARTITION")]
        partition: Option<Partition>,
        #[command(flatten)]
        list: ListArgs,
    },
}
