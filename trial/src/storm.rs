//! The storm's process, held from outside.

use std::{
    fs,
    io::{self, Read},
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use execlab_model::{
    Bytes,
    plan::{CanaryKind, TrialPlan},
    workload::{Load, Workload},
};
use execlab_workloads::{
    clock::monotonic_ns,
    protocol::{Answer, Order, Report, receive, send},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use nix::unistd::getpid;

use crate::{
    PADDING, Programs, TrialError,
    call::{self, RENDEZVOUS, as_os_str, pairs, rendezvous},
    cgroups::Cgroups,
    die_with,
};

/// What came of a storm's preparation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prepared {
    /// It can begin.
    Ready {
        /// Whether there is a bare loop of what was prepared.
        bare: bool,
    },
    /// This kernel cannot make such execs; the evidence.
    Unsupported(String),
}

/// A running storm; killed when dropped before its report.
#[derive(Debug)]
pub struct StormProcess {
    child: Child,
    orders: ChildStdin,
    answers: ChildStdout,
    patience_ns: u64,
}

/// How long the storm may take for an answer in which it makes no execs: a hundred times as long as the
/// slowest. In a guest that idles, this passes in a moment.
const PATIENCE_NS: u64 = 120 * 1_000_000_000;
/// For each exec on top of its life and its turn: the slowest monitors take a hundredth of it.
const EXEC_NS: u64 = 200_000_000;

impl StormProcess {
    /// Starts it in its cgroup, with so many bytes more in its environment; by the monitor's program where it is
    /// `launched` by that plan's monitor.
    pub fn start(
        programs: &Programs,
        cgroups: &Cgroups,
        padding: usize,
        launched: Option<&TrialPlan>,
    ) -> Result<Self, TrialError> {
        let procs = cgroups.storm().join("cgroup.procs");
        let this = getpid();
        let mut command = match launched {
            None => Command::new(&programs.storm),
            Some(plan) => launcher(plan, programs),
        };
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
            patience_ns: PATIENCE_NS,
        })
    }

    /// Everything up to the first exec.
    pub fn prepare(
        &mut self,
        workload: &Workload,
        seed: u64,
        canary: CanaryKind,
    ) -> Result<Prepared, TrialError> {
        self.patience_ns = patience_ns(workload);
        let order = Order::Prepare {
            workload: workload.clone(),
            seed,
            canary,
        };
        match self.ask(&order, "prepare the storm")? {
            Answer::Prepared { bare } => Ok(Prepared::Ready { bare }),
            Answer::Unsupported(why) => Ok(Prepared::Unsupported(why)),
            other => Err(unexpected("prepare the storm", &other)),
        }
    }

    /// One canary, from its start to its end; its host pid, and the path of what it executed.
    pub fn canary(&mut self, id: u32, lifetime_ns: u64) -> Result<(u32, Bytes), TrialError> {
        match self.ask(&Order::Canary { id, lifetime_ns }, "run a canary")? {
            Answer::Canary(pid, path) => Ok((pid, path)),
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
        let mut answers = Patient {
            from: &mut self.answers,
            patience_ns: self.patience_ns,
            deadline_ns: monotonic_ns().saturating_add(self.patience_ns),
        };
        receive(&mut answers).map_err(TrialError::at(what))
    }
}

/// The monitor's program, told to become the storm. The storm's own arguments follow.
fn launcher(plan: &TrialPlan, programs: &Programs) -> Command {
    let mut command = call::command(plan, programs);
    command.arg("launch").env(RENDEZVOUS, rendezvous(programs));
    match &plan.program {
        Some(call) => command.args(call.arguments.iter().map(as_os_str)),
        None => command.arg(&plan.backend).args(pairs(&plan.settings)),
    };
    command.arg("--").arg(&programs.storm);
    command
}

/// Reads until a time of `CLOCK_MONOTONIC`: a storm that hangs is not waited for without an end.
struct Patient<'a> {
    from: &'a mut ChildStdout,
    patience_ns: u64,
    deadline_ns: u64,
}

impl Read for Patient<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let left_ms = self.deadline_ns.saturating_sub(monotonic_ns()) / 1_000_000;
            let left = PollTimeout::try_from(left_ms).unwrap_or(PollTimeout::MAX);
            let mut waiting = [PollFd::new(self.from.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, left) {
                Ok(0) if left_ms > 0 => {}
                Ok(0) => {
                    let seconds = self.patience_ns / 1_000_000_000;
                    let what = format!("the storm hangs: no answer within {seconds} s");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
                Ok(_) => return self.from.read(into),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

/// How long a storm is waited for, in nanoseconds: far more than the workload takes, and less than for ever.
pub fn patience_ns(workload: &Workload) -> u64 {
    let turn_ns = match workload.load {
        Load::Rate(per_second) => 1_000_000_000 / u64::from(per_second.max(1)),
        Load::Closed | Load::Burst(_) => 0,
    };
    // Lives and turns are perturbed by a tenth and less.
    let exec_ns = workload.lifetime_ns.saturating_add(turn_ns);
    let exec_ns = exec_ns.saturating_mul(2).saturating_add(EXEC_NS);
    let execs = u64::from(workload.execs) + u64::from(workload.population);
    exec_ns.saturating_mul(execs).saturating_add(PATIENCE_NS)
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

#[cfg(test)]
mod tests {
    use execlab_model::workload::Spawn;

    use super::*;

    #[test]
    fn patience_grows_with_what_is_asked_for() {
        let mut workload = Workload {
            scenario: "absolute".into(),
            load: Load::Closed,
            execs: 10,
            lifetime_ns: 0,
            spawn: Spawn::Vfork,
            population: 0,
        };
        assert_eq!(patience_ns(&workload), 122_000_000_000);
        workload.load = Load::Rate(1);
        assert_eq!(patience_ns(&workload), 142_000_000_000);
        workload.lifetime_ns = u64::MAX;
        assert_eq!(patience_ns(&workload), u64::MAX);
    }

    #[test]
    fn a_pipe_that_stays_silent_is_given_up() {
        let mut silent = Command::new("sleep")
            .arg("1000")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answers = Patient {
            from: silent.stdout.as_mut().unwrap(),
            patience_ns: 3_000_000_000,
            deadline_ns: monotonic_ns(),
        };
        let error = receive::<Answer>(&mut answers).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(error.to_string().contains("no answer within 3 s"));
        silent.kill().unwrap();
        silent.wait().unwrap();
    }
}
