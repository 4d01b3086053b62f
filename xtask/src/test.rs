//! `cargo xtask test`.

use anyhow::Result;
use clap::Args;

use crate::{kernels, machine, process, programs, workflows};

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
    /// One set for all tests that need more than cargo, so that nothing is built twice. The host lab's
    /// own tests leave nothing behind; with `--live` they take audit in, which does.
    fn features(&self) -> &'static str {
        if self.live {
            "guests,live"
        } else {
            "guests,host"
        }
    }

    /// The cheapest first: formatting and lints, tests without guests, tests with guests, tests of this machine's
    /// lab, whose summary is the last line.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
        process::run(
            process::cargo()
                .args(["clippy", "--quiet", "--workspace", "--all-targets"])
                .args([
                    "--features",
                    "execlab-harness/guests,execlab-harness/live,execlab-backends/live,execlab-reports/browser",
                    "--",
                    "-D",
                    "warnings",
                ]),
        )?;
        // As a guest's monitors are built: what one backend needs must not come from another's.
        for backend in programs::backends(process::workspace()).map_err(anyhow::Error::msg)? {
            process::run(
                process::cargo()
                    .args(["clippy", "--quiet", "--package", "execlab-backends"])
                    .args(["--no-default-features", "--features", &backend])
                    .args(["--", "-D", "warnings"]),
            )?;
        }
        workflows::run()?;
        let mut test = process::cargo();
        // No documentation tests: there are none, and asking for them links a program for each crate.
        test.args(["test", "--workspace", "--no-fail-fast"])
            .args(["--lib", "--bins", "--tests"]);
        if self.live {
            test.args(["--features", "execlab-backends/live"]);
        }
        process::run(&mut test)?;
        let mut browser = process::cargo();
        browser
            .args(["test", "--package", "execlab-reports"])
            .args(["--features", "browser", "--test", "browser"]);
        if self.no_guests {
            return process::run(&mut browser);
        }
        let execlab = process::execlab(process::Profile::Dev)?;
        let releases = kernels::oldest_and_newest(&execlab)?;
        let tests = |targets: &[&str]| {
            let mut tests = process::cargo();
            tests
                .args(["test", "--no-fail-fast", "--package", "execlab-harness"])
                .args(["--features", self.features()])
                .args(targets.iter().flat_map(|target| ["--test", target]))
                .env("EXECLAB_TEST_KERNELS", releases.join(","));
            tests
        };
        let is_root = nix::unistd::geteuid().is_root();
        let all: &[&str] = if is_root {
            &["faults", "guests", "host_lab"]
        } else {
            &["faults", "guests"]
        };
        process::run(tests(all).arg("--no-run"))?;
        // Faults and the browser mostly wait, and guests mostly compute. What the lab host is compared with has to be
        // quiet.
        let browser = process::Beside::start(browser)?;
        let faults = process::Beside::start(tests(&["faults"]))?;
        let guests = process::run(&mut tests(&["guests"]));
        let beside = browser.end().and(faults.end());
        // One that fails keeps no other from being run.
        let host = if is_root {
            process::run(&mut tests(&["host_lab"]))
        } else {
            eprintln!("left out: the tests of the lab host, which need root");
            Ok(())
        };
        beside.and(guests).and(host)
    }
}
