//! What every netlink socket of a monitor is asked for: how large its queue is, what may enter it, and what could
//! not. Shared by the proc connector, taskstats and audit.

use std::{io, os::fd::AsRawFd, ptr};

use libc::sock_filter;
use netlink_sys::Socket;

use crate::AttachError;

/// Makes the receive buffer so large, in bytes as the kernel counts it, and says how large it is now (socket(7)).
pub fn size_buffer(socket: &Socket, bytes: usize) -> Result<usize, AttachError> {
    let size = || {
        socket
            .get_rx_buf_sz()
            .map_err(AttachError::call("getsockopt SO_RCVBUF"))
    };
    if size()? != bytes {
        // The kernel doubles what it is given.
        let half = libc::c_int::try_from(bytes / 2).expect("bounded by the setting");
        set(socket, libc::SO_RCVBUFFORCE, &half).map_err(AttachError::call(format!(
            "setsockopt SO_RCVBUFFORCE {half}"
        )))?;
    }
    size()
}

/// Lets only those messages into the queue that a classic BPF program takes.
pub fn set_filter(socket: &Socket, mut lines: Vec<sock_filter>) -> Result<(), AttachError> {
    let program = libc::sock_fprog {
        len: u16::try_from(lines.len()).expect("a short program"),
        filter: lines.as_mut_ptr(),
    };
    set(socket, libc::SO_ATTACH_FILTER, &program)
        .map_err(AttachError::call("setsockopt SO_ATTACH_FILTER"))
}

/// How many messages the kernel could not queue since the socket was opened: the same counter as the column `Drops`
/// of `/proc/net/netlink`, read by `SO_MEMINFO` (Linux 4.12). It counts after the filter (`netlink_overrun`,
/// `net/netlink/af_netlink.c`).
pub fn drops(socket: &Socket) -> io::Result<u32> {
    const SK_MEMINFO_DROPS: usize = 8;
    let mut info = [0u32; 9];
    let mut length = libc::socklen_t::try_from(size_of_val(&info)).expect("36 bytes");
    // SAFETY: the kernel writes at most `length` bytes into `info`, which is that long.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result == 0 {
        Ok(info[SK_MEMINFO_DROPS])
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set<T>(socket: &Socket, name: i32, value: &T) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<T>()).expect("small");
    // SAFETY: `value` is a plain C value of the length that is said, and what it points to lives.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
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
