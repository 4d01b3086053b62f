//! Every failure that is the user's or the host's, its exit code, and what to do about it.

use std::{error::Error, io, path::PathBuf};

use execlab_harness::progress::tell;
use execlab_harness::{
    baselines::BaselineError,
    ci::BadWord,
    lab::{LabError, exact::BadSabotage, fake::BadRule},
    matrix::MatrixError,
    merge::MergeError,
    replay::{BadTrial, NoSuchExec},
    run::RunError,
    store::{PLAN, StoreError},
    watch::WatchError,
};
use execlab_model::{exit::ExitCode, result::Lab};
use execlab_reports::{
    NotComparable,
    decide::CannotDecide,
    gate::{BadPolicy, NoSuchBackend},
    text::clean,
};
use execlab_vm::kernels;

use super::output::Stderr;

/// A failure that is no defect of execlab.
#[derive(Debug, thiserror::Error)]
pub enum ExpectedError {
    /// What is to be run.
    #[error(transparent)]
    Matrix(#[from] MatrixError),
    /// The run directory.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The laboratory.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A resumed run.
    #[error("{} was to run something else: {difference}", directory.display())]
    OtherPlan {
        /// Its directory.
        directory: PathBuf,
        /// The first difference.
        difference: String,
    },
    /// A resumed run.
    #[error("{trial} was run from other inputs than it would be run from now")]
    InputsChanged {
        /// The first such trial.
        trial: String,
    },
    /// A search instead of a run.
    #[error("{} is a search", .0.display())]
    IsASearch(PathBuf),
    /// A run instead of a search, or nothing.
    #[error("{} holds no search: it has no find.json", .0.display())]
    NotASearch(PathBuf),
    /// Parts of a run.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A word for a workflow.
    #[error(transparent)]
    Ci(#[from] BadWord),
    /// A kernel.
    #[error(transparent)]
    Kernels(#[from] kernels::StoreError),
    /// The lock of kernels.
    #[error(transparent)]
    Relock(#[from] kernels::RelockError),
    /// The cache of kernels.
    #[error("{damaged} of the kernels in the cache are damaged")]
    DamagedKernels {
        /// How many.
        damaged: usize,
    },
    /// A repeat where nothing repeats.
    #[error("trials of the lab {0} do not repeat to the last bit, so there is nothing to verify")]
    NothingToVerify(Lab),
    /// The host lab without consent.
    #[error("the lab host changes this machine while it runs, and was not told that it may")]
    NoConsent {
        /// What it would change.
        changes: Vec<String>,
    },
    /// A trial to be replayed.
    #[error(transparent)]
    BadTrial(#[from] BadTrial),
    /// An exec of it.
    #[error(transparent)]
    NoSuchExec(#[from] NoSuchExec),
    /// A trial of a lab in which nothing repeats.
    #[error(
        "{trial} is of the lab {lab}, where nothing repeats: only trials of the lab exact can be run again as they were"
    )]
    NotReplayable {
        /// Its id.
        trial: String,
        /// Its lab.
        lab: Lab,
    },
    /// A trial that would be another one now.
    #[error("{trial} was run from other inputs than it would be run from now")]
    OtherInputs {
        /// Its id.
        trial: String,
        /// Which, in words.
        changes: Vec<String>,
    },
    /// Rules of the fake laboratory.
    #[error(transparent)]
    BadRule(#[from] BadRule),
    /// Rules of sabotage.
    #[error(transparent)]
    BadSabotage(#[from] BadSabotage),
    /// Two runs.
    #[error(transparent)]
    NotComparable(#[from] NotComparable),
    /// A baseline.
    #[error(transparent)]
    Baseline(BaselineError),
    /// What is to be compared with a baseline.
    #[error("there is no such run, and {0}")]
    NoSuchRun(BaselineError),
    /// A name that says two things.
    #[error("`{0}` is a baseline and a file too")]
    TwoOfOneName(String),
    /// A policy.
    #[error("cannot read the policy {}", path.display())]
    NoPolicy {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A policy.
    #[error("{} is no policy", path.display())]
    BadPolicy {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: BadPolicy,
    },
    /// A backend that a run does not have.
    #[error(transparent)]
    NoSuchBackend(#[from] NoSuchBackend),
    /// A format of a gate for what is none.
    #[error("runs of two labs are ordered and not judged: there is no junit of that")]
    NoJunitAcross,
    /// Results that nothing can be decided on.
    #[error(transparent)]
    CannotDecide(#[from] CannotDecide),
    /// A name that is in no result.
    #[error("{0}")]
    NotInResults(String),
    /// A format.
    #[error("{0}")]
    NoSuchFormat(String),
    /// A table with gaps.
    #[error(
        "a table has no gaps, and so many trials are no measurement: {count} (the first: {first})"
    )]
    Gaps {
        /// How many.
        count: usize,
        /// Name and status of the first.
        first: String,
        /// The code to end with.
        code: ExitCode,
    },
    /// Something to watch with that there is not.
    #[error("{0}")]
    NoSuchWatch(String),
    /// A watch that could not begin, or left something behind.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// A page of the manual.
    #[error("there is no command `{0}`")]
    NoSuchCommand(String),
    /// What was asked for cannot be printed.
    #[error("cannot write to stdout")]
    Stdout(#[source] io::Error),
    /// Signals cannot be caught.
    #[error("cannot catch interrupts")]
    Signals(#[from] ctrlc::Error),
}

impl From<RunError> for ExpectedError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => Self::Store(error),
            RunError::Lab(error) => Self::Lab(error),
            RunError::InputsChanged { trial } => Self::InputsChanged { trial },
        }
    }
}

impl ExpectedError {
    /// The code to end with. No wildcard: a new failure has to choose.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Matrix(MatrixError::NothingSelected(_))
            | Self::CannotDecide(CannotDecide::Nothing(_)) => ExitCode::NothingSelected,
            Self::Matrix(MatrixError::Read { .. } | MatrixError::Invalid(_))
            | Self::Store(
                StoreError::NotEmpty { .. }
                | StoreError::NotARun { .. }
                | StoreError::InUse { .. }
                | StoreError::Damaged { .. },
            )
            | Self::OtherPlan { .. }
            | Self::IsASearch(_)
            | Self::NotASearch(_)
            | Self::Merge(_)
            | Self::Ci(_)
            | Self::InputsChanged { .. }
            | Self::BadTrial(_)
            | Self::NoSuchExec(_)
            | Self::NotReplayable { .. }
            | Self::NothingToVerify(_)
            | Self::NoConsent { .. }
            | Self::BadRule(_)
            | Self::BadSabotage(_)
            | Self::NoSuchCommand(_)
            | Self::Baseline(BaselineError::BadName(_) | BaselineError::Exists { .. })
            | Self::TwoOfOneName(_)
            | Self::BadPolicy { .. }
            | Self::NoSuchBackend(_)
            | Self::NoJunitAcross
            | Self::NoSuchFormat(_)
            | Self::NotInResults(_)
            | Self::CannotDecide(CannotDecide::NoSuch { .. })
            | Self::NoSuchWatch(_)
            | Self::Watch(WatchError::NoCommand(_) | WatchError::NoStart { .. })
            | Self::NotComparable(NotComparable::NoSuchKernel { .. })
            | Self::NoSuchRun(_)
            | Self::Kernels(kernels::StoreError::Unknown(_)) => ExitCode::Config,
            // What the user named is not there; where it is and cannot be read, that is the host's.
            Self::Store(StoreError::Read { source, .. })
            | Self::Baseline(BaselineError::Read { source, .. })
            | Self::NoPolicy { source, .. }
                if source.kind() == io::ErrorKind::NotFound =>
            {
                ExitCode::Config
            }
            Self::NotComparable(_)
            | Self::OtherInputs { .. }
            | Self::CannotDecide(CannotDecide::Mixed { .. })
            | Self::Baseline(BaselineError::Missing { .. } | BaselineError::Damaged { .. }) => {
                ExitCode::NoBaseline
            }
            Self::Gaps { code, .. } | Self::Baseline(BaselineError::NotWhole { code, .. }) => *code,
            Self::Store(StoreError::Write { .. } | StoreError::Read { .. })
            | Self::Baseline(BaselineError::Write { .. } | BaselineError::Read { .. })
            | Self::NoPolicy { .. }
            | Self::Lab(_)
            | Self::Relock(_)
            | Self::DamagedKernels { .. }
            | Self::Stdout(_)
            | Self::Signals(_)
            | Self::Watch(_)
            | Self::Kernels(_) => ExitCode::HostLacks,
        }
    }

    /// What the user can do, where the message itself does not say it.
    fn remedy(&self) -> Option<String> {
        match self {
            Self::Matrix(MatrixError::NothingSelected(_)) => {
                Some("name at least one of each; `execlab list` shows what there is".to_owned())
            }
            Self::Store(StoreError::NotEmpty { path, is_run: true }) => Some(format!(
                "a run is never overwritten: give another directory, or go on with it by `--resume {}`",
                path.display()
            )),
            Self::Store(StoreError::NotEmpty { is_run: false, .. }) => {
                Some("give a directory that is empty or not there yet".to_owned())
            }
            Self::NotASearch(path) => Some(if path.join(PLAN).exists() {
                let shown = path.display();
                format!("it is a run: `execlab run --resume {shown}` goes on with it")
            } else {
                "give the directory that `execlab find` wrote to".to_owned()
            }),
            Self::Store(StoreError::NotARun { .. }) => {
                Some("give the directory that `execlab run` wrote to".to_owned())
            }
            Self::Store(StoreError::Read { source, .. })
                if source.kind() == io::ErrorKind::NotFound =>
            {
                Some("give the directory that `execlab run` wrote to, or a results.jsonl".to_owned())
            }
            Self::Store(StoreError::InUse { .. }) => {
                Some("wait until it has ended, or give another directory".to_owned())
            }
            Self::Store(StoreError::Damaged { .. }) => {
                Some("take the damaged line out, or run the matrix again".to_owned())
            }
            Self::Store(StoreError::Write { .. }) => Some(
                "give a directory that can be written, on a disk with room, by `--out`; a run that was cut off goes on with `--resume`"
                    .to_owned(),
            ),
            Self::Lab(error) => Some(error.remedy.clone()),
            Self::OtherPlan { .. } => Some(
                "resume it without a matrix and without options that select, or start a new run"
                    .to_owned(),
            ),
            Self::IsASearch(path) => Some(format!(
                "`execlab find --resume {}` goes on with it",
                path.display()
            )),
            Self::Merge(_) => Some(
                "give the directories of all parts of one `execlab run --partition`, from one version of execlab"
                    .to_owned(),
            ),
            Self::InputsChanged { .. } => Some(
                "QEMU, a kernel or execlab itself is another one now: start a new run".to_owned(),
            ),
            Self::OtherInputs { .. } => Some(
                "`--anyway` runs it all the same, as another trial of that name; to have the same one, take the execlab, the QEMU and the kernel of the run"
                    .to_owned(),
            ),
            Self::NotReplayable { .. } => Some(
                "run the same workload in the lab exact, and replay that trial".to_owned(),
            ),
            Self::BadTrial(_) => {
                Some("its number, its id, or a part of it that no other has; results.jsonl holds the ids".to_owned())
            }
            Self::DamagedKernels { .. } => {
                Some("`execlab kernels fetch` fetches them again".to_owned())
            }
            Self::NothingToVerify(_) => {
                Some("leave `--verify` out; more seeds say how much they vary".to_owned())
            }
            Self::NoConsent { .. } => Some(
                "agree with `--change-host`, or take the lab exact, which changes nothing here"
                    .to_owned(),
            ),
            Self::NotComparable(NotComparable::SameLab { .. }) => {
                Some("leave `--across` and `--kernels` out: runs of one lab are compared row by row".to_owned())
            }
            Self::NotComparable(NotComparable::NoKernelsInCommon { .. }) => {
                Some("say it by `--kernels BASE=NEW`".to_owned())
            }
            Self::Baseline(BaselineError::Exists { .. }) => Some(
                "a baseline is never overwritten by accident: give another name, or `--force`"
                    .to_owned(),
            ),
            Self::Baseline(BaselineError::Missing { .. }) => Some(
                "save one by `execlab baseline save NAME RUN`; for the first run there is `--missing-baseline warn`"
                    .to_owned(),
            ),
            Self::Baseline(BaselineError::NotWhole {
                code: ExitCode::Nondeterministic,
                ..
            }) => Some("run it again: what does not repeat is nothing to compare with".to_owned()),
            Self::Baseline(BaselineError::NotWhole { .. }) => Some(
                "run what failed again (`execlab run --resume`), or take it as it is by `--incomplete`"
                    .to_owned(),
            ),
            Self::Baseline(BaselineError::Damaged { .. }) => {
                Some("take it from your repository again, or save a new one".to_owned())
            }
            Self::TwoOfOneName(name) => {
                Some(format!("write `./{name}` for the file, or rename one of them"))
            }
            Self::BadPolicy { .. } => {
                Some("`execlab compare --print-policy` prints a whole one".to_owned())
            }
            Self::CannotDecide(CannotDecide::Mixed { .. }) => {
                Some("decide on the runs of one machine at a time".to_owned())
            }
            Self::Gaps { .. } => Some("`execlab run --resume` runs again what broke on the host's side; of a lost guest the log says why".to_owned()),
            Self::NoSuchCommand(_) => Some("`execlab --help` lists the commands".to_owned()),
            Self::Matrix(MatrixError::Read { .. } | MatrixError::Invalid(_))
            | Self::Store(StoreError::Read { .. })
            | Self::Kernels(_)
            | Self::Relock(_)
            | Self::BadRule(_)
            | Self::BadSabotage(_)
            | Self::NoSuchExec(_)
            | Self::NotComparable(_)
            | Self::Baseline(_)
            | Self::NoSuchRun(_)
            | Self::NoPolicy { .. }
            | Self::NoSuchBackend(_)
            | Self::NoJunitAcross
            | Self::CannotDecide(_)
            | Self::NotInResults(_)
            | Self::NoSuchFormat(_)
            | Self::Ci(_)
            | Self::NoSuchWatch(_)
            | Self::Watch(
                WatchError::NoCommand(_)
                | WatchError::NoStart { .. }
                | WatchError::Note(_)
                | WatchError::Step { .. },
            )
            | Self::Stdout(_)
            | Self::Signals(_) => None,
            Self::Watch(WatchError::OnlyInGuests { .. }) => {
                Some("watch a guest with it: `execlab run --backends NAME`".to_owned())
            }
            Self::Watch(WatchError::PutBack(_)) => Some(
                "put it back by hand; the next boot ends it in any case".to_owned(),
            ),
        }
    }

    /// Says what happened, why, and what to do.
    pub fn print(&self, stderr: Stderr) {
        for line in self.to_string().lines() {
            stderr.say("error", line);
        }
        if let Self::NoConsent { changes } = self {
            for change in changes {
                tell(format_args!("  {change}"));
            }
        }
        if let Self::OtherInputs { changes, .. } = self {
            for change in changes {
                tell(format_args!("  {}", clean(change)));
            }
        }
        let mut source = self.source();
        while let Some(cause) = source {
            tell(format_args!("  because: {}", clean(&cause.to_string())));
            source = cause.source();
        }
        if let Some(remedy) = self.remedy() {
            stderr.say("help", &remedy);
        }
    }
}
