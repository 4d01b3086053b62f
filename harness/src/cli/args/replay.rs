//! Arguments of `execlab replay`.

use std::path::PathBuf;

use clap::{Args, ValueEnum, builder::FalseyValueParser};

use super::KernelStoreArgs;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    #[default]
    Terminal,
    Json,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Run directory, or a `results.jsonl` with its `plan.json` beside it
    pub run: PathBuf,
    /// Which trial: its id, its number in the plan from 1 up, or a part of its id that no other has
    pub trial: String,
    /// Cut the timeline to this exec and what stands around it, and tell its story
    #[arg(long, value_name = "EXEC_ID", env = "EXECLAB_REPLAY_AROUND")]
    pub around: Option<u32>,
    /// With `--around`: so many execs before it and behind it stay
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        env = "EXECLAB_REPLAY_MARGIN"
    )]
    pub margin: usize,
    /// Run it a second time with the scheduler's events of storm and monitor recorded; that perturbs it, and the
    /// timeline says so
    #[arg(long, env = "EXECLAB_REPLAY_SCHED", value_parser = FalseyValueParser::new())]
    pub sched: bool,
    /// Go on where an input (kernel, image, monitor, QEMU) is another one than in the run; without it that ends
    /// with 12
    #[arg(long, env = "EXECLAB_REPLAY_ANYWAY", value_parser = FalseyValueParser::new())]
    pub anyway: bool,
    /// Boot the guest instead of restoring it from an image; what comes out is the same
    #[arg(long, env = "EXECLAB_COLD", value_parser = FalseyValueParser::new())]
    pub cold: bool,
    /// File for the timeline, or a directory for it [default: `replay` in the run directory]
    #[arg(long, value_name = "PATH", env = "EXECLAB_REPLAY_OUT")]
    pub out: Option<PathBuf>,
    /// How the summary is printed
    #[arg(long, value_enum, default_value_t, env = "EXECLAB_REPLAY_FORMAT")]
    pub format: ReplayFormat,
    #[command(flatten)]
    pub kernel_store: KernelStoreArgs,
    /// Rules of a laboratory without machines, for tests of execlab itself
    #[arg(long, value_name = "RULES", env = "EXECLAB_LAB_FAKE", hide = true)]
    pub lab_fake: Option<String>,
}
