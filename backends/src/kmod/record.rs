//! What a module writes (`struct record` in `kmod/report.h`), and what it means.

use execlab_model::{
    Bytes,
    sighting::{Argv, ContainerHint, Sighting},
};

// Keep in step with `kmod/report.h`.
const PATH_UNREADABLE: u32 = 1;
const ARGV_CUT: u32 = 2;
const ARGV_UNREADABLE: u32 = 4;
const GIVEN_UNKNOWN: u32 = 8;

/// Bytes before the texts.
pub const HEADER: usize = 80;

/// One exec as the module saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    flags: u32,
    pub time_ns: u64,
    /// Execs that had found no room before this one, since the device was opened.
    pub lost: u64,
    cgroup_id: u64,
    inode: u64,
    pid: u32,
    ns_pid: u32,
    ppid: u32,
    uid: u32,
    mnt_ns: u32,
    pid_ns: u32,
    /// In the kernel's own encoding: twelve bits of major number, twenty of minor.
    dev: u32,
    path: &'a [u8],
    given: &'a [u8],
    argv: &'a [u8],
}

/// Bytes that no module can have written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record that says that it has {said} bytes, its parts {parts}, and there are {there}")]
pub struct Malformed {
    said: usize,
    parts: usize,
    there: usize,
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

    fn size(&mut self) -> usize {
        usize::try_from(self.u32()).expect("at least 32 bits")
    }
}

impl<'a> Record<'a> {
    /// The first record of those that were read, and the bytes behind it.
    pub fn split(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        let there = bytes.len();
        if there < HEADER {
            return Err(Malformed {
                said: HEADER,
                parts: HEADER,
                there,
            });
        }
        let mut r = Reader(bytes);
        let said = r.size();
        let flags = r.u32();
        let (time_ns, lost, cgroup_id, inode) = (r.u64(), r.u64(), r.u64(), r.u64());
        let (pid, ns_pid, ppid, uid) = (r.u32(), r.u32(), r.u32(), r.u32());
        let (mnt_ns, pid_ns, dev) = (r.u32(), r.u32(), r.u32());
        let lengths = [r.size(), r.size(), r.size()];
        let parts = lengths.iter().fold(HEADER, |sum, n| sum.saturating_add(*n));
        if said != parts || there < parts {
            return Err(Malformed { said, parts, there });
        }
        let record = Self {
            flags,
            time_ns,
            lost,
            cgroup_id,
            inode,
            pid,
            ns_pid,
            ppid,
            uid,
            mnt_ns,
            pid_ns,
            dev,
            path: r.bytes(lengths[0]),
            given: r.bytes(lengths[1]),
            argv: r.bytes(lengths[2]),
        };
        Ok((record, r.0))
    }

    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    fn argv(&self) -> Option<Argv> {
        if self.argv.is_empty() || self.has(ARGV_UNREADABLE) {
            return None;
        }
        let arguments = self.argv.strip_suffix(b"\0").unwrap_or(self.argv);
        Some(Argv::List(
            arguments.split(|&b| b == 0).map(Bytes::from).collect(),
        ))
    }

    /// The string that was passed to the call. With an empty one the file is named by a descriptor alone
    /// (`AT_EMPTY_PATH`), and nothing is told.
    fn given(&self) -> Option<Bytes> {
        let told = !self.has(GIVEN_UNKNOWN) && !self.given.is_empty();
        told.then(|| self.given.into())
    }

    /// What is reported of it.
    pub fn sighting(&self, received_ns: u64) -> Sighting {
        let known = |number: u32| (number != 0).then_some(number);
        let (major, minor) = (self.dev >> 20, self.dev & 0xf_ffff);
        Sighting {
            pid: Some(self.pid),
            ns_pid: known(self.ns_pid),
            ppid: Some(self.ppid),
            uid: Some(self.uid),
            time_ns: Some(self.time_ns),
            time_tolerance_ns: 0,
            received_ns,
            path: (!self.has(PATH_UNREADABLE)).then(|| self.path.into()),
            given: self.given(),
            argv: self.argv(),
            truncated: self.has(ARGV_CUT),
            file: Some((libc::makedev(major, minor), self.inode)),
            container: ContainerHint {
                cgroup: None,
                cgroup_id: Some(self.cgroup_id),
                mnt_ns: known(self.mnt_ns),
                pid_ns: known(self.pid_ns),
            },
        }
    }
}

/// What a module would write of an exec with these texts.
#[cfg(any(test, feature = "fuzzing"))]
pub fn record(path: &[u8], given: &[u8], argv: &[u8], flags: u32) -> Vec<u8> {
    let length = |text: &[u8]| u32::try_from(text.len()).expect("a short text");
    let texts = [path, given, argv];
    let header = u32::try_from(HEADER).expect("a small number");
    let size = texts.iter().fold(header, |sum, text| sum + length(text));
    let mut bytes = Vec::new();
    for number in [size, flags] {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    for number in [1u64, 2, 3, 4] {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    let numbers = [5, 6, 7, 8, 9, 10, 0x0080_000b].into_iter();
    for number in numbers.chain(texts.map(length)) {
        bytes.extend_from_slice(&number.to_ne_bytes());
    }
    for text in texts {
        bytes.extend_from_slice(text);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sighting_of(bytes: &[u8]) -> Sighting {
        Record::split(bytes).unwrap().0.sighting(99)
    }

    #[test]
    fn every_field_arrives_in_its_place() {
        let bytes = record(b"/bin/x", b"./x", b"x\0\0a b\0", 0);
        let (read, rest) = Record::split(&bytes).unwrap();
        assert_eq!((read.lost, rest.len()), (2, 0));
        assert_eq!(
            read.sighting(99),
            Sighting {
                pid: Some(5),
                ns_pid: Some(6),
                ppid: Some(7),
                uid: Some(8),
                time_ns: Some(1),
                time_tolerance_ns: 0,
                received_ns: 99,
                path: Some("/bin/x".into()),
                given: Some("./x".into()),
                argv: Some(Argv::List(vec!["x".into(), "".into(), "a b".into()])),
                truncated: false,
                file: Some((libc::makedev(8, 11), 4)),
                container: ContainerHint {
                    cgroup: None,
                    cgroup_id: Some(3),
                    mnt_ns: Some(9),
                    pid_ns: Some(10),
                },
            }
        );
    }

    #[test]
    fn what_could_not_be_read_is_absent() {
        let flags = PATH_UNREADABLE | ARGV_UNREADABLE | GIVEN_UNKNOWN;
        let seen = sighting_of(&record(b"", b"", b"zz", flags));
        assert_eq!((seen.path, seen.given, seen.argv), (None, None, None));
    }

    #[test]
    fn an_empty_string_that_was_passed_tells_nothing() {
        assert_eq!(sighting_of(&record(b"/x", b"", b"", 0)).given, None);
    }

    #[test]
    fn records_follow_one_another() {
        let mut bytes = record(b"/a", b"a", b"a\0", 0);
        bytes.extend_from_slice(&record(b"/b", b"b", b"b\0", 0));
        let (first, rest) = Record::split(&bytes).unwrap();
        let (second, rest) = Record::split(rest).unwrap();
        assert_eq!((first.path, second.path), (&b"/a"[..], &b"/b"[..]));
        assert!(rest.is_empty());
    }

    #[test]
    fn lengths_beyond_the_record_are_refused() {
        for at in [0, 68, 72, 76] {
            let mut bytes = record(b"/x", b"x", b"x\0", 0);
            bytes[at..at + 4].copy_from_slice(&u32::MAX.to_ne_bytes());
            assert!(Record::split(&bytes).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn any_texts_survive(
            path in proptest::collection::vec(1u8.., 1..300),
            given in proptest::collection::vec(1u8.., 1..300),
            argv in proptest::collection::vec(proptest::collection::vec(1u8.., 0..20), 1..20),
        ) {
            let mut raw = Vec::new();
            for argument in &argv {
                raw.extend_from_slice(argument);
                raw.push(0);
            }
            let seen = sighting_of(&record(&path, &given, &raw, 0));
            prop_assert_eq!(seen.path, Some(Bytes(path)));
            prop_assert_eq!(seen.given, Some(Bytes(given)));
            let expected = argv.into_iter().map(Bytes).collect();
            prop_assert_eq!(seen.argv, Some(Argv::List(expected)));
        }

        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok((record, _)) = Record::split(&bytes) {
                let _ = record.sighting(0);
            }
        }

        #[test]
        fn a_record_that_is_cut_short_is_refused(cut in any::<prop::sample::Index>()) {
            let bytes = record(b"/bin/x", b"./x", b"x\0", 0);
            prop_assert!(Record::split(&bytes[..cut.index(bytes.len())]).is_err());
        }
    }
}
