//! The socket: filtered, read in batches, with its own counter of losses.

use std::{
    io, mem,
    os::fd::{AsFd, AsRawFd, BorrowedFd},
    ptr,
};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_CONNECTOR};

use super::wire::{self, CN_IDX_PROC, Event, MESSAGE_SIZE, Operation};
use crate::AttachError;

/// So many messages are taken with one call.
pub const BATCH: usize = 64;
/// How long an acknowledgement may take. The kernel sends it inside `sendto`.
const PATIENCE_MS: u16 = 2000;

/// A socket that listens to exec events. Dropping it tells the kernel to stop.
pub struct Listener {
    socket: Socket,
    port: u32,
    listening: bool,
    /// One slot for each message of a batch.
    slots: Box<[[u8; MESSAGE_SIZE]; BATCH]>,
    /// Describe the slots to the kernel. Hold pointers into `slots` and `vectors`, which never move.
    headers: Box<[libc::mmsghdr]>,
    _vectors: Box<[libc::iovec]>,
}

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
    /// Opens the socket, sets it up, and waits until the kernel says that it listens.
    /// `buffer` is the receive buffer as the kernel counts it.
    pub fn open(buffer: usize, keep_queueing: bool) -> Result<(Self, Vec<String>), AttachError> {
        let mut socket =
            Socket::new(NETLINK_CONNECTOR).map_err(|error| match error.raw_os_error() {
                Some(libc::EPROTONOSUPPORT) => AttachError::Unsupported(
                    "socket(AF_NETLINK, NETLINK_CONNECTOR): the kernel has no connector".into(),
                ),
                _ => AttachError::call("socket(AF_NETLINK, NETLINK_CONNECTOR)")(error),
            })?;
        set_filter(&socket, true)?;
        if get_buffer(&socket)? != buffer {
            // The kernel doubles what it is given.
            let half = libc::c_int::try_from(buffer / 2).expect("bounded by the setting");
            set_option(&socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, &half).map_err(
                AttachError::call(format!("setsockopt SO_RCVBUFFORCE {half}")),
            )?;
        }
        if keep_queueing {
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
        let granted = get_buffer(&socket)?;

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
            slots,
            headers,
            _vectors: vectors,
        };
        listener.subscribe()?;
        // Acknowledgements of others are broadcast too. Without them all that can be lost is execs.
        set_filter(&listener.socket, false)?;
        let evidence = vec![
            format!("LISTEN acknowledged to port {}", listener.port),
            "socket filter lets exec events through and nothing else".into(),
            format!("receive buffer {granted}"),
            format!("drops so far {}", listener.drops()?),
        ];
        Ok((listener, evidence))
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
        self.read(BATCH)
    }

    fn read(&mut self, most: usize) -> io::Result<Batch> {
        let most = libc::c_uint::try_from(most.min(BATCH)).expect("small");
        loop {
            // SAFETY: the headers describe the slots, `most` is at most their number, and no
            // address is asked for.
            let n = unsafe {
                libc::recvmmsg(
                    self.socket.as_raw_fd(),
                    self.headers.as_mut_ptr(),
                    most,
                    libc::MSG_DONTWAIT,
                    ptr::null_mut(),
                )
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

    /// The message in a slot of the last batch.
    pub fn event(&self, slot: usize) -> Option<Event> {
        let length = (self.headers[slot].msg_len as usize).min(MESSAGE_SIZE);
        wire::parse(&self.slots[slot][..length])
    }

    /// How many messages the kernel could not queue since the socket was opened: the same counter
    /// as the column `Drops` of `/proc/net/netlink`, read by `SO_MEMINFO` (4.12). It counts after
    /// the filter (`netlink_overrun` in `do_one_broadcast`, `net/netlink/af_netlink.c`).
    pub fn drops(&self) -> Result<u32, AttachError> {
        const SK_MEMINFO_DROPS: usize = 8;
        let mut info = [0u32; 9];
        let mut length = libc::socklen_t::try_from(size_of_val(&info)).expect("small");
        // SAFETY: the kernel writes at most `length` bytes into `info`.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                info.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result != 0 {
            return Err(AttachError::call("getsockopt SO_MEMINFO")(
                io::Error::last_os_error(),
            ));
        }
        Ok(info[SK_MEMINFO_DROPS])
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

fn set_filter(socket: &Socket, acknowledgements: bool) -> Result<(), AttachError> {
    let mut lines = wire::filter(acknowledgements);
    let program = libc::sock_fprog {
        len: u16::try_from(lines.len()).expect("short"),
        filter: lines.as_mut_ptr(),
    };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
        .map_err(AttachError::call("setsockopt SO_ATTACH_FILTER"))
}

fn set_option<T>(socket: &Socket, level: i32, name: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).expect("small");
    // SAFETY: `value` is a plain C value of the length that is said, and what it points to lives.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            ptr::from_ref(value).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn get_buffer(socket: &Socket) -> Result<usize, AttachError> {
    socket
        .get_rx_buf_sz()
        .map_err(AttachError::call("getsockopt SO_RCVBUF"))
}
