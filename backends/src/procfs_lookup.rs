//! What `/proc/PID` tells of a process while it lives, for backends whose events carry only a pid.
//!
//! Each lookup is a race: the process may be gone, or have another image by now. What could not be
//! read is `None`; that is the technique's weakness, not an error.
//!
//! [`Procfs::process`] opens the directory of a process once. The descriptor holds on to the
//! kernel's `struct pid`, so everything read through it is of that one process: when the process
//! ends, reads fail, even if another process has its number by then. What ends with the image
//! ([`Process::perishable`]: executed file and arguments, gone as soon as the process exits, reaped
//! or not) is read first; what a zombie still has ([`Process::lasting`]) after it.
//!
//! Files are read with one `read` into a buffer that is kept, and parsed as bytes. The crate
//! `procfs` turns the same files into `String`s, several allocations each and lossy for names that
//! are not UTF-8; it serves where nothing is hot, and as the oracle in the tests of [`parse`].

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use nix::{
    errno::Errno,
    fcntl::{OFlag, open, openat},
    sys::stat::Mode,
};

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod listing;
pub mod parse;
mod process;

pub use listing::{Listing, Scan};
use parse::Stat;
pub use process::{Process, cmdline, container, exe, name_instead_of_path};

/// Longer arguments are cut here, and the sighting says so.
const MAX_CMDLINE: usize = 1 << 20;
const FIRST_BUFFER: usize = 16 << 10;

/// How much is looked up for each exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything that a sighting can carry.
    Full,
    /// Executed file, arguments and parent.
    Path,
    /// Nothing: the events alone.
    Nothing,
}

impl Depth {
    /// From the value of a setting.
    pub fn from_word(word: &str) -> Self {
        match word {
            "path" => Self::Path,
            "nothing" => Self::Nothing,
            _ => Self::Full,
        }
    }
}

/// `/proc`, and the buffer that everything below it is read into.
#[derive(Debug)]
pub struct Procfs {
    root: OwnedFd,
    buffer: Vec<u8>,
}

impl Procfs {
    /// Opens `/proc`.
    pub fn open() -> io::Result<Self> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        Ok(Self {
            root: open("/proc", flags, Mode::empty())?,
            buffer: vec![0; FIRST_BUFFER],
        })
    }

    /// The directory itself, for listing it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// The process that has this id now; `None` where there is none.
    pub fn process(&self, pid: u32) -> Option<Process> {
        let mut digits = [0; 11];
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let dir = openat(&self.root, decimal(pid, &mut digits), flags, Mode::empty()).ok()?;
        Some(Process { dir })
    }

    /// The `stat` of the process that has this id now, for who does not want to hold on to it.
    pub fn stat_of(&mut self, pid: u32) -> Option<Stat<'_>> {
        let mut digits = [0; 11];
        let mut path = [0; 16];
        let number = decimal(pid, &mut digits).to_bytes();
        path[..number.len()].copy_from_slice(number);
        path[number.len()..][..5].copy_from_slice(b"/stat");
        let path = CStr::from_bytes_until_nul(&path).expect("15 bytes at most");
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let file = openat(&self.root, path, flags, Mode::empty()).ok()?;
        Stat::parse(self.read_from_start(file.as_fd()).ok()?)
    }

    /// Reads an open file of `/proc` from its start, with one call where it fits into the buffer.
    pub fn read_from_start(&mut self, file: BorrowedFd<'_>) -> io::Result<&[u8]> {
        let mut filled = 0;
        loop {
            let offset = i64::try_from(filled).expect("buffers are small");
            let n = nix::sys::uio::pread(file, &mut self.buffer[filled..], offset)?;
            filled += n;
            // A file of /proc fills whatever room it is given, so a short read was the last.
            if n == 0 || filled < self.buffer.len() || filled >= MAX_CMDLINE {
                return Ok(&self.buffer[..filled]);
            }
            self.buffer.resize(4 * self.buffer.len(), 0);
        }
    }

    fn read_at(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> io::Result<&[u8]> {
        let file = openat(dir, name, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        self.read_from_start(file.as_fd())
    }

    fn link_at(&mut self, dir: BorrowedFd<'_>, name: &CStr) -> Result<&[u8], Errno> {
        // SAFETY: the name ends in NUL and the buffer is as long as is said; both outlive the call.
        let n = unsafe {
            libc::readlinkat(
                dir.as_raw_fd(),
                name.as_ptr(),
                self.buffer.as_mut_ptr().cast(),
                self.buffer.len(),
            )
        };
        let n = Errno::result(n)?;
        Ok(&self.buffer[..usize::try_from(n).expect("not negative")])
    }
}

/// A number as the name of a directory, without an allocation.
pub(crate) fn decimal(number: u32, buffer: &mut [u8; 11]) -> &CStr {
    let mut rest = number;
    let mut at = buffer.len() - 1;
    buffer[at] = 0;
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(rest % 10).expect("one digit");
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    CStr::from_bytes_with_nul(&buffer[at..]).expect("digits and one NUL")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_names() {
        for number in [0, 7, 10, 32_768, u32::MAX] {
            let mut buffer = [0; 11];
            assert_eq!(
                decimal(number, &mut buffer).to_str().unwrap(),
                number.to_string()
            );
        }
    }

    #[test]
    fn the_state_of_a_process_reads_the_same_by_its_number_and_through_its_directory() {
        let (mut one, mut other) = (Procfs::open().unwrap(), Procfs::open().unwrap());
        let me = one.process(std::process::id()).unwrap();
        let by_number = other.stat_of(std::process::id()).unwrap();
        let through = me.stat(&mut one).unwrap();
        assert_eq!(by_number.start_ticks, through.start_ticks);
        assert_eq!(by_number.image, through.image);
        assert!(one.stat_of(u32::MAX).is_none());
    }
}
