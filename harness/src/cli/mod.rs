//! Arguments in, exit code out.

mod args;
mod commands;
mod completions;
mod errors;
mod examples;
mod interrupt;
mod laboratory;
mod output;
mod selection;

use std::{panic::catch_unwind, process};

use clap::{CommandFactory as _, FromArgMatches as _};
use execlab_model::exit::ExitCode;

use self::{args::Cli, errors::ExpectedError};

/// Runs the command that the process was started with.
pub fn main() -> process::ExitCode {
    let code = catch_unwind(|| match parse() {
        Ok(cli) => run(cli),
        Err(error) => {
            // Help and version are answers; whatever else clap says is about wrong arguments.
            let wrong = error.use_stderr();
            let _ = error.print();
            if wrong {
                ExitCode::Config
            } else {
                ExitCode::Ok
            }
        }
    });
    let code = code.unwrap_or_else(|_| {
        eprintln!(
            "error: this is a defect of execlab itself; please report it with the lines above"
        );
        ExitCode::Internal
    });
    process::ExitCode::from(code.code())
}

fn parse() -> Result<Cli, clap::Error> {
    let matches = command().try_get_matches()?;
    Cli::from_arg_matches(&matches)
}

/// The whole command with everything that help, manual and completions are made from.
fn command() -> clap::Command {
    let all = Cli::command();
    let names: Vec<String> = all
        .get_subcommands()
        .map(|command| command.get_name().to_owned())
        .collect();
    let with_help = |all: clap::Command, name: &String| {
        all.mut_subcommand(name, |command| {
            let text = examples::after_help(command.get_name());
            command.after_long_help(text)
        })
    };
    names
        .iter()
        .fold(all.after_long_help(args::exit_codes()), with_help)
}

fn run(cli: Cli) -> ExitCode {
    let stderr = output::Stderr::new(cli.color);
    match commands::run(cli, stderr) {
        Ok(code) => code,
        Err(ExpectedError::Stdout(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            // Whoever read the output has seen enough.
            ExitCode::Ok
        }
        Err(error) => {
            error.print(stderr);
            error.exit_code()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        command().debug_assert();
    }

    /// Every command with all that is below it.
    fn commands(of: &clap::Command) -> Vec<clap::Command> {
        let below = of.get_subcommands().flat_map(commands);
        [of.clone()].into_iter().chain(below).collect()
    }

    #[test]
    fn every_option_has_a_twin_in_the_environment() {
        let mut all = command();
        all.build();
        let lacking: Vec<String> = commands(&all)
            .iter()
            .filter(|command| !command.is_hide_set() && command.get_name() != "help")
            .flat_map(|command| {
                let options = command.get_arguments().filter(|arg| !arg.is_positional());
                let without = options.filter(|arg| arg.get_env().is_none());
                let of_clap =
                    |arg: &&clap::Arg| !["help", "version"].contains(&arg.get_id().as_str());
                let names = without.filter(of_clap).map(|arg| arg.get_id().to_string());
                names
                    .map(|name| format!("{} {name}", command.get_name()))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(lacking.is_empty(), "{lacking:#?}");
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        let help = args::exit_codes();
        for code in ExitCode::BY_PRECEDENCE {
            assert!(help.contains(&format!("{:>4}  {}", code.code(), code.meaning())));
        }
    }
}
