//! The messages of generic netlink and of its family TASKSTATS, as bytes. Nothing here panics on any input.
//!
//! A message is `nlmsghdr` (16 bytes), `genlmsghdr` (4) and attributes (4 bytes of head each, padded to 4),
//! all in the machine's byte order (`include/uapi/linux/{netlink,genetlink,taskstats}.h`).

use super::super::{AFORK, Ended, name};

/// The family that knows the others.
const CONTROLLER: u16 = 16;
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

const TASKSTATS_GET: u8 = 1;
const TYPE_STATS: u16 = 3;
const TYPE_AGGR_PID: u16 = 4;

const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// Of an attribute's type: the rest are flags (`NLA_TYPE_MASK`).
const TYPE_MASK: u16 = 0x3fff;

const HEADER: usize = 16;
const ATTRIBUTES_AT: usize = HEADER + 4;
const ATTRIBUTE_HEADER: usize = 4;

/// Offsets in `struct taskstats`. Versions only append: 10 (Linux 5.7) is 352 bytes long and ends before
/// the executed file, which comes with 12 (5.19). So lengths are looked at, and versions are not.
mod at {
    pub const FLAG: usize = 8;
    pub const COMM: usize = 80;
    pub const UID: usize = 120;
    pub const PID: usize = 128;
    pub const PPID: usize = 132;
    pub const EXE_DEVICE: usize = 384;
    pub const EXE_INODE: usize = 392;
}
/// `TS_COMM_LEN`.
const COMM: usize = 32;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// The number of the family TASKSTATS.
    Family,
    /// That ends on these CPUs (`0-3`) be told to this socket (attribute 3), or no longer (4).
    Listen {
        /// The number of the family.
        family: u16,
        /// A list as in `/sys/devices/system/cpu/possible`.
        cpus: &'a str,
        /// Or to stop.
        on: bool,
    },
}

impl Request<'_> {
    /// With an acknowledgement to be sent in answer.
    pub fn to_bytes(self) -> Vec<u8> {
        let (family, command, attribute, text) = match self {
            Self::Family => (CONTROLLER, GET_FAMILY, FAMILY_NAME, "TASKSTATS"),
            Self::Listen { family, cpus, on } => {
                (family, TASKSTATS_GET, if on { 3 } else { 4 }, cpus)
            }
        };
        let mut out = vec![0; ATTRIBUTES_AT];
        out[4..6].copy_from_slice(&family.to_ne_bytes());
        out[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_ACK).to_ne_bytes());
        out[16] = command;
        out[17] = 1; // version
        let length = ATTRIBUTE_HEADER + text.len() + 1;
        let length16 = u16::try_from(length).expect("lists of CPUs are short");
        out.extend_from_slice(&length16.to_ne_bytes());
        out.extend_from_slice(&attribute.to_ne_bytes());
        out.extend_from_slice(text.as_bytes());
        out.resize(ATTRIBUTES_AT + length.next_multiple_of(4), 0);
        let whole = u32::try_from(out.len()).expect("short");
        out[..4].copy_from_slice(&whole.to_ne_bytes());
        out
    }
}

/// What a socket is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// The answer to a request that has no other: 0, or a negative error number.
    Answer(i32),
    /// The number of the family that was asked for.
    Family(u16),
    /// A thread ended.
    Ended(Ended),
    /// Something else.
    Other,
}

/// One message. `None` for what is none.
pub fn parse(raw: &[u8], family: Option<u16>) -> Option<Message> {
    let length = usize::try_from(u32_at(raw, 0)?).ok()?;
    // A message that did not fit into the buffer is cut, and what matters stands first.
    let raw = raw.get(..length).unwrap_or(raw);
    let kind = u16_at(raw, 4)?;
    if kind == NLMSG_ERROR {
        return Some(Message::Answer(u32_at(raw, HEADER)?.cast_signed()));
    }
    let attributes = raw.get(ATTRIBUTES_AT..)?;
    if kind == CONTROLLER {
        let id = find(attributes, FAMILY_ID).and_then(|id| u16_at(id, 0));
        return Some(id.map_or(Message::Other, Message::Family));
    }
    if Some(kind) != family {
        return Some(Message::Other);
    }
    let stats = find(attributes, TYPE_AGGR_PID).and_then(|pid| find(pid, TYPE_STATS));
    let ended = stats.and_then(ended);
    Some(ended.map_or(Message::Other, Message::Ended))
}

fn ended(stats: &[u8]) -> Option<Ended> {
    let file = || {
        Some((
            u64_at(stats, at::EXE_DEVICE)?,
            u64_at(stats, at::EXE_INODE)?,
        ))
    };
    Some(Ended {
        flags: *stats.get(at::FLAG)?,
        pid: u32_at(stats, at::PID)?,
        ppid: u32_at(stats, at::PPID)?,
        uid: u32_at(stats, at::UID)?,
        comm: name(stats.get(at::COMM..at::COMM + COMM)?),
        // Both are zero for a thread of the kernel.
        file: file().filter(|&file| file != (0, 0)),
    })
}

/// The content of the first attribute of a type.
fn find(mut raw: &[u8], kind: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16_at(raw, 0)?);
        let content = raw.get(ATTRIBUTE_HEADER..length)?;
        if u16_at(raw, 2)? & TYPE_MASK == kind {
            return Some(content);
        }
        raw = raw.get(length.next_multiple_of(4)..)?;
    }
}

fn u16_at(raw: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(raw.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(raw.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(raw: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(raw.get(at..at + 8)?.try_into().ok()?))
}

/// A classic BPF program that drops ends of threads that called no exec, and keeps all else.
///
/// It runs for each message before it is queued, so forks take no room and wake nobody. Where attributes stand
/// is left to the kernel's own search (`SKF_AD_NLATTR`, Linux 2.6.26): they may be padded.
pub fn filter(family: u16) -> Vec<libc::sock_filter> {
    const KEEP: u32 = u32::MAX;
    let code = |parts: &[u32]| u16::try_from(parts.iter().fold(0, |a, b| a | b)).expect("a byte");
    let line = |parts: &[u32], jt, jf, k| libc::sock_filter {
        code: code(parts),
        jt,
        jf,
        k,
    };
    let wide = |n: usize| u32::try_from(n).expect("small");
    let extension = |n: i32| (libc::SKF_AD_OFF + n).cast_unsigned();
    let load_word = &[libc::BPF_LD, libc::BPF_W, libc::BPF_ABS];
    let load_x = &[libc::BPF_LDX, libc::BPF_IMM];
    let equal = &[libc::BPF_JMP, libc::BPF_JEQ, libc::BPF_K];
    let give = &[libc::BPF_RET, libc::BPF_K];
    vec![
        // A load turns network byte order into the machine's; the number is in the machine's already.
        line(&[libc::BPF_LD, libc::BPF_H, libc::BPF_ABS], 0, 0, 4),
        line(equal, 0, 9, u16::to_be(family).into()),
        line(&[libc::BPF_LD, libc::BPF_IMM], 0, 0, wide(ATTRIBUTES_AT)),
        line(load_x, 0, 0, TYPE_AGGR_PID.into()),
        line(load_word, 0, 0, extension(libc::SKF_AD_NLATTR)),
        line(load_x, 0, 0, TYPE_STATS.into()),
        line(load_word, 0, 0, extension(libc::SKF_AD_NLATTR_NEST)),
        // Not found: kept.
        line(equal, 3, 0, 0),
        line(&[libc::BPF_MISC, libc::BPF_TAX], 0, 0, 0),
        line(
            &[libc::BPF_LD, libc::BPF_B, libc::BPF_IND],
            0,
            0,
            wide(ATTRIBUTE_HEADER + at::FLAG),
        ),
        line(
            &[libc::BPF_JMP, libc::BPF_JSET, libc::BPF_K],
            1,
            0,
            AFORK.into(),
        ),
        line(give, 0, 0, KEEP),
        line(give, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "fuzzing"))]
pub mod written;
