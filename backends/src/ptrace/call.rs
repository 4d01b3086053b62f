//! A call of exec at its entry: registers, and what they point to in the caller's memory.
//!
//! The caller waits while its memory is read, but other threads, and a parent in `vfork`, do not: the kernel copies path and
//! arguments later, and may find other bytes there (`seccomp_unotify(2)`, "Caveats"). A page that is not there is waited for, and
//! who serves it (FUSE, `userfaultfd(2)`) may let us wait.

use std::io::IoSliceMut;

use execlab_model::{Bytes, sighting::Argv};
use nix::{
    sys::uio::{RemoteIoVec, process_vm_readv},
    unistd::Pid,
};

use crate::seccomp_filter::{I386, X32_EXECVE, X32_EXECVEAT, X86_64};

/// `AT_EXECVE_CHECK` (linux/fcntl.h): asks whether it would be allowed, and never executes. Kernels before 6.14 refuse it.
const CHECK_ONLY: u64 = 0x1_0000;

/// Longer arguments, or more of them, are cut here, in bytes with their NULs, and the sighting says so.
const MAX_ARGUMENTS: usize = 1 << 20;
/// `PATH_MAX` (linux/limits.h): the kernel takes no longer string.
const MAX_PATH: usize = 4096;
/// How much is read at once: never beyond a page, as the next may not be there. What callers pass often lies together.
const CHUNK: u64 = 512;
const CHUNKS: usize = 8;

/// A system call as seccomp and ptrace tell it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub arch: u32,
    pub number: u32,
    pub arguments: [u64; 6],
}

/// The addresses and numbers of a call of exec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exec {
    pub path: u64,
    pub argv: u64,
    /// Of addresses in the caller's tables.
    pub width: Width,
    /// Where a relative path begins; `AT_FDCWD` for `execve`.
    pub dirfd: i32,
    pub flags: u64,
}

/// Size of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Four,
    Eight,
}

impl Request {
    /// `None` for any other call.
    pub fn exec(&self) -> Option<Exec> {
        // x32 has 64-bit registers, and tables of 32-bit addresses.
        let (width, with_dirfd) = match (self.arch, self.number) {
            (X86_64, 59) => (Width::Eight, false),
            (X86_64, 322) => (Width::Eight, true),
            (I386, 11) | (X86_64, X32_EXECVE) => (Width::Four, false),
            (I386, 358) | (X86_64, X32_EXECVEAT) => (Width::Four, true),
            _ => return None,
        };
        let [a, b, c, _, e, _] = self.arguments;
        Some(if with_dirfd {
            // The kernel reads the register's lower half as an `int`.
            let dirfd = u32::try_from(a & 0xffff_ffff).expect("32 bits");
            Exec {
                path: b,
                argv: c,
                width,
                dirfd: dirfd.cast_signed(),
                flags: e & 0xffff_ffff,
            }
        } else {
            Exec {
                path: a,
                argv: b,
                width,
                dirfd: libc::AT_FDCWD,
                flags: 0,
            }
        })
    }
}

impl Exec {
    /// Whether an empty path stands for the file behind the descriptor.
    pub fn may_be_empty(&self) -> bool {
        self.flags & u64::from(libc::AT_EMPTY_PATH.cast_unsigned()) != 0
    }

    /// Whether it only asks: nothing is executed on any kernel.
    pub fn only_asks(&self) -> bool {
        self.flags & CHECK_ONLY != 0
    }
}

/// The caller's memory, a few pieces at a time.
#[derive(Debug)]
pub struct Memory {
    pid: Pid,
    pieces: Vec<(u64, Vec<u8>)>,
    next: usize,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            pid: Pid::from_raw(0),
            pieces: Vec::with_capacity(CHUNKS),
            next: 0,
        }
    }
}

impl Memory {
    /// Of that thread, from now on; what was read is forgotten.
    pub fn turn_to(&mut self, tid: i32) {
        self.pid = Pid::from_raw(tid);
        for piece in &mut self.pieces {
            piece.1.clear();
        }
        self.next = 0;
    }

    /// From an address to the end of its piece; `None` where nothing is mapped.
    fn piece(&mut self, address: u64) -> Option<&[u8]> {
        let start = address & !(CHUNK - 1);
        let inside = usize::try_from(address - start).ok()?;
        let held = |(at, bytes): &(u64, Vec<u8>)| *at == start && !bytes.is_empty();
        let at = match self.pieces.iter().position(held) {
            Some(at) => at,
            None => self.read(start)?,
        };
        self.pieces[at].1.get(inside..)
    }

    fn read(&mut self, start: u64) -> Option<usize> {
        let at = self.next % CHUNKS;
        self.next += 1;
        if self.pieces.len() <= at {
            self.pieces.push((0, Vec::new()));
        }
        let (address, bytes) = &mut self.pieces[at];
        *address = start;
        bytes.resize(usize::try_from(CHUNK).ok()?, 0);
        let remote = RemoteIoVec {
            base: usize::try_from(start).ok()?,
            len: bytes.len(),
        };
        let read = process_vm_readv(self.pid, &mut [IoSliceMut::new(bytes)], &[remote]);
        // A piece lies on one page, so it is there or not.
        let whole = read.is_ok_and(|n| n == bytes.len());
        if !whole {
            bytes.clear();
        }
        whole.then_some(at)
    }

    /// The string at an address, and whether it was cut at `limit` bytes.
    fn string(&mut self, mut address: u64, limit: usize) -> Option<(Vec<u8>, bool)> {
        let mut out = Vec::new();
        loop {
            let piece = self.piece(address)?;
            let room = limit - out.len();
            let seen = &piece[..piece.len().min(room)];
            if let Some(end) = seen.iter().position(|&b| b == 0) {
                out.extend_from_slice(&seen[..end]);
                return Some((out, false));
            }
            out.extend_from_slice(seen);
            if out.len() >= limit {
                return Some((out, true));
            }
            address = address.checked_add(u64::try_from(seen.len()).ok()?)?;
        }
    }

    fn address(&mut self, at: u64, width: Width) -> Option<u64> {
        let length = match width {
            Width::Four => 4,
            Width::Eight => 8,
        };
        let mut word = [0; 8];
        if let Some(bytes) = self.piece(at)?.get(..length) {
            word[..length].copy_from_slice(bytes);
            return Some(u64::from_le_bytes(word));
        }
        for (i, byte) in word.iter_mut().enumerate().take(length) {
            // An odd table may lie across two pieces.
            *byte = *self
                .piece(at.checked_add(u64::try_from(i).ok()?)?)?
                .first()?;
        }
        Some(u64::from_le_bytes(word))
    }

    /// The path as given; `None` where it cannot be read.
    pub fn path(&mut self, exec: &Exec) -> Option<Bytes> {
        let (path, cut) = self.string(exec.path, MAX_PATH)?;
        // The kernel refuses what is longer.
        (!cut).then(|| Bytes::from(path.as_slice()))
    }

    /// The arguments, and whether they were cut; `None` where they cannot be read.
    pub fn argv(&mut self, exec: &Exec) -> Option<(Argv, bool)> {
        let step = match exec.width {
            Width::Four => 4,
            Width::Eight => 8,
        };
        let mut list = Vec::new();
        let mut left = MAX_ARGUMENTS;
        let mut at = exec.argv;
        // Linux takes no table for an empty one.
        while at != 0 {
            let address = self.address(at, exec.width)?;
            if address == 0 {
                break;
            }
            let (text, cut) = self.string(address, left)?;
            left = left.saturating_sub(text.len() + 1);
            list.push(Bytes::from(text.as_slice()));
            if cut || left == 0 {
                return Some((Argv::List(list), true));
            }
            at = at.checked_add(step)?;
        }
        Some((Argv::List(list), false))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use proptest::prelude::*;

    use super::*;
    use crate::seccomp_filter::CALLS;

    fn own() -> Memory {
        let mut memory = Memory::default();
        memory.turn_to(std::process::id().cast_signed());
        memory
    }

    fn address<T>(of: *const T) -> u64 {
        u64::try_from(of.addr()).unwrap()
    }

    fn call(path: u64, argv: u64) -> Exec {
        let request = Request {
            arch: X86_64,
            number: 59,
            arguments: [path, argv, 0, 0, 0, 0],
        };
        request.exec().unwrap()
    }

    #[test]
    fn what_the_filter_takes_is_read_as_an_exec() {
        for (arch, number) in CALLS {
            let arguments = [0; 6];
            let request = Request {
                arch,
                number,
                arguments,
            };
            assert!(request.exec().is_some(), "{arch:#x} {number}");
        }
    }

    proptest! {
        #[test]
        fn strings_and_tables_are_read_as_they_are(
            texts in prop::collection::vec("[^\0]{0,700}", 0..12),
        ) {
            let texts: Vec<CString> = texts.into_iter().map(|t| CString::new(t).unwrap()).collect();
            let mut table: Vec<u64> = texts.iter().map(|t| address(t.as_ptr())).collect();
            table.push(0);
            let path = texts.first().map_or(0, |t| address(t.as_ptr()));
            let exec = call(path, address(table.as_ptr()));
            let mut memory = own();
            let expected: Vec<Bytes> = texts.iter().map(|t| t.to_bytes().into()).collect();
            prop_assert_eq!(memory.path(&exec), expected.first().cloned());
            prop_assert_eq!(memory.argv(&exec), Some((Argv::List(expected), false)));
        }

        #[test]
        fn any_address_is_survived(path in any::<u64>(), argv in any::<u64>()) {
            let mut memory = own();
            let exec = call(path, argv);
            let _ = (memory.path(&exec), memory.argv(&exec));
        }
    }

    #[test]
    fn addresses_of_32_bits_are_read_from_their_table() {
        let mut memory = own();
        let table: [u32; 3] = [7, 0xffff_fff0, 0];
        let start = address(table.as_ptr());
        assert_eq!(memory.address(start, Width::Four), Some(7));
        assert_eq!(memory.address(start + 4, Width::Four), Some(0xffff_fff0));
    }

    #[test]
    fn what_is_too_long_is_cut_and_said_so() {
        let long = CString::new(vec![b'x'; MAX_ARGUMENTS + 1]).unwrap();
        let table = [address(long.as_ptr()), 0];
        let exec = call(table[0], address(table.as_ptr()));
        let mut memory = own();
        assert_eq!(memory.path(&exec), None);
        let Some((Argv::List(list), true)) = memory.argv(&exec) else {
            panic!("a list that was cut");
        };
        assert_eq!(list[0].as_slice().len(), MAX_ARGUMENTS);
    }

    #[test]
    fn a_descriptor_and_flags_are_those_of_execveat() {
        let minus_100 = u64::from((-100i32).cast_unsigned());
        let request = Request {
            arch: I386,
            number: 358,
            arguments: [minus_100, 1, 2, 3, 0x1_1000, 0],
        };
        let exec = request.exec().unwrap();
        assert_eq!((exec.dirfd, exec.path, exec.argv), (libc::AT_FDCWD, 1, 2));
        assert!(exec.may_be_empty() && exec.only_asks());
    }
}
