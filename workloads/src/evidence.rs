//! The evidence that payloads leave: one record for each image that started.

use std::{
    fmt,
    fs::{File, OpenOptions, Permissions},
    io,
    os::{
        fd::{AsRawFd, FromRawFd},
        unix::fs::{FileExt, PermissionsExt},
    },
    path::Path,
};

use nix::{
    fcntl::{FcntlArg, OFlag, fcntl, openat},
    sys::{
        memfd::{MFdFlags, memfd_create},
        stat::Mode,
    },
    unistd::dup2_raw,
};

mod layout;
mod named;
mod told;

pub use layout::{EVIDENCE_FD, EVIDENCE_MAGIC, Evidence, LOG_ACT, NO_EVIDENCE, TELL_ACT};
pub use told::Listener;

const SIZE: usize = size_of::<Evidence>();

impl Evidence {
    /// A record from its bytes, as the payload wrote them on this machine.
    fn from_bytes(bytes: &[u8; SIZE]) -> Self {
        let u32_at = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        Self {
            magic: u32_at(0),
            id: u32_at(4),
            pid: u32_at(8),
            uid: u32_at(12),
            started_ns: u64::from_ne_bytes(bytes[16..24].try_into().expect("8 bytes")),
            ppid: u32_at(24),
            host_pid: u32_at(28),
        }
    }
}

/// Evidence of images that leave none in the storm's own logs.
pub trait Testimony: fmt::Debug {
    /// All that there is when the storm is over; asked once.
    fn evidence(&self) -> io::Result<Vec<Evidence>>;
}

/// The place of a log that is not made yet: nothing else is opened there meanwhile.
///
/// Taken before a scenario changes what the storm can reach: where `/proc` is another one, a descriptor
/// has no path there.
#[derive(Debug)]
pub struct Reserved {
    /// This process's `/proc/self/fd`.
    descriptors: File,
}

impl Reserved {
    /// Takes the place.
    pub fn take() -> io::Result<Self> {
        let nothing = memfd_create("execlab-no-evidence", MFdFlags::MFD_CLOEXEC)?;
        drop(let_inherit(nothing.into())?);
        Ok(Self {
            descriptors: File::open("/proc/self/fd")?,
        })
    }

    /// A log with room for `records`, all of its pages present, so that a payload's write neither
    /// allocates nor fails; in its place, open in every process that this one starts from now on. Gives this
    /// process's own descriptor of it.
    pub fn log(self, records: usize) -> io::Result<File> {
        let_inherit(self.make(records)?)
    }

    fn make(&self, records: usize) -> io::Result<File> {
        let log = memfd_create("execlab-evidence", MFdFlags::MFD_CLOEXEC)?;
        // Opened anew: only a file that was opened by a path has its position locked while it is written
        // (`FMODE_ATOMIC_POS`, set in `do_dentry_open`, fs/open.c). Payloads on two CPUs would write one
        // over the other.
        let name = log.as_raw_fd().to_string();
        let log = openat(
            &self.descriptors,
            name.as_str(),
            OFlag::O_RDWR | OFlag::O_CLOEXEC,
            Mode::empty(),
        )?;
        let log = File::from(log);
        let zeros = vec![0; 1 << 16];
        let mut at = 0;
        while at < records * SIZE {
            log.write_all_at(&zeros, at as u64)?;
            at += zeros.len();
        }
        Ok(log)
    }
}

/// A log that images append to which inherit nothing of the storm: they open it by its path.
pub fn create_appended(path: &Path) -> io::Result<File> {
    let log = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)?;
    // Whoever it is that appends.
    log.set_permissions(Permissions::from_mode(0o666))?;
    Ok(log)
}

/// All bytes of a log, wherever its position is.
pub fn read_whole(log: &File) -> io::Result<Vec<u8>> {
    let length = usize::try_from(log.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    log.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Places the log where payloads expect it, open in every process that this one starts from now on.
/// Returns this process's own descriptor of it.
fn let_inherit(log: File) -> io::Result<File> {
    // A copy well above the place first: were the log in its place already, `dup2` onto itself would
    // leave the close-on-exec flag set.
    let own = fcntl(&log, FcntlArg::F_DUPFD_CLOEXEC(EVIDENCE_FD + 10))?;
    // SAFETY: the descriptor is new and nothing else owns it.
    let own = unsafe { File::from_raw_fd(own) };
    drop(log);
    // SAFETY: the trial runner starts the storm with nothing in this place, and [`Reserved`] lets
    // nobody have it meanwhile.
    let inherited = unsafe { dup2_raw(&own, EVIDENCE_FD) }?;
    // It stays open to the end of the process.
    std::mem::forget(inherited);
    Ok(own)
}

/// A log that payloads did not write.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {index} of the evidence log is damaged")]
pub struct DamagedLog {
    /// Which one.
    pub index: usize,
}

/// The records at the start of a log; the first empty one ends it.
pub fn parse_log(bytes: &[u8]) -> Result<Vec<Evidence>, DamagedLog> {
    let mut records = Vec::new();
    for (index, chunk) in bytes.as_chunks::<SIZE>().0.iter().enumerate() {
        let record = Evidence::from_bytes(chunk);
        match record.magic {
            EVIDENCE_MAGIC => records.push(record),
            0 => break,
            _ => return Err(DamagedLog { index }),
        }
    }
    Ok(records)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{collections::HashSet, io::Write};

    use super::*;

    /// The record of an image with this id.
    pub(crate) fn bytes(id: u32) -> Vec<u8> {
        let mut out = Vec::new();
        for word in [EVIDENCE_MAGIC, id, 7, 0] {
            out.extend_from_slice(&word.to_ne_bytes());
        }
        out.extend_from_slice(&99u64.to_ne_bytes());
        out.extend_from_slice(&1u64.to_ne_bytes());
        out
    }

    #[test]
    fn records_end_at_the_first_empty_one() {
        let log = [bytes(1), bytes(2), vec![0; SIZE], bytes(3)].concat();
        let ids: Vec<_> = parse_log(&log).unwrap().iter().map(|e| e.id).collect();
        assert_eq!(ids, [1, 2]);
    }

    /// What a burst does on several CPUs: all share the description, and so its position.
    #[test]
    fn writers_side_by_side_lose_nothing() {
        const WRITERS: u32 = 8;
        const RECORDS: u32 = 2_000;
        let place = Reserved {
            descriptors: File::open("/proc/self/fd").unwrap(),
        };
        let log = place.make((WRITERS * RECORDS) as usize).unwrap();
        std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let mut log = log.try_clone().unwrap();
                scope.spawn(move || {
                    for record in 0..RECORDS {
                        log.write_all(&bytes(writer * RECORDS + record)).unwrap();
                    }
                });
            }
        });
        let mut all = vec![0; (WRITERS * RECORDS) as usize * SIZE];
        log.read_exact_at(&mut all, 0).unwrap();
        let ids: HashSet<_> = parse_log(&all).unwrap().iter().map(|e| e.id).collect();
        assert_eq!(ids.len(), (WRITERS * RECORDS) as usize);
    }

    #[test]
    fn a_damaged_record_is_no_end() {
        let log = [bytes(1), vec![1; SIZE]].concat();
        assert_eq!(parse_log(&log), Err(DamagedLog { index: 1 }));
    }
}
