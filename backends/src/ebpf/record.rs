//! What the kernel's half writes (`struct record` in `bpf/record.h`), and what it means.

use execlab_model::{
    Bytes,
    sighting::{Argv, ContainerHint, Sighting},
};

// Keep in step with `bpf/record.h`.
const PATH_CUT: u32 = 1;
const ARGV_CUT: u32 = 2;
const DELETED: u32 = 4;
const DISCONNECTED: u32 = 8;
const ARGV_UNREADABLE: u32 = 16;
const PATH_UNREADABLE: u32 = 32;
const PATH_WHOLE: u32 = 64;
const PATH_GIVEN: u32 = 128;
const ARGV0_GIVEN: u32 = 256;
const NO_FILE: u32 = 512;
/// From this bit on: how many of the strings are arguments, where others follow them; 0 where none do.
const ARGC_SHIFT: u32 = 16;

/// Bytes before the text.
const HEADER: usize = 80;

/// One exec as the kernel's half saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    pub time_ns: u64,
    pub cgroup_id: u64,
    pub inode: u64,
    /// Records that this CPU had lost before this one, since the program was loaded.
    pub lost: u64,
    pub pid: u32,
    pub ns_pid: u32,
    pub ppid: u32,
    pub uid: u32,
    pub mnt_ns: u32,
    pub pid_ns: u32,
    /// In the kernel's own encoding: twelve bits of major number, twenty of minor.
    pub dev: u32,
    pub cpu: u32,
    flags: u32,
    path: &'a [u8],
    given: &'a [u8],
    argv: &'a [u8],
}

/// A record that the kernel's half cannot have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record of {got} bytes that needs {need}")]
pub struct Malformed {
    got: usize,
    need: usize,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The caller has checked that there are so many.
    fn bytes(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    fn u64(&mut self) -> u64 {
        u64::from_ne_bytes(self.bytes(8).try_into().expect("8 bytes"))
    }

    fn u32(&mut self) -> u32 {
        u32::from_ne_bytes(self.bytes(4).try_into().expect("4 bytes"))
    }
}

impl<'a> Record<'a> {
    /// Reads a record. More bytes than it needs are padding, which the perf buffer adds.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let got = bytes.len();
        if got < HEADER {
            return Err(Malformed { got, need: HEADER });
        }
        let mut r = Reader(bytes);
        let (time_ns, cgroup_id, inode, lost) = (r.u64(), r.u64(), r.u64(), r.u64());
        let (pid, ns_pid, ppid, uid) = (r.u32(), r.u32(), r.u32(), r.u32());
        let (mnt_ns, pid_ns, dev, cpu) = (r.u32(), r.u32(), r.u32(), r.u32());
        let lengths = [r.u32() as usize, r.u32() as usize, r.u32() as usize];
        let flags = r.u32();
        let need = HEADER + lengths.iter().sum::<usize>();
        if got < need {
            return Err(Malformed { got, need });
        }
        Ok(Self {
            time_ns,
            cgroup_id,
            inode,
            lost,
            pid,
            ns_pid,
            ppid,
            uid,
            mnt_ns,
            pid_ns,
            dev,
            cpu,
            flags,
            path: r.bytes(lengths[0]),
            given: r.bytes(lengths[1]),
            argv: r.bytes(lengths[2]),
        })
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// The path of the executed file, spelled as the kernel spells it elsewhere (`/proc/PID/exe`,
    /// audit): a file that has no name any more, or never had one, ends in ` (deleted)`. A path
    /// that was cut lacks its beginning and has no leading slash.
    pub fn path(&self) -> Option<Bytes> {
        if self.has(PATH_UNREADABLE) {
            return None;
        }
        if self.has(PATH_GIVEN) {
            return self.given();
        }
        if self.has(PATH_WHOLE) {
            let path = self.path.strip_suffix(b"\0").unwrap_or(self.path);
            return (!path.is_empty()).then(|| path.into());
        }
        let leaf_to_root = self.path.strip_suffix(b"\0").unwrap_or(self.path);
        // Of what is in no directory, a lone name is a file that never was in one (memfd); several
        // are the way from the top of a file system, of which the mount shows another part.
        let alone = self.has(DISCONNECTED) && !leaf_to_root.contains(&0);
        let suffix: &[u8] = if self.has(DELETED) || alone {
            b" (deleted)"
        } else {
            b""
        };
        let mut path = Vec::with_capacity(leaf_to_root.len() + 1 + suffix.len());
        for component in leaf_to_root.rsplit(|&b| b == 0) {
            // The top of a file system that is mounted only in part is called `/`.
            if component != b"/" && !component.is_empty() {
                path.push(b'/');
                path.extend_from_slice(component);
            }
        }
        if path.is_empty() {
            // The walk ended where it began: nothing was read.
            return None;
        }
        if self.has(PATH_CUT) {
            path.remove(0);
        }
        path.extend_from_slice(suffix);
        Some(path.into())
    }

    /// The string that was passed to the call; it ends at its first NUL.
    pub fn given(&self) -> Option<Bytes> {
        let given = self.given.split(|&byte| byte == 0).next();
        given.filter(|given| !given.is_empty()).map(Bytes::from)
    }

    /// The arguments; the last one is cut where not all were copied.
    pub fn argv(&self) -> Option<Argv> {
        if self.has(ARGV_UNREADABLE) {
            return None;
        }
        let mut list: Vec<Bytes> = Vec::new();
        if self.has(ARGV0_GIVEN) {
            list.extend(self.given());
        }
        if !self.argv.is_empty() {
            let arguments = self.argv.strip_suffix(b"\0").unwrap_or(self.argv);
            let arguments = arguments.split(|&b| b == 0).map(Bytes::from);
            match self.argc() {
                0 => list.extend(arguments),
                argc => list.extend(arguments.take(argc)),
            }
        }
        (!list.is_empty()).then_some(Argv::List(list))
    }

    /// How many of the strings are arguments; 0 where all are.
    fn argc(&self) -> usize {
        (self.flags >> ARGC_SHIFT) as usize
    }

    /// Where other strings follow the arguments, those are whole if something stands behind the end of each.
    fn argv_cut(&self) -> bool {
        let pieces = || self.argv.split(|&byte| byte == 0).count();
        self.has(ARGV_CUT) || (!self.argv.is_empty() && self.argc() > 0 && pieces() <= self.argc())
    }

    /// Device number as `stat` gives it, and inode.
    fn file(&self) -> Option<(u64, u64)> {
        let (major, minor) = (self.dev >> 20, self.dev & 0xf_ffff);
        (!self.has(NO_FILE)).then(|| (libc::makedev(major, minor), self.inode))
    }

    /// What is reported of it.
    pub fn sighting(&self, received_ns: u64) -> Sighting {
        let known = |number: u32| (number != 0).then_some(number);
        Sighting {
            pid: Some(self.pid),
            ns_pid: known(self.ns_pid),
            ppid: Some(self.ppid),
            uid: Some(self.uid),
            time_ns: Some(self.time_ns),
            time_tolerance_ns: 0,
            received_ns,
            path: self.path(),
            given: self.given(),
            argv: self.argv(),
            truncated: self.has(PATH_CUT) || self.argv_cut(),
            file: self.file(),
            container: ContainerHint {
                cgroup: None,
                cgroup_id: (self.cgroup_id != 0).then_some(self.cgroup_id),
                mnt_ns: known(self.mnt_ns),
                pid_ns: known(self.pid_ns),
            },
        }
    }
}

/// What the kernel's half would write of an exec with these texts: the path from leaf to root.
#[cfg(any(test, feature = "fuzzing"))]
pub fn record(path: &[u8], given: &[u8], argv: &[u8], flags: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in [1u64, 2, 3, 4] {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    let lengths = [path, given, argv].map(|text| u32::try_from(text.len()).expect("a short text"));
    let numbers = [5, 6, 7, 8, 9, 10, 0x0080_000b, 12];
    for number in numbers.into_iter().chain(lengths).chain([flags]) {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    for text in [path, given, argv] {
        bytes.extend_from_slice(text);
    }
    bytes
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
