//! `cargo xtask test`.

use anyhow::Result;
use clap::Args;

use crate::{kernels, machine, process};

/// Everything that can fail: formatting, lints, tests without guests, tests with guests.
#[derive(Debug, Args)]
pub struct Test {
    /// Leave out the tests that boot guests
    #[arg(long)]
    no_guests: bool,
    /// Also watch this host with every backend, as root; see the feature `live` of `backends/`
    #[arg(long)]
    live: bool,
}

impl Test {
    /// Formatting and lints first: they are quick, and CI is to say the cheapest thing first. The
    /// tests come last, all in one go, so that the last lines are their summary.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
        process::run(
            process::cargo()
                .args(["clippy", "--quiet", "--workspace", "--all-targets"])
                .args([
                    "--features",
                    "execlab-harness/guests,execlab-backends/live",
                    "--",
                    "-D",
                    "warnings",
                ]),
        )?;
        let mut test = process::cargo();
        // No documentation tests: there are none, and asking for them links a program for each crate.
        test.args(["test", "--workspace", "--lib", "--bins", "--tests"]);
        if self.live {
            test.args(["--features", "execlab-backends/live"]);
        }
        if !self.no_guests {
            let execlab = process::execlab(process::Profile::Dev)?;
            let releases = kernels::oldest_and_newest(&execlab)?;
            test.args(["--features", "execlab-harness/guests"])
                .env("EXECLAB_TEST_KERNELS", releases.join(","));
        }
        process::run(&mut test)
    }
}
