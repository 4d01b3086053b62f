//! The storm's process, held from outside.

use std::{
    fs, io,
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use execlab_model::workload::Workload;
use execlab_workloads::protocol::{Answer, Order, Report, receive, send};

use nix::unistd::getpid;

use crate::{PADDING, Programs, TrialError, cgroups::Cgroups, die_with};

/// A running storm; killed when dropped before its report.
#[derive(Debug)]
pub struct StormProcess {
    child: Child,
    orders: ChildStdin,
    answers: ChildStdout,
}

impl StormProcess {
    /// Starts it in its cgroup, with so many bytes more in its environment.
    pub fn start(
        programs: &Programs,
        cgroups: &Cgroups,
        padding: usize,
    ) -> Result<Self, TrialError> {
        let procs = cgroups.storm().join("cgroup.procs");
        let this = getpid();
        let mut command = Command::new(&programs.storm);
        command
            .args([&programs.payload, &programs.ground])
            .args([cgroups.mount(), cgroups.base()])
            .env(PADDING, "p".repeat(padding))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // What it says when it dies belongs into the serial log.
            .stderr(Stdio::inherit());
        // SAFETY: the child of a process with one thread may run any code before its exec.
        unsafe {
            command.pre_exec(move || {
                die_with(this)?;
                fs::write(&procs, "0")
            });
        }
        let mut child = command.spawn().map_err(TrialError::at(format!(
            "start {}",
            programs.storm.display()
        )))?;
        let orders = child.stdin.take().expect("asked for above");
        let answers = child.stdout.take().expect("asked for above");
        Ok(Self {
            child,
            orders,
            answers,
        })
    }

    /// Everything up to the first exec.
    pub fn prepare(&mut self, workload: &Workload, seed: u64) -> Result<(), TrialError> {
        self.done(
            &Order::Prepare {
                workload: workload.clone(),
                seed,
            },
            "prepare the storm",
        )
    }

    /// One canary, from its start to its end; its host pid.
    pub fn canary(&mut self, id: u32, lifetime_ns: u64) -> Result<u32, TrialError> {
        match self.ask(&Order::Canary { id, lifetime_ns }, "run a canary")? {
            Answer::Canary(pid) => Ok(pid),
            other => Err(unexpected("run a canary", &other)),
        }
    }

    /// Waits for the moment at which the storm is to start.
    pub fn align(&mut self) -> Result<(), TrialError> {
        self.done(&Order::Align, "wait for the storm's moment")
    }

    /// The storm itself.
    pub fn run(&mut self) -> Result<(), TrialError> {
        self.done(&Order::Storm, "run the storm")
    }

    /// So many execs again, without truth.
    pub fn bare(&mut self, execs: u32) -> Result<(), TrialError> {
        self.done(&Order::Bare(execs), "run the bare loop")
    }

    /// What really happened, and how it went; the storm ends.
    pub fn report(mut self) -> Result<Report, TrialError> {
        match self.ask(&Order::Report, "get the truth")? {
            Answer::Report(report) => Ok(*report),
            other => Err(unexpected("get the truth", &other)),
        }
    }

    fn done(&mut self, order: &Order, what: &str) -> Result<(), TrialError> {
        match self.ask(order, what)? {
            Answer::Done => Ok(()),
            other => Err(unexpected(what, &other)),
        }
    }

    fn ask(&mut self, order: &Order, what: &str) -> Result<Answer, TrialError> {
        send(&mut self.orders, order).map_err(TrialError::at(what))?;
        receive(&mut self.answers).map_err(TrialError::at(what))
    }
}

impl Drop for StormProcess {
    fn drop(&mut self) {
        // After its report it has ended or is about to; otherwise it must not outlive the trial.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn unexpected(what: &str, answer: &Answer) -> TrialError {
    let source = match answer {
        Answer::Failed(reason) => io::Error::other(reason.clone()),
        other => io::Error::other(format!("the storm answered {other:?}")),
    };
    TrialError {
        what: what.to_owned(),
        source,
    }
}
