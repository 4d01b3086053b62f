//! What a killed monitor leaves in the connector before Linux 6.6: its share in the kernel's count of listeners
//! (`proc_event_num_listeners`, `drivers/connector/cn_proc.c`), which only IGNORE lowers. While it is above zero the
//! kernel makes an event of each fork, exec and exit, for nobody.
//!
//! Nothing tells the count. But a socket in the group that did not order anything gets what is made: where
//! something comes, and nobody else is in the group, it is made for nobody. An IGNORE for each listener that is not
//! there ends that. With another listener there the count stays one too high, which costs nothing until that one
//! goes: to take it down could make that one deaf.

use std::{fs, io, path::Path};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_CONNECTOR};

use super::{
    mask, release,
    wire::{self, CN_IDX_PROC, Event, MESSAGE_SIZE, Operation},
};
use crate::remains::Remains;

/// So many listeners can have been left behind. A monitor has one, or one for each CPU.
const MOST: usize = 4096;

/// By these answers the connector refuses whoever asks from here: not built in, not the initial namespaces, no right.
const NOT_FOR_US: [i32; 3] = [libc::EPROTONOSUPPORT, libc::ECONNREFUSED, libc::EPERM];

const FOR_NOBODY: &str = "the connector makes events for nobody: yes";
const FOR_SOMEBODY: &str = "the connector makes events for nobody: no";

/// See the module.
#[derive(Debug)]
pub struct OfConnector;

impl Remains for OfConnector {
    fn note(&self) -> Result<Option<String>, String> {
        if goes_with_its_socket() {
            return Ok(Some(FOR_SOMEBODY.to_owned()));
        }
        let look = || Witness::open()?.for_nobody();
        match look() {
            Ok(true) => Ok(Some(FOR_NOBODY.to_owned())),
            Ok(false) => Ok(Some(FOR_SOMEBODY.to_owned())),
            Err(error)
                if error
                    .raw_os_error()
                    .is_some_and(|e| NOT_FOR_US.contains(&e)) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!("the proc connector: {error}")),
        }
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        if noted == FOR_NOBODY || goes_with_its_socket() {
            return Ok(Vec::new());
        }
        let said = |error: io::Error| format!("the proc connector: {error}");
        let witness = Witness::open().map_err(said)?;
        for gone in 0..MOST {
            if !witness.for_nobody().map_err(said)? {
                let done =
                    format!("proc connector: signed off {gone} listeners that are not there");
                return Ok((gone > 0).then_some(done).into_iter().collect());
            }
            witness.ignore().map_err(said)?;
        }
        Err(format!(
            "the proc connector still makes events for nobody after {MOST} listeners were signed off"
        ))
    }
}

/// Whether this kernel needs no help.
fn goes_with_its_socket() -> bool {
    let told = release::read(Path::new("/proc")).and_then(|text| release::numbers(&text));
    told.is_some_and(|told| told >= release::OF_EVENT_MASK)
}

/// A socket in the group that did not order anything.
struct Witness {
    socket: Socket,
    port: u32,
}

impl Witness {
    fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.bind(&SocketAddr::new(0, 1 << (CN_IDX_PROC - 1)))?;
        let mut address = SocketAddr::new(0, 0);
        socket.get_address(&mut address)?;
        Ok(Self {
            socket,
            port: address.port_number(),
        })
    }

    /// Whether events are made and nobody but this socket is there to get them.
    fn for_nobody(&self) -> io::Result<bool> {
        let listed = fs::read_to_string("/proc/net/netlink")?;
        Ok(!others_are_in_the_group(&listed, self.port) && self.sees_renaming()?)
    }

    /// Whether an event comes of this process renaming itself. The kernel sends it while the call lasts.
    fn sees_renaming(&self) -> io::Result<bool> {
        mask::rename_self()?;
        let pid = std::process::id();
        let mut message = Vec::with_capacity(MESSAGE_SIZE);
        let mut seen = false;
        loop {
            message.clear();
            match self.socket.recv(&mut message, libc::MSG_DONTWAIT) {
                Ok(_) => seen |= wire::parse(&message) == Some(Event::Name { pid }),
                Err(error) => match error.raw_os_error() {
                    Some(libc::EAGAIN) => return Ok(seen),
                    // Somebody made so many that the queue overflowed.
                    Some(libc::ENOBUFS) => seen = true,
                    Some(libc::EINTR) => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Takes one off the count.
    fn ignore(&self) -> io::Result<()> {
        let raw = wire::request(Operation::Ignore, self.port, 0);
        self.socket
            .send_to(&raw, &SocketAddr::new(0, 0), 0)
            .map(drop)
    }
}

/// Whether `/proc/net/netlink` has a socket in the connector's group beside the one with this port. Its columns are
/// `sk Eth Pid Groups …`: protocol, port and groups, the last in hexadecimal (`netlink_native_seq_show`,
/// `net/netlink/af_netlink.c`).
fn others_are_in_the_group(listed: &str, port: u32) -> bool {
    listed.lines().skip(1).any(|line| {
        let mut words = line.split_whitespace().skip(1);
        let protocol = words.next().and_then(|word| word.parse().ok());
        let other = words.next() != Some(port.to_string().as_str());
        let groups = words
            .next()
            .and_then(|word| u32::from_str_radix(word, 16).ok());
        protocol == Some(NETLINK_CONNECTOR) && other && groups.is_some_and(|groups| groups & 1 != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_the_group_are_listed() {
        let listed = "\
sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
0000000000000000 0   1234       00000001 0        0        0     2        0        1001
0000000000000000 11  0          00000000 0        0        0     2        0        1002
0000000000000000 11  77         00000001 0        0        0     2        0        1003
";
        assert!(!others_are_in_the_group(listed, 77));
        assert!(others_are_in_the_group(listed, 78));
        assert!(!others_are_in_the_group("", 78));
    }

    #[test]
    fn what_was_so_before_is_not_put_back() {
        assert_eq!(OfConnector.put_back(FOR_NOBODY), Ok(Vec::new()));
    }
}
