//! How a monitor is told to stop: SIGTERM or SIGINT, as a descriptor that can be polled.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

/// Raised once SIGTERM or SIGINT arrived, and never lowered.
#[derive(Debug)]
pub struct Stop(SignalFd);

impl Stop {
    /// Blocks the two signals in this thread and in those it starts later.
    pub fn on_signals() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        signals.add(Signal::SIGTERM);
        signals.add(Signal::SIGINT);
        signals.thread_block()?;
        Ok(Self(SignalFd::with_flags(
            &signals,
            SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK,
        )?))
    }

    /// Readable from the moment the stop is raised. Nobody reads it, so it stays so.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// Whether it is raised, without waiting.
    pub fn raised(&self) -> bool {
        self.wait(Duration::ZERO)
    }

    /// Sleeps until it is raised or the time is over; whether it is raised.
    pub fn wait(&self, time: Duration) -> bool {
        let millis = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
        let mut fds = [PollFd::new(self.fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(millis)).is_ok_and(|ready| ready > 0)
    }
}
