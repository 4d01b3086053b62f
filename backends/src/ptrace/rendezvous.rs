//! The meeting of a monitor and the process that it is to watch: a unix socket at the path of
//! [`launch::rendezvous`](crate::launch::rendezvous).
//!
//! The process connects from [`Backend::launch`](crate::Backend::launch). The kernel says who connected
//! (`SO_PEERCRED`, in the monitor's PID namespace). The process may hand over a descriptor, and goes on when the monitor
//! says so with one byte. If the monitor ends before that, the process reads an end, and its launch fails.

use std::{
    fs, io,
    io::{IoSlice, IoSliceMut, Read, Write},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
};

use nix::{
    errno::Errno,
    sys::socket::{
        ControlMessage, ControlMessageOwned, MsgFlags, getsockopt, recvmsg, sendmsg,
        sockopt::PeerCredentials,
    },
};

use crate::{AttachError, launch::RENDEZVOUS};

/// What it says when the process may go on.
const GO_ON: u8 = b'.';

fn path() -> Result<PathBuf, AttachError> {
    crate::launch::rendezvous().ok_or_else(|| {
        let nowhere = io::Error::new(
            io::ErrorKind::NotFound,
            "it is not set, and says where monitor and watched process meet",
        );
        AttachError::call(format!("reading {RENDEZVOUS} from the environment"))(nowhere)
    })
}

/// The monitor's side; the socket's name goes with it.
#[derive(Debug)]
pub struct Meeting {
    listener: UnixListener,
    path: PathBuf,
}

impl Meeting {
    /// Waits from now on.
    pub fn open() -> Result<Self, AttachError> {
        let path = path()?;
        let failed = |call| AttachError::call(format!("{call} {}", path.display()));
        let listener = UnixListener::bind(&path).map_err(failed("bind"))?;
        let meeting = Self { listener, path };
        let failed = |call| AttachError::call(format!("{call} {}", meeting.path.display()));
        // A watched process need not have the monitor's user.
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        fs::set_permissions(&meeting.path, everybody).map_err(failed("chmod"))?;
        meeting
            .listener
            .set_nonblocking(true)
            .map_err(failed("fcntl of"))?;
        Ok(meeting)
    }

    /// For people.
    pub fn evidence(&self) -> String {
        format!("what is launched is met at {}", self.path.display())
    }

    /// Who came; `None` where nobody is there.
    pub fn next(&self) -> io::Result<Option<Guest>> {
        let stream = match self.listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        let pid = getsockopt(&stream, PeerCredentials)?.pid();
        Ok(Some(Guest { stream, pid }))
    }
}

impl AsFd for Meeting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Meeting {
    fn drop(&mut self) {
        // Its folder ends with the trial.
        let _ = fs::remove_file(&self.path);
    }
}

/// A process that waits to be let go on; where it is dropped before, its launch fails.
#[derive(Debug)]
pub struct Guest {
    stream: UnixStream,
    /// Its id, in the monitor's namespace.
    pub pid: i32,
}

impl Guest {
    /// The descriptor that it hands over, and the byte that comes with it.
    pub fn take(&self) -> io::Result<(OwnedFd, u8)> {
        let mut byte = [0];
        let mut space = nix::cmsg_space!([std::os::fd::RawFd; 1]);
        let mut parts = [IoSliceMut::new(&mut byte)];
        let fd = self.stream.as_raw_fd();
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let received = recvmsg::<()>(fd, &mut parts, Some(&mut space), flags)?;
        let taken = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmRights(fds) => fds.first().copied(),
            _ => None,
        });
        let taken = taken.ok_or(Errno::EBADMSG)?;
        // SAFETY: the kernel opened it for us with this message, and there was room for one only.
        Ok((unsafe { OwnedFd::from_raw_fd(taken) }, byte[0]))
    }

    /// Lets it go on.
    pub fn go_on(mut self) -> io::Result<()> {
        self.stream.write_all(&[GO_ON])
    }
}

/// The watched side.
#[derive(Debug)]
pub struct Visit(UnixStream);

impl Visit {
    /// Finds the monitor.
    pub fn pay() -> Result<Self, AttachError> {
        let path = path()?;
        let failed = AttachError::call(format!("connect {}", path.display()));
        Ok(Self(UnixStream::connect(&path).map_err(failed)?))
    }

    /// Hands a descriptor over, with a byte of its own meaning.
    pub fn hand(&self, fd: BorrowedFd<'_>, word: u8) -> Result<(), AttachError> {
        let fds = [fd.as_raw_fd()];
        let control = [ControlMessage::ScmRights(&fds)];
        let word = [word];
        let parts = [IoSlice::new(&word)];
        let to = self.0.as_raw_fd();
        sendmsg::<()>(to, &parts, &control, MsgFlags::MSG_NOSIGNAL, None)
            .map(drop)
            .map_err(AttachError::call("sendmsg of a descriptor to the monitor"))
    }

    /// Waits until the monitor lets this process go on.
    pub fn wait(mut self) -> Result<(), AttachError> {
        let mut word = [0];
        self.0
            .read_exact(&mut word)
            .map_err(AttachError::call("waiting for the monitor's word"))
    }
}
