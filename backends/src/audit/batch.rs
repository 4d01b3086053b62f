//! Many datagrams with one system call.

use std::{io, os::fd::AsRawFd};

use netlink_sys::Socket;

use super::control::KERNEL;

/// No record is longer: a path of 4,095 bytes in hexadecimal, and what stands around it, are 9,000.
/// Pages of a slot that no record reaches are never touched.
const SLOT: usize = 16 << 10;

/// Room for a number of datagrams.
pub struct Batch {
    slots: Vec<u8>,
    vectors: Vec<libc::iovec>,
    senders: Vec<libc::sockaddr_nl>,
    headers: Vec<libc::mmsghdr>,
    filled: usize,
}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Batch of {}", self.headers.len())
    }
}

impl Batch {
    /// For up to `size` datagrams at once.
    pub fn new(size: usize) -> Self {
        // SAFETY: all three are plain C structures for which zero bytes are a valid value.
        let (vector, sender, header) = unsafe {
            (
                std::mem::zeroed::<libc::iovec>(),
                std::mem::zeroed::<libc::sockaddr_nl>(),
                std::mem::zeroed::<libc::mmsghdr>(),
            )
        };
        Self {
            slots: vec![0; size * SLOT],
            vectors: vec![vector; size],
            senders: vec![sender; size],
            headers: vec![header; size],
            filled: 0,
        }
    }

    /// Takes what the socket holds, without waiting; whether it may hold more.
    pub fn receive(&mut self, socket: &Socket) -> io::Result<bool> {
        self.filled = 0;
        let slots = self.slots.as_mut_ptr();
        let vectors = self.vectors.as_mut_ptr();
        let senders = self.senders.as_mut_ptr();
        for (i, header) in self.headers.iter_mut().enumerate() {
            // SAFETY: `i` is below the number of slots, vectors and senders, so each pointer stays
            // inside its allocation, and no reference into them lives while they are written.
            unsafe {
                let vector = vectors.add(i);
                (*vector).iov_base = slots.add(i * SLOT).cast();
                (*vector).iov_len = SLOT;
                header.msg_hdr.msg_iov = vector;
                header.msg_hdr.msg_name = senders.add(i).cast();
            }
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_namelen =
                u32::try_from(size_of::<libc::sockaddr_nl>()).expect("twelve bytes");
        }
        let size = self.headers.len();
        // SAFETY: the headers, and all they point to, were set above, are as long as they say and
        // live until after the call; no timeout is given.
        let filled = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                u32::try_from(size).expect("a small batch"),
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        match usize::try_from(filled) {
            Ok(filled) => {
                self.filled = filled;
                Ok(filled == size)
            }
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == io::ErrorKind::WouldBlock => Ok(false),
                e if e.kind() == io::ErrorKind::Interrupted => Ok(true),
                e => Err(e),
            },
        }
    }

    /// What the last [`Batch::receive`] took from the kernel: each datagram, and whether its end is
    /// missing. Datagrams of processes are left out.
    pub fn datagrams(&self) -> impl Iterator<Item = (&[u8], bool)> {
        self.headers[..self.filled]
            .iter()
            .zip(&self.senders)
            .zip(self.slots.chunks(SLOT))
            .filter(|((_, sender), _)| sender.nl_pid == KERNEL)
            .map(|((header, _), slot)| {
                let length = (header.msg_len as usize).min(SLOT);
                let cut = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
                (&slot[..length], cut)
            })
    }

    /// How many datagrams the last [`Batch::receive`] took.
    pub fn len(&self) -> usize {
        self.filled
    }
}
