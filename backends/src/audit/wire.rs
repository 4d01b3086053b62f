//! Netlink messages of audit: numbers, headers, and the raw structures behind them.

/// Bytes of a `struct nlmsghdr`.
pub const HEADER: usize = size_of::<libc::nlmsghdr>();
const _: () = assert!(HEADER == 16);

/// Message types (`linux/audit.h`).
pub mod kind {
    /// Netlink's own answer: an error number, zero for success.
    pub const ACK: u16 = 2;
    /// Netlink's own end of a list.
    pub const DONE: u16 = 3;
    pub const GET: u16 = 1000;
    pub const SET: u16 = 1001;
    pub const USER: u16 = 1005;
    pub const ADD_RULE: u16 = 1011;
    pub const DEL_RULE: u16 = 1012;
    pub const LIST_RULES: u16 = 1013;
    pub const USER_AVC: u16 = 1107;
    pub const SYSCALL: u16 = 1300;
    pub const PATH: u16 = 1302;
    pub const CWD: u16 = 1307;
    pub const EXECVE: u16 = 1309;
    pub const EOE: u16 = 1320;
    pub const SECCOMP: u16 = 1326;
    pub const PROCTITLE: u16 = 1327;
    pub const AVC: u16 = 1400;
}

/// One message, borrowed from the datagram that it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: u16,
    pub sequence: u32,
    pub payload: &'a [u8],
}

impl<'a> Message<'a> {
    /// The message in a datagram; `None` if there is not even a header.
    ///
    /// Audit puts one message into each datagram, and in what it sends to its owner `nlmsg_len`
    /// leaves out the header (a quirk as old as audit: see `audit_log_end`), while in answers to
    /// requests it has it. So the length of the datagram is the one that counts.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (header, payload) = datagram.split_at_checked(HEADER)?;
        Some(Self {
            kind: u16::from_ne_bytes([header[4], header[5]]),
            sequence: word(header, 2)?,
            payload,
        })
    }

    /// The error number in a message of [`kind::ACK`], positive; zero for success.
    pub fn errno(&self) -> Option<i32> {
        let code = word(self.payload, 0)?.cast_signed();
        // Asked to reset the lost counter, audit answers with the counter: a positive value.
        Some(code.checked_neg().unwrap_or(i32::MAX).max(0))
    }
}

/// The bytes of a request.
pub fn request(kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER + payload.len()).expect("requests are small");
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    bytes.extend_from_slice(&sequence.to_ne_bytes());
    bytes.extend_from_slice(&0u32.to_ne_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The `index`th 32-bit word of a structure that is made of such words.
pub fn word(bytes: &[u8], index: usize) -> Option<u32> {
    let bytes = bytes.get(4 * index..4 * index + 4)?;
    Some(u32::from_ne_bytes(bytes.try_into().expect("4 bytes")))
}

/// `struct audit_status`: the switches and counters of audit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Status {
    /// Which of the fields a [`kind::SET`] means.
    pub mask: u32,
    /// 0 off, 1 on, 2 on and locked until the next boot.
    pub enabled: u32,
    /// What the kernel does about a lost record: 0 nothing, 1 print, 2 panic.
    pub failure: u32,
    /// The process that owns the unicast connection, 0 for none.
    pub pid: u32,
    /// Records a second before the kernel drops, 0 for no limit.
    pub rate_limit: u32,
    /// Records in the kernel's queue before processes have to wait.
    pub backlog_limit: u32,
    /// Records lost since boot or since the counter was reset.
    pub lost: u32,
    /// Records in the queue now.
    pub backlog: u32,
    /// A bitmap of what this kernel can do.
    pub features: u32,
    /// How many ticks a process waits for room in the queue before its record is lost.
    pub backlog_wait_time: u32,
    /// How many ticks processes have waited so far (since 5.9).
    pub backlog_wait_time_actual: u32,
}

const STATUS_WORDS: usize = 11;
const _: () = assert!(size_of::<Status>() == 4 * STATUS_WORDS);

impl Status {
    pub const ENABLED: u32 = 1;
    pub const FAILURE: u32 = 2;
    pub const PID: u32 = 4;
    pub const RATE_LIMIT: u32 = 8;
    pub const BACKLOG_LIMIT: u32 = 0x10;
    pub const BACKLOG_WAIT_TIME: u32 = 0x20;

    /// From the payload of a [`kind::GET`]. A kernel that knows fewer fields sends fewer, and the
    /// rest is zero, as it is for the kernel itself when a program sends fewer.
    pub fn parse(payload: &[u8]) -> Self {
        let at = |index| word(payload, index).unwrap_or(0);
        Self {
            mask: at(0),
            enabled: at(1),
            failure: at(2),
            pid: at(3),
            rate_limit: at(4),
            backlog_limit: at(5),
            lost: at(6),
            backlog: at(7),
            features: at(8),
            backlog_wait_time: at(9),
            backlog_wait_time_actual: at(10),
        }
    }

    /// The payload of a [`kind::SET`].
    pub fn to_bytes(self) -> Vec<u8> {
        [
            self.mask,
            self.enabled,
            self.failure,
            self.pid,
            self.rate_limit,
            self.backlog_limit,
            self.lost,
            self.backlog,
            self.features,
            self.backlog_wait_time,
            self.backlog_wait_time_actual,
        ]
        .iter()
        .flat_map(|word| word.to_ne_bytes())
        .collect()
    }

    /// The fields of `self` that `mask` names and in which it differs from `other`, as a mask.
    pub fn differs(self, other: Self, mask: u32) -> u32 {
        [
            (Self::ENABLED, self.enabled != other.enabled),
            (Self::FAILURE, self.failure != other.failure),
            (Self::PID, self.pid != other.pid),
            (Self::RATE_LIMIT, self.rate_limit != other.rate_limit),
            (
                Self::BACKLOG_LIMIT,
                self.backlog_limit != other.backlog_limit,
            ),
            (
                Self::BACKLOG_WAIT_TIME,
                self.backlog_wait_time != other.backlog_wait_time,
            ),
        ]
        .iter()
        .filter(|(bit, differs)| *differs && mask & bit != 0)
        .fold(0, |all, (bit, _)| all | bit)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_status_of_a_real_kernel_reads_back() {
        // AUDIT_GET of 6.18 with nobody attached: enabled 0, failure 1, backlog limit 64, ….
        let words = [0u32, 0, 1, 0, 0, 64, 0, 0, 0x7f, 15000, 0];
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let status = Status::parse(&bytes);
        assert_eq!(status.backlog_limit, 64);
        assert_eq!(status.backlog_wait_time, 15000);
        assert_eq!(status.to_bytes(), bytes);
    }

    #[test]
    fn only_fields_that_are_named_and_differ_are_put_back() {
        let before = Status {
            backlog_limit: 64,
            ..Status::default()
        };
        let now = Status {
            backlog_limit: 8192,
            enabled: 1,
            ..before
        };
        assert_eq!(
            before.differs(now, Status::BACKLOG_LIMIT | Status::FAILURE),
            Status::BACKLOG_LIMIT
        );
        assert_eq!(before.differs(before, u32::MAX), 0);
    }

    proptest! {
        #[test]
        fn any_datagram_parses_or_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let message = Message::parse(&bytes);
            prop_assert_eq!(message.is_some(), bytes.len() >= HEADER);
            if let Some(message) = message {
                prop_assert_eq!(message.payload.len(), bytes.len() - HEADER);
                prop_assert!(message.errno().is_none_or(|e| e >= 0));
                let _ = Status::parse(message.payload);
            }
        }

        #[test]
        fn whatever_nlmsg_len_says_the_payload_is_whole(
            kind in any::<u16>(), sequence in any::<u32>(), lie in any::<u32>(),
            payload in proptest::collection::vec(any::<u8>(), 0..60),
        ) {
            let mut bytes = request(kind, 0, sequence, &payload);
            bytes[..4].copy_from_slice(&lie.to_ne_bytes());
            prop_assert_eq!(Message::parse(&bytes), Some(Message { kind, sequence, payload: &payload }));
        }
    }
}
