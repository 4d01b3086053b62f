//! Which processes there are, from the directory `/proc` itself.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd},
};

use super::{Procfs, parse};
use crate::AttachError;

/// Position of the first entry that belongs to a process (`FIRST_PROCESS_ENTRY`, fs/proc): `self`.
const PROCESSES_AT: i64 = 256;
/// Position of process 0, if there were one (`TGID_OFFSET`): after `self` and `thread-self`.
const PID_AT: i64 = PROCESSES_AT + 2;

/// What to list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scan {
    /// Every process.
    Full,
    /// Those with ids that were given since the scan before the last.
    New,
}

/// The directory, and what was found in it last.
#[derive(Debug)]
pub struct Listing {
    proc: Procfs,
    loadavg: OwnedFd,
    buffer: Vec<u8>,
    /// Where processes begin: [`PROCESSES_AT`] once it is proved, 0 otherwise.
    first: i64,
    /// The id given last, at the last scan and at the one before.
    given: [u32; 2],
    /// Processes with the inodes of their directories, as they were found.
    pub found: Vec<(u32, u64)>,
}

impl Listing {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        use nix::{fcntl::OFlag, sys::stat::Mode};
        let proc = Procfs::open()?;
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let loadavg = nix::fcntl::openat(proc.fd(), c"loadavg", flags, Mode::empty())?;
        Ok(Self {
            proc,
            loadavg,
            buffer: vec![0; 32 << 10],
            first: 0,
            given: [0; 2],
            found: Vec::new(),
        })
    }

    /// Lists into [`Self::found`].
    pub fn scan(&mut self, what: Scan) -> io::Result<()> {
        self.found.clear();
        // Read before the listing: an id that is given during it belongs to the next scan.
        let now = self.last_given()?;
        let [last, before] = self.given;
        self.given = [now, last];
        if what == Scan::Full {
            return self.list(self.first, |_| true);
        }
        if now == last && last == before {
            return Ok(());
        }
        if before <= last && last <= now {
            self.list(PID_AT + i64::from(before) + 1, |pid| pid <= now)
        } else {
            // The circle closed between these scans.
            self.list(PID_AT + i64::from(before) + 1, |_| true)?;
            self.list(PID_AT, |pid| pid <= now)
        }
    }

    fn last_given(&mut self) -> io::Result<u32> {
        use std::os::fd::AsFd;
        let raw = self.proc.read_from_start(self.loadavg.as_fd())?;
        parse::last_pid(raw).ok_or_else(|| io::Error::other("no id at the end of /proc/loadavg"))
    }

    /// Appends processes from a position on while `take` says so.
    fn list(&mut self, from: i64, take: impl Fn(u32) -> bool) -> io::Result<()> {
        let fd = self.proc.fd().as_raw_fd();
        // SAFETY: a call without pointers, on a descriptor of ours.
        if unsafe { libc::lseek(fd, from, libc::SEEK_SET) } < 0 {
            return Err(io::Error::last_os_error());
        }
        loop {
            // SAFETY: the kernel writes at most the length that it is told into the buffer.
            let n = unsafe {
                libc::syscall(
                    libc::SYS_getdents64,
                    fd,
                    self.buffer.as_mut_ptr(),
                    self.buffer.len(),
                )
            };
            let n = usize::try_from(n).map_err(|_| io::Error::last_os_error())?;
            if n == 0 {
                return Ok(());
            }
            for (inode, name) in entries(&self.buffer[..n]) {
                let Some(pid) = parse::decimal(name).and_then(|n| u32::try_from(n).ok()) else {
                    continue;
                };
                if !take(pid) {
                    return Ok(());
                }
                self.found.push((pid, inode));
            }
        }
    }

    /// Checks that positions in this kernel's `/proc` mean what they are taken for, and uses them
    /// if they do. Without them `cursor` cannot work, and `full` lists a few more entries.
    pub fn prove(&mut self, cursor: bool) -> Result<Vec<String>, AttachError> {
        let call = || AttachError::call("getdents64 of /proc");
        let me = std::process::id();
        let mut from = |position, until| {
            self.found.clear();
            self.list(position, |pid| pid <= until).map_err(call())?;
            Ok::<_, AttachError>(self.found.first().map(|&(pid, _)| pid))
        };
        let whole = from(0, me)?;
        let skipped = from(PROCESSES_AT, me)?;
        let mine = from(PID_AT + i64::from(me), u32::MAX)?;
        let after = from(PID_AT + i64::from(me) + 1, u32::MAX)?;
        let counted = self
            .last_given()
            .map_err(AttachError::call("pread /proc/loadavg"))?;
        self.given = [counted; 2];

        let positions = whole.is_some() && whole == skipped;
        if positions {
            self.first = PROCESSES_AT;
        }
        let ids = mine == Some(me) && after != Some(me) && counted > 0;
        if cursor && !ids {
            return Err(AttachError::Unsupported(format!(
                "position {} of /proc does not lead to process {me} (found {mine:?})",
                PID_AT + i64::from(me)
            )));
        }
        Ok(vec![format!(
            "/proc lists processes from position {}; position {PID_AT} + id leads to an id: {ids}",
            self.first
        )])
    }
}

/// Inodes and names in what `getdents64` wrote.
pub(super) fn entries(mut raw: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    const NAME_AT: usize = 19;
    std::iter::from_fn(move || {
        let inode = u64::from_ne_bytes(raw.get(..8)?.try_into().ok()?);
        let length = u16::from_ne_bytes(raw.get(16..18)?.try_into().ok()?);
        let name = raw.get(NAME_AT..length.into())?;
        raw = raw.get(length.into()..)?;
        let end = name.iter().position(|&b| b == 0).unwrap_or(name.len());
        Some((inode, &name[..end]))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(inode: u64, name: &[u8]) -> Vec<u8> {
        let length = (19 + name.len() + 1).next_multiple_of(8);
        let mut out = inode.to_ne_bytes().to_vec();
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&u16::try_from(length).unwrap().to_ne_bytes());
        out.push(4);
        out.extend_from_slice(name);
        out.resize(length, 0);
        out
    }

    #[test]
    fn this_process_is_listed_by_every_way() {
        let me = std::process::id();
        let mut listing = Listing::open().unwrap();
        let evidence = listing.prove(true).unwrap();
        assert!(evidence[0].ends_with("true"), "{evidence:?}");
        for first in [0, PROCESSES_AT] {
            listing.first = first;
            listing.scan(Scan::Full).unwrap();
            assert!(listing.found.iter().any(|&(pid, _)| pid == me));
        }
    }

    #[test]
    fn a_new_process_is_in_the_range_and_an_old_one_is_not() {
        let mut listing = Listing::open().unwrap();
        listing.prove(true).unwrap();
        listing.scan(Scan::New).unwrap();
        listing.scan(Scan::New).unwrap();
        let mut child = std::process::Command::new("/bin/sleep")
            .arg("60")
            .spawn()
            .unwrap();
        for scan in 0..2 {
            listing.scan(Scan::New).unwrap();
            let pids: Vec<u32> = listing.found.iter().map(|&(pid, _)| pid).collect();
            assert!(pids.contains(&child.id()), "scan {scan}: {pids:?}");
            assert!(!pids.contains(&1), "scan {scan}: {pids:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }

    proptest! {
        #[test]
        fn entries_come_back(
            all in proptest::collection::vec((any::<u64>(), "[0-9a-z.-]{1,40}"), 0..20)
        ) {
            let raw: Vec<u8> = all.iter().flat_map(|(i, n)| entry(*i, n.as_bytes())).collect();
            let got: Vec<(u64, &[u8])> = entries(&raw).collect();
            let expected: Vec<(u64, &[u8])> = all.iter().map(|(i, n)| (*i, n.as_bytes())).collect();
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn garbage_neither_panics_nor_hangs(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(entries(&raw).count() <= raw.len());
        }
    }
}
