//! `execlab-host supervise DIR SECONDS`, `execlab-host run DIR`: the parts of a trial on a host that are
//! processes of their own (see [`execlab_trial::host`]).
//!
//! Started by the harness; people use `execlab`.

use std::{path::Path, process::ExitCode, time::Duration};

use execlab_trial::host::{runner, session::Session, supervisor};

fn main() -> ExitCode {
    // It is started from a descriptor, which would be its name. People look for it by another.
    let _ = nix::sys::prctl::set_name(c"execlab-host");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["supervise", dir, seconds] => match seconds.parse() {
            Ok(seconds) => {
                let session = Session::at(Path::new(dir));
                supervisor::supervise(&session, Duration::from_secs(seconds))
                    .map_err(|error| error.to_string())
            }
            Err(_) => Err(format!("`{seconds}` is no number of seconds")),
        },
        ["run", dir] => runner::run(&Session::at(Path::new(dir))).map_err(|e| e.to_string()),
        _ => Err("usage: execlab-host supervise DIR SECONDS | run DIR".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("execlab-host: {message}");
            ExitCode::FAILURE
        }
    }
}
