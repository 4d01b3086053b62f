//! One record of process accounting, as bytes. Nothing here panics on any input.
//!
//! `struct acct_v3` of `include/uapi/linux/acct.h`, in the machine's byte order. Version 3 is what kernels with
//! `CONFIG_BSD_PROCESS_ACCT_V3` write, and the first with a number of the process.

use super::super::{COMM, Ended, name};

/// Every record is so long.
pub const SIZE: usize = 64;
const VERSION: u8 = 3;
/// What a big-endian machine adds to the version.
const BYTE_ORDER: u8 = 0x80;

mod at {
    pub const FLAG: usize = 0;
    pub const VERSION: usize = 1;
    pub const UID: usize = 8;
    pub const PID: usize = 16;
    pub const PPID: usize = 20;
    pub const COMM: usize = 48;
}

/// Why a record cannot be read: its version is another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherVersion(pub u8);

/// Of one record.
pub fn parse(raw: &[u8; SIZE]) -> Result<Ended, OtherVersion> {
    let version = raw[at::VERSION] & !BYTE_ORDER;
    if version != VERSION {
        return Err(OtherVersion(version));
    }
    let number = |at: usize| {
        let bytes = raw[at..at + 4].try_into().expect("four bytes");
        u32::from_ne_bytes(bytes)
    };
    Ok(Ended {
        flags: raw[at::FLAG],
        pid: number(at::PID),
        ppid: number(at::PPID),
        uid: number(at::UID),
        comm: name(&raw[at::COMM..at::COMM + COMM]),
        file: None,
    })
}

/// As the kernel writes it (`fill_ac`, kernel/acct.c).
#[cfg(any(test, feature = "fuzzing"))]
pub fn record(ended: &Ended) -> [u8; SIZE] {
    let mut raw = [0; SIZE];
    raw[at::FLAG] = ended.flags;
    raw[at::VERSION] = VERSION;
    for (at, number) in [
        (at::UID, ended.uid),
        (at::PID, ended.pid),
        (at::PPID, ended.ppid),
    ] {
        raw[at..at + 4].copy_from_slice(&number.to_ne_bytes());
    }
    let comm = ended.comm.as_slice();
    raw[at::COMM..at::COMM + comm.len()].copy_from_slice(comm);
    raw
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_is_laid_out_as_in_the_header() {
        // flag, version, terminal u16, exit code, uid, gid, pid, ppid, begin, elapsed: u32 each; then
        // eight u16, and the name up to the end.
        assert_eq!(at::PID, 2 + 2 + 4 + 4 + 4);
        assert_eq!(at::COMM, at::PPID + 4 + 4 + 4 + 8 * 2);
        assert_eq!(at::COMM + COMM, SIZE);
    }

    #[test]
    fn another_version_is_told() {
        let mut raw = [0; SIZE];
        raw[at::VERSION] = 2;
        assert_eq!(parse(&raw), Err(OtherVersion(2)));
        raw[at::VERSION] = BYTE_ORDER | VERSION;
        assert!(parse(&raw).is_ok());
    }

    proptest! {
        #[test]
        fn records_come_back(
            flags: u8, pid: u32, ppid: u32, uid: u32,
            comm in proptest::collection::vec(1u8.., 0..COMM),
        ) {
            let ended = Ended { flags, pid, ppid, uid, comm: comm.into(), file: None };
            prop_assert_eq!(parse(&record(&ended)), Ok(ended));
        }

        #[test]
        fn garbage_never_panics(raw in proptest::array::uniform32(any::<[u8; 2]>())) {
            let flat = raw.concat();
            let _ = parse(flat.as_slice().try_into().unwrap());
        }
    }
}
