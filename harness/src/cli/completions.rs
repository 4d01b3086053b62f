//! Scripts by which shells complete commands, options and the values that this build knows.

use clap::{Command, builder::PossibleValuesParser};
use clap_complete::{Shell, generate};
use execlab_harness::{
    documents::Format,
    registry::{PROPERTIES, Registry},
};
use execlab_model::result::Lab;

/// The name that shells know the program by.
const NAME: &str = "execlab";

/// The script of one shell.
pub fn script(command: Command, shell: Shell) -> String {
    let mut script = Vec::new();
    generate(shell, &mut with_values(command), NAME, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// With the names of kernels, backends and the like as values of options that take them. Only for completions: what is
/// parsed may be a list of them, or hold more than names.
fn with_values(command: Command) -> Command {
    let known = command.get_name().to_owned();
    let command = command.mut_args(|arg| {
        let closed = !arg.get_possible_values().is_empty();
        match values(&known, arg.get_id().as_str()) {
            Some(names) if !closed => arg.value_parser(PossibleValuesParser::new(names)),
            _ => arg,
        }
    });
    command.mut_subcommands(with_values)
}

fn values(command: &str, option: &str) -> Option<Vec<String>> {
    let registry = Registry::of_this_build();
    let takes_all = matches!(
        (command, option),
        ("run" | "trials", _) | ("find", "backend")
    );
    let with_all = |names: Vec<String>| {
        let all = takes_all.then(|| "all".to_owned());
        names.into_iter().chain(all).collect()
    };
    let names = match option {
        // Of these, pairs.
        "kernels" if command == "compare" => return None,
        "kernels" | "kernel" => registry.kernels,
        "backends" | "backend" => with_all(registry.backends.into_iter().map(|b| b.name).collect()),
        "workloads" | "workload" => {
            with_all(registry.scenarios.into_iter().map(|s| s.name).collect())
        }
        "without" => PROPERTIES.iter().map(|p| p.name.to_owned()).collect(),
        "lab" => Lab::ALL.map(|lab| lab.as_str().to_owned()).to_vec(),
        "format" if ["run", "report", "merge"].contains(&command) => Format::ALL
            .map(|format| format.as_str().to_owned())
            .to_vec(),
        _ => return None,
    };
    Some(names)
}
