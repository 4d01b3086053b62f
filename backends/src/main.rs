//! `execlab-monitor BACKEND [SEAM] [NAME=VALUE …]`: runs one backend as a process of its own. The seam is a
//! descriptor that it inherits; without one, what it sees are lines on its standard output.
//!
//! `execlab-monitor launch BACKEND [NAME=VALUE …] -- PROGRAM [ARGUMENT …]`: becomes that program, watched by
//! the backend's running monitor; for techniques that reach nobody else.
//!
//! What goes into a guest is built once for each backend and knows that one alone (see
//! `harness/build/`); it is called in the same way.
//!
//! Started by the trial runner; people use `execlab`. No argument parser: this binary is part of
//! what is measured and stays small.

use std::{
    collections::BTreeMap,
    fs::File,
    os::{
        fd::{FromRawFd, RawFd},
        unix::process::CommandExt,
    },
    process::{Command, ExitCode},
};

use execlab_backends::{AttachError, Backend, Monitor, Seam, Settings, Stop, find, seam::Form};
use execlab_model::seam::{Done, Message, Ready, Reason};

const STDOUT: RawFd = 1;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match start(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("execlab-monitor: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: &[String]) -> Result<(), String> {
    if let [first, rest @ ..] = arguments
        && first == "launch"
    {
        return launch(rest);
    }
    let [name, rest @ ..] = arguments else {
        return Err("usage: execlab-monitor BACKEND [SEAM] [NAME=VALUE …]".into());
    };
    let (fd, form, settings) = match rest {
        [seam, settings @ ..] if !seam.contains('=') => {
            let fd: RawFd = seam
                .parse()
                .map_err(|_| format!("`{seam}` is no descriptor"))?;
            (fd, Form::Binary, settings)
        }
        settings => (STDOUT, Form::JsonLines, settings),
    };
    let (backend, settings) = named(name, settings)?;

    // SAFETY: whoever started us opened this descriptor for us alone and named it on our command
    // line, or it is the standard output; nothing else in this process uses it.
    let seam = Seam::new(unsafe { File::from_raw_fd(fd) }, form);
    let mut seam = seam.burdened(settings.burden());
    let stop = Stop::on_signals().map_err(|e| format!("cannot wait for signals: {e}"))?;
    let say = |seam: &mut Seam, message| {
        seam.message(&message)
            .and_then(|()| seam.flush())
            .map_err(|e| e.to_string())
    };

    let mut monitor = match backend.attach(&settings) {
        Ok(monitor) => monitor,
        Err(AttachError::Unsupported(reason)) => {
            return say(&mut seam, Message::Unsupported(Reason { reason }));
        }
        Err(error) => {
            say(
                &mut seam,
                Message::Failed(Reason {
                    reason: error.to_string(),
                }),
            )?;
            return Err(error.to_string());
        }
    };
    say(&mut seam, Message::Ready(ready(backend, monitor.as_ref())))?;
    let ended = monitor.run(&mut seam, &stop);
    let notes = monitor.notes();
    drop(monitor);
    match ended {
        Ok(()) => say(&mut seam, Message::Done(Done { notes })),
        Err(error) => {
            say(
                &mut seam,
                Message::Failed(Reason {
                    reason: error.to_string(),
                }),
            )?;
            Err(error.to_string())
        }
    }
}

/// The backend of a name, with these settings.
fn named(name: &str, settings: &[String]) -> Result<(&'static dyn Backend, Settings), String> {
    let backend = find(name).ok_or_else(|| format!("no backend is called `{name}`"))?;
    let pair = |pair: &String| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    let values: Option<BTreeMap<_, _>> = settings.iter().map(pair).collect();
    let values = values.ok_or("settings are written NAME=VALUE")?;
    let settings = Settings::new(backend.settings(), values).map_err(|e| e.to_string())?;
    Ok((backend, settings))
}

/// Returns only where the program could not be executed.
fn launch(arguments: &[String]) -> Result<(), String> {
    const USAGE: &str =
        "usage: execlab-monitor launch BACKEND [NAME=VALUE …] -- PROGRAM [ARGUMENT …]";
    let mut halves = arguments.splitn(2, |argument| argument == "--");
    let (Some([name, settings @ ..]), Some([program, rest @ ..])) = (halves.next(), halves.next())
    else {
        return Err(USAGE.into());
    };
    let (backend, settings) = named(name, settings)?;
    backend.launch(&settings).map_err(|e| e.to_string())?;
    let error = Command::new(program).args(rest).exec();
    Err(format!("cannot execute {program}: {error}"))
}

fn ready(backend: &dyn Backend, monitor: &dyn Monitor) -> Ready {
    let threads = backend.kernel_threads().iter();
    Ready {
        evidence: monitor.evidence(),
        kernel_threads: threads.map(|&name| name.to_owned()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use execlab_backends::{MonitorError, Offers, Portrait, none::NoMonitor};

    use super::*;

    struct Example;

    impl Backend for Example {
        fn name(&self) -> &'static str {
            "example"
        }
        fn about(&self) -> &'static str {
            ""
        }
        fn program(&self) -> &'static str {
            ""
        }
        fn portrait(&self) -> Portrait {
            NoMonitor.portrait()
        }
        fn kernel_threads(&self) -> &'static [&'static str] {
            &["kexampled"]
        }
        fn offers(&self) -> Offers {
            Offers::default()
        }
        fn attach(&self, _: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
            Ok(Box::new(Self))
        }
        #[cfg(feature = "look")]
        fn look(&self, _: &execlab_backends::look::Roots) -> Vec<execlab_backends::look::Finding> {
            Vec::new()
        }
    }

    impl Monitor for Example {
        fn evidence(&self) -> Vec<String> {
            vec!["attached".into()]
        }
        fn run(&mut self, _: &mut Seam, _: &Stop) -> Result<(), MonitorError> {
            Ok(())
        }
    }

    #[test]
    fn what_is_said_when_attached_names_the_kernel_threads() {
        let ready = ready(&Example, &Example);
        assert_eq!(ready.evidence, ["attached"]);
        assert_eq!(ready.kernel_threads, ["kexampled"]);
    }
}
