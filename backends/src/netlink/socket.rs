//! The socket: filtered or not, read in batches or not, with its own counter of losses.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr,
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_CONNECTOR};

use libc::sock_filter;

use super::{
    bpf, mask,
    wire::{self, CN_IDX_PROC, Event, MESSAGE_SIZE, Operation, Place},
};
use crate::{
    AttachError,
    netlink_socket::{self, set_filter, size_buffer},
};

/// So many messages are taken with one call at most.
pub const BATCH: usize = 64;
/// How long an acknowledgement may take. The kernel sends it inside `sendto`.
const PATIENCE_MS: u16 = 2000;

/// How a socket is to be set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// The receive buffer, in bytes as the kernel counts it.
    pub buffer: usize,
    /// `NETLINK_NO_ENOBUFS`: queue whenever there is room, also after an overflow.
    pub keep_queueing: bool,
    /// So many messages are taken with one call, [`BATCH`] at most.
    pub batch: usize,
    /// What of all events is queued.
    pub filter: Filter,
}

/// Who drops what is not wanted, before it is queued.
#[derive(Debug, Clone)]
pub enum Filter {
    /// Nobody: every event of every process comes, and acknowledgements of others.
    None,
    /// The connector itself, told to send execs alone (Linux 6.6 and later).
    Mask,
    /// A program on the socket, and what it lets through, for people.
    Socket(Vec<sock_filter>, &'static str),
}

impl Filter {
    /// The program that lets execs through and nothing else.
    pub fn execs() -> Self {
        Self::Socket(bpf::execs(false), "exec events")
    }
}

/// A socket that listens to process events. Dropping it tells the kernel to stop.
pub struct Listener {
    socket: Socket,
    port: u32,
    listening: bool,
    batch: usize,
    /// One slot for each message of a batch.
    slots: Box<[[u8; MESSAGE_SIZE]; BATCH]>,
    /// Describe the slots to the kernel. Hold pointers into `slots` and `vectors`, which never move.
    headers: Box<[libc::mmsghdr]>,
    _vectors: Box<[libc::iovec]>,
}

// SAFETY: the pointers in `headers` and `_vectors` lead to this listener's own boxes, which move with it and
// which nobody else has; nothing of it belongs to one thread.
unsafe impl Send for Listener {}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listener({})", self.socket.as_raw_fd())
    }
}

/// How a batch was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// So many messages are in the slots.
    Messages(usize),
    /// The queue is empty.
    Empty,
    /// `ENOBUFS`: the queue overflowed since the last time it was empty.
    Overflowed,
}

impl Listener {
    /// Opens the socket, sets it up, and waits until the kernel says that it listens. With it comes what
    /// proves that.
    pub fn open(options: &Options) -> Result<(Self, Vec<String>), AttachError> {
        let mut socket =
            Socket::new(NETLINK_CONNECTOR).map_err(|error| match error.raw_os_error() {
                Some(libc::EPROTONOSUPPORT) => AttachError::Unsupported(
                    "socket(AF_NETLINK, NETLINK_CONNECTOR): the kernel has no connector".into(),
                ),
                _ => AttachError::call("socket(AF_NETLINK, NETLINK_CONNECTOR)")(error),
            })?;
        if let Filter::Socket(..) = options.filter {
            set_filter(&socket, bpf::execs(true))?;
        }
        let granted = size_buffer(&socket, options.buffer)?;
        if options.keep_queueing {
            socket
                .set_no_enobufs(true)
                .map_err(AttachError::call("setsockopt NETLINK_NO_ENOBUFS"))?;
        }
        // Port 0: the kernel chooses. Group bits: 1 << (CN_IDX_PROC - 1).
        socket
            .bind(&SocketAddr::new(0, 1 << (CN_IDX_PROC - 1)))
            .map_err(AttachError::call("bind to the group of the proc connector"))?;
        let mut address = SocketAddr::new(0, 0);
        socket
            .get_address(&mut address)
            .map_err(AttachError::call("getsockname of the connector"))?;

        let mut slots = Box::new([[0; MESSAGE_SIZE]; BATCH]);
        let mut vectors: Box<[libc::iovec]> = slots
            .iter_mut()
            .map(|slot| libc::iovec {
                iov_base: slot.as_mut_ptr().cast(),
                iov_len: MESSAGE_SIZE,
            })
            .collect();
        let headers = vectors
            .iter_mut()
            .map(|vector| {
                // SAFETY: all zeros is a valid mmsghdr: null pointers and lengths of nothing.
                let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        let mut listener = Self {
            socket,
            port: address.port_number(),
            listening: false,
            batch: options.batch.clamp(1, BATCH),
            slots,
            headers,
            _vectors: vectors,
        };
        listener.subscribe()?;
        let mut evidence = vec![format!("LISTEN acknowledged to port {}", listener.port)];
        match &options.filter {
            Filter::None => evidence.push("no filter: every event of every process comes".into()),
            Filter::Mask => evidence.push(mask::narrow(&mut listener)?),
            Filter::Socket(program, what) => {
                // Acknowledgements of others are broadcast too. Without them all that can be lost is what is
                // wanted.
                set_filter(&listener.socket, program.clone())?;
                evidence.push(format!(
                    "socket filter lets {what} through and nothing else"
                ));
            }
        }
        evidence.push(format!("receive buffer {granted}"));
        Ok((listener, evidence))
    }

    /// Asks for some kinds of events alone. Kernels that heed it (6.6 and later) do not acknowledge it, since
    /// an acknowledgement is of none of these kinds; others do not answer at all.
    pub fn listen_to(&self, kinds: u32) -> Result<(), AttachError> {
        let raw = wire::masked_request(self.port, 0, kinds);
        self.socket
            .send_to(&raw, &SocketAddr::new(0, 0), 0)
            .map(drop)
            .map_err(AttachError::call(format!("sendto(LISTEN, {kinds:#x})")))
    }

    fn subscribe(&mut self) -> Result<(), AttachError> {
        const ACK: u32 = 0x0e8e_c1ab;
        let raw = wire::request(Operation::Listen, self.port, ACK);
        self.socket
            .send_to(&raw, &SocketAddr::new(0, 0), 0)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::ECONNREFUSED) => AttachError::Unsupported(
                    "sendto(LISTEN): no proc connector in this network namespace".into(),
                ),
                _ => AttachError::call("sendto(LISTEN)")(error),
            })?;
        self.listening = true;
        loop {
            use nix::poll::{PollFd, PollFlags, poll};
            let mut fds = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PATIENCE_MS).map_err(AttachError::call("poll"))? == 0 {
                return Err(AttachError::Unsupported(
                    "LISTEN was not acknowledged: the connector answers in the initial user and PID \
                     namespaces only"
                        .into(),
                ));
            }
            // One at a time: what comes after the acknowledgement has to stay in the queue.
            let read = self.read(1).map_err(AttachError::call("recvmmsg"))?;
            if read == Batch::Messages(1)
                && let Some(Event::Answer { ack, error }) = self.event(0)
                && ack == ACK + 1
            {
                return if error == 0 {
                    Ok(())
                } else {
                    let source = io::Error::from_raw_os_error(error.cast_signed());
                    Err(AttachError::call("LISTEN")(source))
                };
            }
        }
    }

    /// Takes what is queued, without waiting.
    pub fn read_batch(&mut self) -> io::Result<Batch> {
        self.read(self.batch)
    }

    fn read(&mut self, most: usize) -> io::Result<Batch> {
        loop {
            let n = if most == 1 {
                self.receive_one()
            } else {
                self.receive(most)
            };
            if let Ok(n) = usize::try_from(n) {
                return Ok(if n == 0 {
                    Batch::Empty
                } else {
                    Batch::Messages(n)
                });
            }
            let error = io::Error::last_os_error();
            match error.raw_os_error() {
                Some(libc::EAGAIN) => return Ok(Batch::Empty),
                Some(libc::ENOBUFS) => return Ok(Batch::Overflowed),
                Some(libc::EINTR) => {}
                _ => return Err(error),
            }
        }
    }

    /// `recvmmsg`; how many messages.
    fn receive(&mut self, most: usize) -> libc::c_int {
        // SAFETY: the headers describe the slots, `most` is at most their number, and no address is asked
        // for.
        unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                libc::c_uint::try_from(most.min(BATCH)).expect("small"),
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        }
    }

    /// `recv` into the first slot; how many messages, which is one. It costs less than `recvmmsg` of one.
    fn receive_one(&mut self) -> libc::c_int {
        // SAFETY: the slot is as long as is said and outlives the call.
        let n = unsafe {
            libc::recv(
                self.socket.as_raw_fd(),
                self.slots[0].as_mut_ptr().cast(),
                MESSAGE_SIZE,
                libc::MSG_DONTWAIT,
            )
        };
        match libc::c_uint::try_from(n) {
            Ok(length) => {
                self.headers[0].msg_len = length;
                1
            }
            Err(_) => -1,
        }
    }

    /// The event in a slot of the last batch.
    pub fn event(&self, slot: usize) -> Option<Event> {
        wire::parse(self.message(slot))
    }

    /// The place of the message in a slot of the last batch among all that its CPU sent.
    pub fn place(&self, slot: usize) -> Option<Place> {
        wire::place(self.message(slot))
    }

    fn message(&self, slot: usize) -> &[u8] {
        let length = (self.headers[slot].msg_len as usize).min(MESSAGE_SIZE);
        &self.slots[slot][..length]
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
        if self.listening {
            let raw = wire::request(Operation::Ignore, self.port, 0);
            // Nothing is left to be done where this fails.
            let _ = self.socket.send_to(&raw, &SocketAddr::new(0, 0), 0);
        }
    }
}
