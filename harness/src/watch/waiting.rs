//! What is to be watched, before it is begun.

use std::{
    io,
    os::{
        fd::{AsRawFd, OwnedFd},
        unix::process::CommandExt,
    },
    process::{Child, Command},
    thread::{self, JoinHandle},
};

use nix::{
    errno::Errno,
    fcntl::OFlag,
    sys::signal::{self, SigHandler, Signal},
    unistd::pipe2,
};

/// A process that becomes a command when it is told to. It is there before the monitor: a tracer that takes hold of all that
/// runs leaves out its own ancestors, and what they start later.
#[derive(Debug)]
pub struct Waiting {
    word: OwnedFd,
    starting: JoinHandle<io::Result<Child>>,
}

impl Waiting {
    /// Makes the process. When this returns it is there, and whatever is opened later is not shared with it.
    pub fn make(mut command: Command) -> io::Result<Self> {
        let (reader, word) = pipe2(OFlag::O_CLOEXEC)?;
        let (there, is_there) = pipe2(OFlag::O_CLOEXEC)?;
        let others = [word.as_raw_fd(), there.as_raw_fd()];
        let wait = move || {
            // Until it is the command, a signal is not for the handlers of the process that it was copied from.
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
                // SAFETY: the default action is no handler.
                unsafe { signal::signal(signal, SigHandler::SigDfl) }?;
            }
            for other in others {
                nix::unistd::close(other)?;
            }
            nix::unistd::write(&is_there, b"!")?;
            match nix::unistd::read(&reader, &mut [0])? {
                // Whoever would say it is gone.
                0 => Err(Errno::ECANCELED.into()),
                _ => Ok(()),
            }
        };
        // SAFETY: it makes system calls and nothing else, which is allowed between fork and exec; the descriptors that it closes
        // are the copy's own.
        unsafe { command.pre_exec(wait) };
        // It comes back when the command was executed, or could not be.
        let starting = thread::spawn(move || command.spawn());
        // A process that is made later must not have begun yet: until it is the command, the copy has every descriptor
        // that is open now, among them the one whose end tells the maker of a process that it was executed.
        match nix::unistd::read(&there, &mut [0])? {
            0 => match starting.join() {
                Ok(Err(error)) => Err(error),
                Ok(Ok(mut killed)) => {
                    let how = killed.wait()?;
                    Err(io::Error::other(format!("it ended before its time: {how}")))
                }
                Err(panic) => std::panic::resume_unwind(panic),
            },
            _ => Ok(Self { word, starting }),
        }
    }

    /// Lets it be the command. Where it was killed before, that is how the command ended.
    pub fn go(self) -> io::Result<Child> {
        // Nobody hears it where the process is gone.
        let _ = nix::unistd::write(&self.word, b"!");
        let started = self.starting.join();
        started.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsFd, unix::process::ExitStatusExt};

    use nix::{
        poll::{PollFd, PollFlags, PollTimeout, poll},
        unistd::Pid,
    };

    use super::*;

    #[test]
    fn what_is_opened_later_is_not_shared_with_it() {
        for _ in 0..50 {
            let waiting = Waiting::make(Command::new("/bin/true")).unwrap();
            let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap();
            drop(writer);
            // A child that another test is just making has a copy, until it executes.
            let mut end = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
            let answers = poll(&mut end, PollTimeout::from(60_000_u16)).unwrap();
            assert_eq!(answers, 1, "a copy of the writing end is still open");
            assert!(waiting.go().unwrap().wait().unwrap().success());
        }
    }

    #[test]
    fn one_that_was_killed_is_a_command_that_has_ended() {
        let (said, says) = pipe2(OFlag::O_CLOEXEC).unwrap();
        let mut command = Command::new("/bin/true");
        let tell = move || {
            nix::unistd::write(&says, &std::process::id().to_ne_bytes())?;
            Ok(())
        };
        // SAFETY: it makes two system calls.
        unsafe { command.pre_exec(tell) };
        let waiting = Waiting::make(command).unwrap();
        let mut pid = [0; 4];
        assert_eq!(nix::unistd::read(&said, &mut pid), Ok(4));
        let pid = Pid::from_raw(i32::from_ne_bytes(pid));
        signal::kill(pid, Signal::SIGINT).unwrap();
        let mut ended = waiting.go().unwrap();
        let signal = ended.wait().unwrap().signal();
        assert_eq!(signal, Some(Signal::SIGINT as i32));
    }

    #[test]
    fn what_cannot_be_executed_is_an_error_of_its_go() {
        let waiting = Waiting::make(Command::new("/nonexistent/program")).unwrap();
        let error = waiting.go().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
