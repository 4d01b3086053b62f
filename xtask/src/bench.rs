//! `cargo xtask bench`: what is claimed of speed, memory and repetition, shown as ratios in one run.

mod matrix;
pub mod numbers;
mod repeat;
mod runs;
mod spread;
mod truth;
mod warm;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{machine, process};

/// Which of the claims.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to show
    #[arg(value_enum, default_values_t = [What::Truth, What::Scoring, What::Warm])]
    what: Vec<What>,
    /// An `execlab` to use in place of one built from here
    #[arg(long)]
    execlab: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// What truth costs a storm, against a bare loop
    Truth,
    /// Time and memory of scoring a million execs, against a hundred thousand
    Scoring,
    /// Wall time of warm trials, against cold ones
    Warm,
    /// Time and memory of a report of 10,620 trials, and of its page in a headless Chromium
    Report,
    /// 240 trials, end to end (some ten minutes)
    Matrix,
    /// 200 repetitions of one trial, idle and under load, one at a time and two (ten minutes)
    Repeat,
    /// Costs over 200 seeds, and a planted slowdown of one per cent (an hour)
    Spread,
}

impl Bench {
    /// One after the other; the first claim that does not hold is an error.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        let execlab = match self.execlab {
            Some(path) => path,
            None => process::execlab(process::Profile::Release)?,
        };
        for what in self.what {
            match what {
                What::Truth => truth::run(&execlab)?,
                What::Scoring => {
                    process::run(process::cargo().args(["bench", "--package", "execlab-harness"]))?;
                }
                What::Warm => warm::run(&execlab)?,
                What::Report => crate::pictures::example("large", &[])?,
                What::Matrix => matrix::run(&execlab)?,
                What::Repeat => repeat::run(&execlab)?,
                What::Spread => spread::run(&execlab)?,
            }
        }
        Ok(())
    }
}

/// Where a benchmark keeps its runs.
fn folder(name: &str) -> PathBuf {
    process::workspace().join("target/bench").join(name)
}
