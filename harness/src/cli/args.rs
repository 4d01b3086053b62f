//! Arguments. Every option has a twin in the environment.

use std::{fmt::Write as _, num::NonZeroUsize, path::PathBuf};

use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{BoolishValueParser, FalseyValueParser},
};
use execlab_harness::{
    documents::{ConformanceFormat, Format},
    plan::Partition,
    registry,
    verify::Verify,
};
use execlab_model::{exit::ExitCode, result::Lab};

mod baseline;
mod ci;
mod compare;
mod decide;
mod find;
mod kernels;
mod list;
mod merge;
mod replay;

pub use baseline::{Baseline, BaselineDir};
pub use ci::CiArgs;
pub use compare::{CompareArgs, CompareFormat};
pub use decide::{DecideArgs, DecideFormat};
pub use find::{FindArgs, FindFormat};
pub use kernels::{KernelStoreArgs, Kernels};
pub use list::{BackendsFormat, List, ListArgs, ListFormat};
pub use merge::MergeArgs;
pub use replay::{ReplayArgs, ReplayFormat};

/// Starts storms of execs whose truth it knows, lets monitors watch them on real kernels, and says,
/// exec by exec, what each monitor saw, missed and cost.
#[derive(Debug, Parser)]
#[command(
    name = "execlab",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// When to use colour; `auto` minds `NO_COLOR` and whether there is a terminal
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        env = "EXECLAB_COLOR"
    )]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a matrix: every backend on every workload on every kernel, scored against the truth
    Run(Box<RunArgs>),
    /// List what can be named
    List {
        #[command(subcommand)]
        what: List,
    },
    /// Say what this machine can do, lab by lab and backend by backend, and what it lacks
    Doctor(DoctorArgs),
    /// Fetch, check or lock kernels
    Kernels {
        #[command(subcommand)]
        what: Kernels,
    },
    /// Watch this very machine with one backend, as root: each sighting and each loss is a line of JSON on standard
    /// output; Ctrl-C puts everything back
    Watch(WatchArgs),
    /// Make reports again from the results of a run
    Report(ReportArgs),
    /// Search for bounds instead of sampling: the life that a process needs, the load at which the first exec is lost
    Find(Box<FindArgs>),
    /// Compare a run with a baseline or another run: what costs more, what is no longer seen, what is missing; of two labs,
    /// the order of costs
    Compare(CompareArgs),
    /// Make one run of the parts that `run --partition` made, on several machines perhaps
    Merge(MergeArgs),
    /// Print a workflow that runs a matrix in parts, on several machines, and holds the whole against a baseline
    Ci(CiArgs),
    /// Run one trial of a run again, see whether it comes out the same, and write a timeline of what happened in it
    Replay(ReplayArgs),
    /// Keep results that later runs are compared with
    Baseline {
        #[command(subcommand)]
        what: Baseline,
    },
    /// Say which way to watch meets a list of needs, by what was measured: a design decision record
    Decide(Box<DecideArgs>),
    /// Print a completion script
    Completions {
        /// For this shell
        shell: clap_complete::Shell,
    },
    /// Print a page of the manual
    Man {
        /// The subcommand that the page is about [default: the whole command]
        command: Option<String>,
        /// Write the pages of all commands into this directory instead
        #[arg(
            long,
            value_name = "DIR",
            conflicts_with = "command",
            env = "EXECLAB_MAN_OUT"
        )]
        out: Option<PathBuf>,
    },
}

/// What a matrix file says too; an option goes before the file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Matrix")]
pub struct SelectionArgs {
    /// Matrix file [default: the built-in quick matrix]
    #[arg(value_name = "MATRIX.toml", env = "EXECLAB_MATRIX")]
    pub matrix: Option<PathBuf>,
    #[arg(long, value_name = "NAMES", env = "EXECLAB_KERNELS", help = kernels_help())]
    pub kernels: Option<Vec<String>>,
    #[arg(long, value_name = "NAMES", env = "EXECLAB_BACKENDS", help = backends_help())]
    pub backends: Option<Vec<String>>,
    #[arg(long, value_name = "NAMES", env = "EXECLAB_WORKLOADS", help = workloads_help())]
    pub workloads: Option<Vec<String>>,
    /// When execs come: `closed`, `rate:N` (a second), `burst:N` (at once)
    #[arg(long, value_name = "LOADS", env = "EXECLAB_LOAD")]
    pub load: Option<Vec<String>>,
    /// Execs in each trial
    #[arg(long, value_name = "N", env = "EXECLAB_EXECS")]
    pub execs: Option<String>,
    /// How long each payload lives, as in `0` or `1ms`
    #[arg(long, value_name = "TIMES", env = "EXECLAB_LIFETIME")]
    pub lifetime: Option<Vec<String>>,
    /// How children are made: `vfork`, `fork`
    #[arg(long, value_name = "NAMES", env = "EXECLAB_SPAWN")]
    pub spawn: Option<Vec<String>>,
    /// Processes that sleep in the guest meanwhile
    #[arg(long, value_name = "NUMBERS", env = "EXECLAB_POPULATION")]
    pub population: Option<Vec<String>>,
    /// `N` (which is `0..N`) or `A..B`
    #[arg(long, value_name = "SEEDS", env = "EXECLAB_SEEDS")]
    pub seeds: Option<String>,
    /// Where trials run and time comes from: `exact` [default], `kvm`, `host`
    #[arg(long, value_name = "LAB", env = "EXECLAB_LAB")]
    pub lab: Option<String>,
    /// CPUs of a guest: 1 in the lab `exact`, as many as you like in `kvm` [default: 2]
    #[arg(long, value_name = "N", env = "EXECLAB_CPUS")]
    pub cpus: Option<String>,
    /// Whether trials without a monitor are run too [default: true]; without them (exact lab only) nothing is
    /// said of what watching adds
    #[arg(long, value_name = "BOOL", env = "EXECLAB_BASELINES")]
    pub baselines: Option<String>,
    /// What each monitor may use: `cpu=20` (percent of one CPU), `memory=64` (MiB)
    #[arg(long, value_name = "LIMITS", env = "EXECLAB_LIMITS")]
    pub limits: Option<Vec<String>>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub selection: SelectionArgs,
    /// Trials at once [default: by processors and memory]
    #[arg(short, long, value_name = "N", env = "EXECLAB_JOBS")]
    pub jobs: Option<NonZeroUsize>,
    /// Boot every guest instead of restoring it from an image; figures are the same
    #[arg(long, env = "EXECLAB_COLD", value_parser = FalseyValueParser::new())]
    pub cold: bool,
    /// Run trials a second time, to see whether they repeat: a `sample` [default], `all` of them (as
    /// without a value), or `none`. Some of those that start from an image are booted: of `all` one
    /// for each image, of a `sample` one or two
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        env = "EXECLAB_VERIFY"
    )]
    pub verify: Option<Verify>,
    /// Run every trial, also those of the exact lab that were run before from the same inputs
    #[arg(long, env = "EXECLAB_NO_CACHE", value_parser = FalseyValueParser::new())]
    pub no_cache: bool,
    /// Run a part of the plan only: `slice:M/N` (in turn) or `hash:M/N` (by the names of trials); `execlab merge` makes
    /// one run of all parts
    #[arg(
        long,
        value_name = "PART",
        env = "EXECLAB_PARTITION",
        conflicts_with = "resume"
    )]
    pub partition: Option<Partition>,
    /// Run directory, new or empty [default: execlab-out/TIME]
    #[arg(
        long,
        value_name = "DIR",
        env = "EXECLAB_OUT",
        conflicts_with = "resume"
    )]
    pub out: Option<PathBuf>,
    /// Go on with a run that was cut off
    #[arg(long, value_name = "DIR", env = "EXECLAB_RESUME")]
    pub resume: Option<PathBuf>,
    /// Agree to what the lab `host` changes on this machine; without it, it only says what that is
    #[arg(long, env = "EXECLAB_CHANGE_HOST", value_parser = BoolishValueParser::new())]
    pub change_host: bool,
    /// Print the plan and how long it may take, and run nothing
    #[arg(long, env = "EXECLAB_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    #[command(flatten)]
    pub kernel_store: KernelStoreArgs,
    /// How the report is printed
    #[arg(long, value_name = "FORMAT", default_value = "terminal", env = "EXECLAB_FORMAT", help = report_formats())]
    pub format: Format,
    /// Add a short summary in Markdown to this file: what to conclude, and what to type where something failed
    #[arg(long, value_name = "FILE", env = "GITHUB_STEP_SUMMARY")]
    pub step_summary: Option<PathBuf>,
    /// Rules of a laboratory without machines, for tests of execlab itself
    #[arg(long, value_name = "RULES", env = "EXECLAB_LAB_FAKE", hide = true)]
    pub lab_fake: Option<String>,
    /// Bytes of a file in every guest's image that nothing reads (lab `exact`): what that changes is no change of a
    /// backend, and shows how far two runs may differ for nothing
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 0,
        env = "EXECLAB_PAD",
        hide = true
    )]
    pub pad: usize,
    /// Rules by which programs in guests are replaced, for tests of execlab itself
    #[arg(long, value_name = "RULES", env = "EXECLAB_SABOTAGE", hide = true)]
    pub sabotage: Option<String>,
}

#[derive(Debug, Args)]
pub struct WatchArgs {
    /// What watches: one of `execlab list backends`, with `+tuned` where it is not to be as it comes
    #[arg(long, value_name = "NAME", env = "EXECLAB_WATCH_BACKEND")]
    pub backend: String,
    /// A setting of it; may be given several times
    #[arg(
        long = "set",
        value_name = "NAME=VALUE",
        value_delimiter = ',',
        env = "EXECLAB_WATCH_SET"
    )]
    pub settings: Vec<String>,
    /// What is started to be watched; a backend that can only watch its own descendants needs it. The watching ends
    /// with it
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Look at these labs only, and end with 21 if one of them cannot be used [default: look at all,
    /// and end by `exact`]
    #[arg(
        long,
        value_name = "LABS",
        value_delimiter = ',',
        value_parser = |text: &str| text.parse::<Lab>(),
        env = "EXECLAB_LAB"
    )]
    pub lab: Vec<Lab>,
    /// Boot a guest to see whether KVM is usable, which takes some minutes where it is not
    #[arg(long, env = "EXECLAB_DEEP", value_parser = FalseyValueParser::new())]
    pub deep: bool,
    /// First put back what runs of the lab `host` left changed that were killed with all their parts
    #[arg(long, env = "EXECLAB_CLEAN", value_parser = FalseyValueParser::new())]
    pub clean: bool,
    #[command(flatten)]
    pub kernel_store: KernelStoreArgs,
    #[command(flatten)]
    pub list: ListArgs,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Run directory, or a `results.jsonl` from anywhere
    pub results: PathBuf,
    #[arg(long, value_name = "FORMAT", default_value = "terminal", env = "EXECLAB_FORMAT", help = all_formats())]
    pub format: String,
    /// Add a short summary in Markdown to this file too; `execlab run` does so by itself where `GITHUB_STEP_SUMMARY` is
    /// set
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "conformance",
        env = "EXECLAB_STEP_SUMMARY"
    )]
    pub step_summary: Option<PathBuf>,
    /// Make the files of the run directory again instead of printing one
    #[arg(
        long,
        conflicts_with_all = ["format", "conformance"],
        env = "EXECLAB_REPORT_WRITE",
        value_parser = FalseyValueParser::new()
    )]
    pub write: bool,
    /// Print the conformance table: what each backend does with each scenario on each kernel, in words
    #[arg(long, env = "EXECLAB_REPORT_CONFORMANCE", value_parser = FalseyValueParser::new())]
    pub conformance: bool,
    /// Hold that table against the one that is built in, and end with 11 where the run contradicts it
    #[arg(
        long,
        requires = "conformance",
        env = "EXECLAB_REPORT_CHECK",
        value_parser = FalseyValueParser::new()
    )]
    pub check: bool,
}

fn report_formats() -> String {
    let names = Format::ALL.map(Format::as_str);
    format!("How the report is printed: {}", names.join(", "))
}

fn all_formats() -> String {
    let names = ConformanceFormat::ALL.map(ConformanceFormat::as_str);
    format!(
        "{}; of the conformance table: {}",
        report_formats(),
        names.join(", ")
    )
}

fn backends_help() -> String {
    let names: Vec<String> = registry::backends().into_iter().map(|b| b.name).collect();
    format!(
        "Backends, each with `+tuned` or a variant of the file where it is not as it comes: {}; or `all`; or `exec:./monitor`, a program of your own; `none+witness` has the kernel itself count the execs, and holds truth against that",
        names.join(", ")
    )
}

fn workloads_help() -> String {
    let names: Vec<String> = registry::scenarios().into_iter().map(|s| s.name).collect();
    format!("Scenarios: {}", names.join(", "))
}

fn kernels_help() -> String {
    format!(
        "Kernels: series ({}), releases of `execlab list kernels`, or `path:IMAGE[,modules=DIR]`",
        registry::kernels().join(", ")
    )
}

/// The list of exit codes for the end of the help.
pub fn exit_codes() -> String {
    let mut text = "Exit codes, the most basic first (it wins where several apply):\n".to_owned();
    for code in ExitCode::BY_PRECEDENCE {
        let _ = writeln!(text, "{:>4}  {}", code.code(), code.meaning());
    }
    text
}
