//! What a developer or CI runs: `cargo xtask demo`, `cargo xtask test`, `cargo xtask fuzz`,
//! `cargo xtask bench`.
//!
//! Thin on purpose: each command makes sure that this machine has what is needed, then calls cargo
//! and the `execlab` binary as a user would.

mod bench;
mod conformance;
mod costs;
mod demo;
mod fuzz;
mod gate;
mod kernels;
mod machine;
mod pictures;
mod process;
#[path = "../../harness/build/programs/mod.rs"]
mod programs;
mod reproducible;
mod test;
mod workflows;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Commands for developers and CI.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the main job: three kernels, every backend, every scenario; ends with a scored matrix
    Demo(demo::Demo),
    /// Run every test, with real guests on the oldest and the newest kernel
    Test(test::Test),
    /// Fuzz what reads bytes from a kernel, a guest or a file, ten minutes for each target
    Fuzz(fuzz::Fuzz),
    /// Show what is claimed of speed, memory and repetition, as ratios in one run
    Bench(bench::Bench),
    /// Show that `execlab compare` is silent where nothing changed and finds one per cent (an hour and more)
    Gate(gate::Gate),
    /// Renew the conformance table: every backend, scenario and kernel (some half an hour)
    Conformance(conformance::Conformance),
    /// Renew docs/costs.md: what every backend adds to an exec, as it comes and tuned, on every kernel
    Costs(costs::Costs),
    /// Take the pictures of a report for docs/, in a headless Chromium
    Pictures(pictures::Pictures),
    /// Show that the programs of a guest are the same from every checkout, and that a change to one
    /// backend changes one monitor; takes some minutes
    Reproducible,
    /// Check the workflows of examples/ci with a linter
    Workflows,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Test(test) => test.run(),
        Command::Fuzz(fuzz) => fuzz.run(),
        Command::Bench(bench) => bench.run(),
        Command::Gate(gate) => gate.run(),
        Command::Conformance(conformance) => conformance.run(),
        Command::Costs(costs) => costs.run(),
        Command::Pictures(pictures) => pictures.run(),
        Command::Reproducible => reproducible::run(),
        Command::Workflows => workflows::run(),
    }
}
