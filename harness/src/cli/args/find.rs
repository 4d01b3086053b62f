//! Arguments of `execlab find`.

use std::{num::NonZeroUsize, path::PathBuf};

use clap::{Args, ValueEnum, builder::FalseyValueParser};
use execlab_harness::{
    duration,
    matrix::{MatrixError, Origin, Problem, seeds},
};
use execlab_reports::find::{Asked, Asking, Question, Values, What};

use super::KernelStoreArgs;

/// What is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhatArg {
    /// The shortest life that a process needs to be seen, and to be seen with its right path
    BlindWindow,
    /// The smallest burst and the lowest rate at which the first exec is lost, for several sizes of the buffer, and
    /// what each of them costs
    LossKnee,
    /// How loud a neighbour must be before a quiet container loses its first exec
    Isolation,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum QuestionArg {
    /// Blind window: is every exec seen?
    Seen,
    /// Blind window: and has it the best path that the scenario allows?
    RightPath,
    /// Others: is one of so many at once lost?
    Burst,
    /// Others: is one of so many a second lost?
    Rate,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum FindFormat {
    #[default]
    Terminal,
    Markdown,
    Json,
}

#[derive(Debug, Args)]
pub struct FindArgs {
    #[arg(value_enum, required_unless_present = "resume")]
    pub what: Option<WhatArg>,
    /// Backends, each with `+tuned` where it is not as it comes; `all` is all of them
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        required_unless_present = "resume",
        env = "EXECLAB_BACKENDS"
    )]
    pub backend: Vec<String>,
    /// Kernels [default: the one of the built-in matrix]
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        env = "EXECLAB_KERNELS"
    )]
    pub kernel: Vec<String>,
    /// Values of one setting, each looked at by itself, as in `rcvbuf=65536,212992` [default of loss-knee: a quarter
    /// of the backend's usual buffer, the usual one, and as tuned]
    #[arg(long, value_name = "NAME=VALUES", value_parser = values, env = "EXECLAB_FIND_SETTINGS")]
    pub settings: Option<Values>,
    /// What is asked [default: both questions of the experiment]
    #[arg(long, value_enum, value_delimiter = ',', env = "EXECLAB_FIND_ASK")]
    pub ask: Vec<QuestionArg>,
    /// Scenario [default: `absolute`; of loss-knee `burst-over-buffers`; isolation is always that of `quiet-victim`]
    #[arg(long, value_name = "NAME", env = "EXECLAB_FIND_WORKLOAD")]
    pub workload: Option<String>,
    /// Execs in each trial: a life did where all of them were seen; a rate is kept for so many [default: 16 for lives,
    /// 1000 for rates]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..),
        env = "EXECLAB_FIND_EXECS"
    )]
    pub execs: Option<u32>,
    /// How long payloads live where that is not what is searched, as in `0` or `250ms`
    #[arg(long, value_name = "TIME", default_value = "0", value_parser = life, env = "EXECLAB_FIND_LIFETIME")]
    pub lifetime: u64,
    /// The longest life that is looked at
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = life, env = "EXECLAB_FIND_MOST_LIFE")]
    pub most_life: u64,
    /// The largest burst that is looked at; guests are as large as it needs
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1536,
        value_parser = clap::value_parser!(u32).range(64..),
        env = "EXECLAB_FIND_MOST_BURST"
    )]
    pub most_burst: u32,
    /// The highest rate that is looked at
    #[arg(
        long,
        value_name = "N",
        default_value_t = 16384,
        value_parser = clap::value_parser!(u32).range(128..),
        env = "EXECLAB_FIND_MOST_RATE"
    )]
    pub most_rate: u32,
    /// `N` (which is `0..N`) or `A..B`
    #[arg(long, value_name = "SEEDS", default_value = "32", value_parser = seeds, env = "EXECLAB_SEEDS")]
    pub seeds: (u64, u64),
    /// How close both bounds of a seed must come, as a share of the higher one; 0 is to the last instruction or exec
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, value_parser = share, env = "EXECLAB_FIND_PRECISION")]
    pub precision: f64,
    /// Trials at once [default: by processors and memory]
    #[arg(short, long, value_name = "N", env = "EXECLAB_JOBS")]
    pub jobs: Option<NonZeroUsize>,
    /// Run directory, new or empty [default: execlab-out/TIME]
    #[arg(
        long,
        value_name = "DIR",
        env = "EXECLAB_OUT",
        conflicts_with = "resume"
    )]
    pub out: Option<PathBuf>,
    /// Go on with a search that was cut off, as it was asked: what it ran is not run again
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with_all = [
            "backend", "kernel", "settings", "ask", "workload", "execs", "lifetime", "most_life", "most_burst",
            "most_rate", "seeds", "precision",
        ],
        env = "EXECLAB_RESUME"
    )]
    pub resume: Option<PathBuf>,
    /// Print the questions with a guess at how many trials they take, and run nothing
    #[arg(long, env = "EXECLAB_DRY_RUN", value_parser = FalseyValueParser::new())]
    pub dry_run: bool,
    /// How the answers are printed
    #[arg(long, value_enum, default_value_t, env = "EXECLAB_FIND_FORMAT")]
    pub format: FindFormat,
    #[command(flatten)]
    pub kernel_store: KernelStoreArgs,
    /// Rules of a laboratory without machines, for tests of execlab itself
    #[arg(long, value_name = "RULES", env = "EXECLAB_LAB_FAKE", hide = true)]
    pub lab_fake: Option<String>,
}

impl FindArgs {
    /// What is searched for, where it was said.
    pub fn experiment(&self) -> Option<What> {
        self.what.map(|what| match what {
            WhatArg::BlindWindow => What::BlindWindow,
            WhatArg::LossKnee => What::LossKnee,
            WhatArg::Isolation => What::Isolation,
        })
    }

    /// What is asked for, as far as arguments say it.
    pub fn asked(&self) -> Result<Asked, MatrixError> {
        // Only a search that goes on has none, and it does not ask for this.
        let what = self.experiment().unwrap_or(What::BlindWindow);
        let lives = what == What::BlindWindow;
        let both = if lives {
            [Question::Seen, Question::RightPath]
        } else {
            [Question::Burst, Question::Rate]
        };
        let mut questions = Vec::new();
        for &question in &self.ask {
            let question = question.named();
            if !both.contains(&question) {
                let [one, other] = both.map(Question::as_str);
                return Err(wrong(
                    "--ask",
                    format!(
                        "{} is not asked about `{}`: it asks `{one}` and `{other}`",
                        what.as_str(),
                        question.as_str()
                    ),
                ));
            }
            if !questions.contains(&question) {
                questions.push(question);
            }
        }
        if questions.is_empty() {
            questions.extend(both);
        }
        let workload = match (what, &self.workload) {
            (What::Isolation, Some(other)) if other != VICTIM => {
                return Err(wrong(
                    "--workload",
                    format!("isolation is that of `{VICTIM}`: `{other}` has no quiet container"),
                ));
            }
            (What::Isolation, _) => VICTIM,
            (_, Some(name)) => name,
            (What::LossKnee, None) => "burst-over-buffers",
            (What::BlindWindow, None) => "absolute",
        };
        Ok(Asked {
            what,
            kernels: self.kernel.clone(),
            backends: self.backend.clone(),
            settings: self.settings.clone(),
            workload: workload.to_owned(),
            execs: self.execs.unwrap_or(if lives { 16 } else { 1_000 }),
            lifetime_ns: self.lifetime,
            seeds: self.seeds,
            precision: self.precision,
            questions: questions
                .into_iter()
                .map(|q| self.asking(what, q))
                .collect(),
        })
    }

    fn asking(&self, what: What, question: Question) -> Asking {
        let (least, first, most) = match question {
            // Below a microsecond a life is no longer than what ends it takes.
            Question::Seen | Question::RightPath => (0, 1_000, self.most_life),
            // In a smaller burst the quiet container makes no exec.
            Question::Burst if what == What::Isolation => (32, 64, self.most_burst.into()),
            Question::Burst => (1, 1, self.most_burst.into()),
            Question::Rate => (64, 64, self.most_rate.into()),
        };
        Asking {
            question,
            least,
            first,
            most,
        }
    }
}

/// The scenario of a quiet container with a neighbour.
const VICTIM: &str = "quiet-victim";

impl QuestionArg {
    fn named(self) -> Question {
        match self {
            Self::Seen => Question::Seen,
            Self::RightPath => Question::RightPath,
            Self::Burst => Question::Burst,
            Self::Rate => Question::Rate,
        }
    }
}

fn wrong(flag: &'static str, what: String) -> MatrixError {
    MatrixError::Invalid(vec![Problem {
        origin: Origin::Flag(flag),
        what,
    }])
}

fn values(text: &str) -> Result<Values, String> {
    let how = || format!("`{text}` is no setting with values: write it as `rcvbuf=65536,212992`");
    let (setting, values) = text.split_once('=').ok_or_else(how)?;
    let mut all: Vec<String> = Vec::new();
    for value in values.split(',').map(str::trim).filter(|v| !v.is_empty()) {
        if !all.iter().any(|known| known == value) {
            all.push(value.to_owned());
        }
    }
    if setting.is_empty() || all.is_empty() {
        return Err(how());
    }
    Ok(Values {
        setting: setting.trim().to_owned(),
        values: all,
    })
}

fn life(text: &str) -> Result<u64, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|s| (0.0..1.0).contains(s));
    share.ok_or_else(|| format!("`{text}` is no share: write a number from 0 up to, but not, 1"))
}
