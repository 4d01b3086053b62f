//! A process that owns audit, takes every record and does nothing with it: what stands beside a reader of the
//! multicast group where a machine has no audit daemon of its own.

use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{prctl, signal::Signal, wait::waitpid},
    unistd::{ForkResult, Pid, fork},
};

use super::{
    batch::Batch,
    control::{self, Control},
    wire::Status,
};

/// Records that it takes with one call.
const BATCH: usize = 64;

/// A running stand-in. Dropping it ends the process, which gives audit back before.
#[derive(Debug)]
pub struct StandIn {
    pid: Pid,
    /// The process ends when this is closed.
    line: Option<UnixStream>,
}

impl StandIn {
    /// Starts the process, which becomes audit's owner. `None` where audit has an owner already.
    pub fn start() -> io::Result<Option<Self>> {
        let (mut ours, theirs) = UnixStream::pair()?;
        // SAFETY: this process has one thread (a monitor starts none before it is attached), so the child may
        // do whatever its parent could. It never returns from `serve`.
        match unsafe { fork() }? {
            ForkResult::Child => {
                drop(ours);
                let code = serve(theirs).map_or(1, |()| 0);
                // SAFETY: ends the process at once; what its parent's memory held is the parent's to clean up.
                unsafe { libc::_exit(code) }
            }
            ForkResult::Parent { child } => {
                drop(theirs);
                let mut answer = [0; 4];
                let answered = ours.read_exact(&mut answer);
                let this = Self {
                    pid: child,
                    line: Some(ours),
                };
                answered?;
                match i32::from_ne_bytes(answer) {
                    0 => Ok(Some(this)),
                    libc::EEXIST => Ok(None),
                    errno => Err(io::Error::from_raw_os_error(errno)),
                }
            }
        }
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.line = None;
        // Where it cannot be waited for it has ended.
        let _ = waitpid(self.pid, None);
    }
}

/// The life of the stand-in: says by an error number whether it became the owner, then takes records until the
/// other end of `line` is closed.
fn serve(mut line: UnixStream) -> io::Result<()> {
    // Its parent may be killed, and nobody would wait for it then.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let registered = control::open().and_then(|socket| {
        control::become_owner(&socket, |_| {})?;
        Ok(socket)
    });
    let errno = |error: &control::Refused| error.errno().unwrap_or(libc::EIO);
    let answer = registered.as_ref().err().map_or(0, errno);
    line.write_all(&answer.to_ne_bytes())?;
    let Ok(socket) = registered else {
        return Ok(());
    };
    let mut batch = Batch::new(BATCH);
    loop {
        let mut fds = [
            PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(line.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(nix::Error::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        if fds[1].any() == Some(true) {
            break;
        }
        // An error is ENOBUFS: the kernel keeps the record and sends it again.
        while batch.receive(&socket).unwrap_or(true) {}
    }
    let nobody = Status {
        mask: Status::PID,
        ..Status::default()
    };
    let given_back = Control::open().and_then(|mut control| control.set(nobody));
    given_back.map_err(|error| error.source)
}
