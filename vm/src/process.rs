//! A QEMU that runs.

use std::{
    ffi::OsString,
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::Instant,
};

use crate::{
    qemu::{Engine, Qemu},
    qmp::{Qmp, QmpError},
    turns::Turns,
};

/// A running QEMU; killed and reaped when dropped, and killed by the kernel when its starter dies.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    turns: Option<Turns>,
}

impl Process {
    /// Starts it; what it prints as errors goes into the file `printed`.
    pub(crate) fn start(
        qemu: &Qemu,
        engine: &Engine,
        arguments: &[OsString],
        printed: File,
    ) -> io::Result<Self> {
        let mut command = Command::new(qemu.program());
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(printed)
            // A Ctrl-C of the user is for execlab, which then waits for its guests.
            .process_group(0);
        let parent = std::process::id();
        // SAFETY: prctl and getppid are async-signal-safe and touch no memory.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // The parent may have died before the line above took effect.
                if libc::getppid().unsigned_abs() != parent {
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
                Ok(())
            });
        }
        let turns = match engine {
            Engine::Counting => Some(Turns::new()?),
            Engine::Real { .. } => None,
        };
        if let Some(turns) = &turns {
            turns.load_into(&mut command);
        }
        let child = command.spawn()?;
        Ok(Self { child, turns })
    }

    /// Greets over its standard input and output; once only.
    pub(crate) fn talk(&mut self, deadline: Instant) -> Result<Qmp, QmpError> {
        match (self.child.stdin.take(), self.child.stdout.take()) {
            (Some(orders), Some(answers)) => Qmp::greet(orders, answers, deadline),
            _ => Err(QmpError::HungUp),
        }
    }

    /// Whether it counts instructions without having taken [turns](Turns).
    pub(crate) fn is_unguarded(&self) -> bool {
        self.turns.as_ref().is_some_and(|turns| !turns.are_taken())
    }

    /// Whether and how it has ended.
    pub(crate) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end; for one that has hung up, and so is about to.
    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// What it printed as errors.
    pub(crate) fn printed(file: &Path) -> String {
        let bytes = std::fs::read(file).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only where it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
