//! One file for each command.

mod backends;
mod baseline;
mod compare;
mod conformance;
mod decide;
mod doctor;
mod find;
pub mod kernels;
mod list;
mod merge;
mod replay;
mod report;
mod run;
mod step;
mod watch;

use std::{fs, path::Path};

use clap_mangen::Man;
use execlab_harness::{ci::Workflow, store::StoreError};
use execlab_model::exit::ExitCode;

use super::{
    args::{Cli, Command},
    command, completions,
    errors::ExpectedError,
    output::{self, Stderr},
};

/// Does what was asked for.
pub fn run(cli: Cli, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    match cli.command {
        Command::Run(args) => return run::run(*args, cli.color, stderr),
        Command::List { what } => list::run(what)?,
        Command::Doctor(args) => return doctor::run(&args, cli.color, stderr),
        Command::Kernels { what } => kernels::run(what, stderr)?,
        Command::Watch(args) => return watch::run(args),
        Command::Replay(args) => return replay::run(&args, stderr),
        Command::Report(args) => return report::run(&args, cli.color, stderr),
        Command::Merge(args) => return merge::run(&args, cli.color, stderr),
        Command::Ci(args) => output::print(&Workflow::from(args).render()?)?,
        Command::Compare(args) => return compare::run(&args, cli.color, stderr),
        Command::Baseline { what } => baseline::run(what, stderr)?,
        Command::Decide(args) => return decide::run(&args, stderr),
        Command::Find(args) => return find::run(&args, cli.color, stderr),
        Command::Completions { shell } => output::print(&completions::script(command(), shell))?,
        Command::Man { out: Some(dir), .. } => pages(&dir)?,
        Command::Man { command, .. } => man(command.as_deref())?,
    }
    Ok(ExitCode::Ok)
}

/// Writes the pages of all commands.
fn pages(dir: &Path) -> Result<(), ExpectedError> {
    let written = fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(command(), dir));
    written.map_err(|source| {
        StoreError::Write {
            path: dir.to_owned(),
            source,
        }
        .into()
    })
}

fn man(name: Option<&str>) -> Result<(), ExpectedError> {
    let mut all = command();
    all.build();
    let page = match name {
        None => all,
        Some(name) => {
            let sub = all
                .get_subcommands()
                .find(|c| c.get_name() == name)
                .ok_or_else(|| ExpectedError::NoSuchCommand(name.to_owned()))?;
            sub.clone()
        }
    };
    let mut text = Vec::new();
    Man::new(page)
        .render(&mut text)
        .map_err(ExpectedError::Stdout)?;
    output::print(&String::from_utf8_lossy(&text))
}
