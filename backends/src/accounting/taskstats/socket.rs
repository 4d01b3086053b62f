//! The socket: registered for the ends on all CPUs, filtered, read in batches, with its own counter of losses.

use std::{
    fs, io,
    io::IoSliceMut,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, poll},
    sys::socket::{MsgFlags, MultiHeaders, recvmmsg},
};

use super::{
    super::{Ended, ended_child},
    wire::{self, Message, Request},
};
use crate::{
    AttachError,
    netlink_socket::{self, set_filter, size_buffer},
};

/// So many messages are taken with one call.
pub const BATCH: usize = 64;
/// More than the longest message: two structures of some 700 bytes on Linux 7.3, where the last thread of
/// several ends. Of a longer one the rest would be cut, which holds nothing of interest.
const MESSAGE_SIZE: usize = 2048;
/// How long an answer may take. The kernel gives it inside `sendto`.
const PATIENCE_MS: u16 = 2000;

/// A socket that is told of ends. Dropping it tells the kernel to stop.
pub struct Listener {
    socket: Socket,
    family: u16,
    cpus: String,
    slots: Box<[[u8; MESSAGE_SIZE]]>,
    headers: MultiHeaders<()>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.socket.as_raw_fd())
    }
}

/// How a batch was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Batch {
    /// These ended.
    Ended(Vec<Ended>),
    /// The queue is empty.
    Empty,
    /// `ENOBUFS`: the queue overflowed since the last time it was empty.
    Overflowed,
}

impl Listener {
    /// Opens the socket, registers it, and waits until the end of a child is told. `buffer` is the receive
    /// buffer as the kernel counts it.
    pub fn open(buffer: usize, keep_queueing: bool) -> Result<(Self, Vec<String>), AttachError> {
        let (socket, family) = open()?;
        let granted = size_buffer(&socket, buffer)?;
        if keep_queueing {
            socket
                .set_no_enobufs(true)
                .map_err(AttachError::call("setsockopt NETLINK_NO_ENOBUFS"))?;
        }
        let possible = "/sys/devices/system/cpu/possible";
        let cpus = fs::read_to_string(possible)
            .map_err(AttachError::call(format!("read of {possible}")))?;
        let mut listener = Self {
            socket,
            family,
            cpus: cpus.trim().to_owned(),
            slots: vec![[0; MESSAGE_SIZE]; BATCH].into(),
            headers: MultiHeaders::preallocate(BATCH, None),
        };
        listener.register()?;
        let child = listener.prove()?;
        // From here on all that can be lost is ends of processes that had called exec.
        set_filter(&listener.socket, wire::filter(listener.family))?;
        let evidence = vec![
            format!(
                "TASKSTATS is family {}; registered for CPUs {}",
                listener.family, listener.cpus
            ),
            format!("the end of child {child} was told"),
            "socket filter lets processes through that had called exec, and nothing else".into(),
            format!("receive buffer {granted}"),
            format!("drops so far {}", listener.drops()?),
        ];
        Ok((listener, evidence))
    }

    fn register(&mut self) -> Result<(), AttachError> {
        let call = format!("TASKSTATS_CMD_ATTR_REGISTER_CPUMASK {}", self.cpus);
        self.listen(true)
            .map_err(AttachError::call(format!("sendto({call})")))?;
        loop {
            match await_message(&self.socket, Some(self.family))? {
                Some(Message::Answer(0)) => return Ok(()),
                Some(Message::Answer(error)) if error == -libc::EINVAL => {
                    return Err(AttachError::Unsupported(format!(
                        "{call}: {}; the kernel tells ends in the initial user and PID namespaces only",
                        io::Error::from_raw_os_error(-error)
                    )));
                }
                Some(Message::Answer(error)) => return Err(refused(&call, error)),
                Some(_) => {}
                None => return Err(silent(&call)),
            }
        }
    }

    /// Whether an end is told at all. The number of the child that did it.
    fn prove(&mut self) -> Result<u32, AttachError> {
        let child = ended_child()?;
        loop {
            match await_message(&self.socket, Some(self.family))? {
                Some(Message::Ended(ended)) if ended.pid == child => return Ok(child),
                Some(_) => {}
                None => {
                    return Err(AttachError::Unsupported(format!(
                        "the end of child {child} was not told within {PATIENCE_MS} ms: the kernel tells \
                         them in the initial network namespace only"
                    )));
                }
            }
        }
    }

    fn listen(&self, on: bool) -> io::Result<()> {
        let (family, cpus) = (self.family, self.cpus.as_str());
        send(&self.socket, Request::Listen { family, cpus, on })
    }

    /// Takes what is queued, without waiting.
    pub fn read_batch(&mut self) -> io::Result<Batch> {
        let mut vectors: Vec<_> = self
            .slots
            .iter_mut()
            .map(|slot| [IoSliceMut::new(slot)])
            .collect();
        let (fd, flags) = (self.socket.as_raw_fd(), MsgFlags::MSG_DONTWAIT);
        let read = match recvmmsg(fd, &mut self.headers, &mut vectors, flags, None) {
            Ok(read) => read,
            Err(Errno::EAGAIN) => return Ok(Batch::Empty),
            Err(Errno::ENOBUFS) => return Ok(Batch::Overflowed),
            Err(error) => return Err(error.into()),
        };
        let messages = read.filter_map(|message| message.iovs().next());
        let parsed = messages.filter_map(|raw| wire::parse(raw, Some(self.family)));
        let ended = parsed.filter_map(|message| match message {
            Message::Ended(ended) => Some(ended),
            _ => None,
        });
        Ok(Batch::Ended(ended.collect()))
    }

    /// See [`netlink_socket::drops`].
    pub fn drops(&self) -> Result<u32, AttachError> {
        netlink_socket::drops(&self.socket).map_err(AttachError::call("getsockopt SO_MEMINFO"))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Where this fails the kernel notices at the next end of a thread that nobody is there
        // (`send_cpu_listeners`).
        let _ = self.listen(false);
    }
}

/// A socket, and the number of the family TASKSTATS. Asking changes nothing, and anybody may.
pub fn open() -> Result<(Socket, u16), AttachError> {
    let mut socket = Socket::new(NETLINK_GENERIC)
        .map_err(AttachError::call("socket(AF_NETLINK, NETLINK_GENERIC)"))?;
    socket
        .bind_auto()
        .map_err(AttachError::call("bind of a netlink socket"))?;
    let call = "CTRL_CMD_GETFAMILY TASKSTATS";
    send(&socket, Request::Family).map_err(AttachError::call(format!("sendto({call})")))?;
    let mut family = None;
    loop {
        match (await_message(&socket, None)?, family) {
            (Some(Message::Family(id)), _) => family = Some(id),
            (Some(Message::Answer(0)), Some(family)) => return Ok((socket, family)),
            (Some(Message::Answer(error)), _) if error == -libc::ENOENT => {
                let reason = format!("{call}: the kernel has no such family");
                return Err(AttachError::Unsupported(reason));
            }
            (Some(Message::Answer(error)), _) => return Err(refused(call, error)),
            (Some(_), _) => {}
            (None, _) => return Err(silent(call)),
        }
    }
}

fn send(socket: &Socket, request: Request<'_>) -> io::Result<()> {
    let kernel = SocketAddr::new(0, 0);
    socket.send_to(&request.to_bytes(), &kernel, 0).map(drop)
}

/// The next message; `None` where none comes in time.
fn await_message(socket: &Socket, family: Option<u16>) -> Result<Option<Message>, AttachError> {
    let mut room = [0; MESSAGE_SIZE];
    loop {
        let mut fds = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, PATIENCE_MS).map_err(AttachError::call("poll"))? == 0 {
            return Ok(None);
        }
        let length = match socket.recv(&mut &mut room[..], libc::MSG_DONTWAIT) {
            Ok(length) => length,
            // Ends of others overflowed the queue, and with it may have gone what is awaited.
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => continue,
            Err(error) => return Err(AttachError::call("recv of taskstats")(error)),
        };
        if let Some(message) = wire::parse(&room[..length], family) {
            return Ok(Some(message));
        }
    }
}

fn refused(call: &str, error: i32) -> AttachError {
    AttachError::call(call)(io::Error::from_raw_os_error(error.wrapping_neg()))
}

fn silent(call: &str) -> AttachError {
    AttachError::Unsupported(format!("{call} was not answered within {PATIENCE_MS} ms"))
}
