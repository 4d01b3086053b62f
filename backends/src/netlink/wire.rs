//! The messages of the proc connector, as bytes. Nothing here panics on any input.
//!
//! A message is `nlmsghdr` (16 bytes), `cn_msg` (20) and `proc_event`; the latter is 40 bytes long up
//! to 6.5 and stays so for exec events after (`include/uapi/linux/cn_proc.h`, `connector.h`). All
//! in the machine's byte order. `proc_event` has its 64-bit time at an offset that is not a multiple
//! of eight, so nothing is read through a pointer.

/// The connector of process events, both its index and its value.
pub const CN_IDX_PROC: u32 = 1;
const CN_VAL_PROC: u32 = 1;

const NLMSG_DONE: u16 = 3;
const PROC_EVENT_NONE: u32 = 0;
const PROC_EVENT_EXEC: u32 = 2;

const NETLINK_HEADER: usize = 16;
const EVENT_AT: usize = NETLINK_HEADER + 20;
/// Where a message says what kind of event it is.
const WHAT_AT: usize = EVENT_AT;
const TIME_AT: usize = EVENT_AT + 8;
const DATA_AT: usize = EVENT_AT + 16;
/// Enough for every message that passes the filter: 76 bytes, or 92 if an event has them all.
pub const MESSAGE_SIZE: usize = 128;

/// What a socket asks of the connector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Operation {
    Listen = 1,
    /// Must be sent before the socket is closed: up to 6.5 nothing else lowers the kernel's count
    /// of listeners.
    Ignore = 2,
}

/// A request. `sequence` comes back in the acknowledgement as `ack - 1`.
pub fn request(operation: Operation, port: u32, ack: u32) -> [u8; 40] {
    let mut out = [0; 40];
    out[0..4].copy_from_slice(&40u32.to_ne_bytes());
    out[4..6].copy_from_slice(&NLMSG_DONE.to_ne_bytes());
    out[12..16].copy_from_slice(&port.to_ne_bytes());
    out[16..20].copy_from_slice(&CN_IDX_PROC.to_ne_bytes());
    out[20..24].copy_from_slice(&CN_VAL_PROC.to_ne_bytes());
    out[28..32].copy_from_slice(&ack.to_ne_bytes());
    // Four bytes of data exactly: with another length older kernels ignore the request.
    out[32..34].copy_from_slice(&4u16.to_ne_bytes());
    out[36..40].copy_from_slice(&(operation as u32).to_ne_bytes());
    out
}

/// What the connector says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A process called exec.
    Exec {
        /// Its id in the initial namespace.
        pid: u32,
        /// `CLOCK_MONOTONIC`.
        time_ns: u64,
    },
    /// The answer to a request of anybody; acknowledgements are broadcast.
    Answer {
        /// That of the request plus one.
        ack: u32,
        /// 0, or an error number.
        error: u32,
    },
    /// Something that was not asked for.
    Other,
}

/// `None` for what is no message of the proc connector.
pub fn parse(raw: &[u8]) -> Option<Event> {
    let length = usize::try_from(u32_at(raw, 0)?).ok()?;
    let raw = raw.get(..length)?;
    if (u32_at(raw, 16)?, u32_at(raw, 20)?) != (CN_IDX_PROC, CN_VAL_PROC) {
        return None;
    }
    Some(match u32_at(raw, WHAT_AT)? {
        PROC_EVENT_EXEC => Event::Exec {
            pid: u32_at(raw, DATA_AT + 4)?,
            time_ns: u64::from_ne_bytes(raw.get(TIME_AT..TIME_AT + 8)?.try_into().ok()?),
        },
        PROC_EVENT_NONE => Event::Answer {
            ack: u32_at(raw, 28)?,
            error: u32_at(raw, DATA_AT)?,
        },
        _ => Event::Other,
    })
}

fn u32_at(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(raw.get(at..at + 4)?.try_into().ok()?))
}

/// A classic BPF program that keeps exec events and, while one is awaited, acknowledgements.
///
/// It runs for each event before it is queued, so forks and exits take no room and wake nobody.
pub fn filter(acknowledgements: bool) -> Vec<libc::sock_filter> {
    let code = |parts: [u32; 3]| u16::try_from(parts[0] | parts[1] | parts[2]).expect("one byte");
    let load = code([libc::BPF_LD, libc::BPF_W, libc::BPF_ABS]);
    let jump = code([libc::BPF_JMP, libc::BPF_JEQ, libc::BPF_K]);
    let give = code([libc::BPF_RET, libc::BPF_K, 0]);
    let line = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    // A load turns network byte order into the machine's; the event is in the machine's already.
    let at = u32::try_from(WHAT_AT).expect("small");
    // Where there is no acknowledgement to keep, the second comparison is the first again.
    let other = if acknowledgements {
        PROC_EVENT_NONE
    } else {
        PROC_EVENT_EXEC
    };
    vec![
        line(load, 0, 0, at),
        line(jump, 1, 0, PROC_EVENT_EXEC.to_be()),
        line(jump, 0, 1, other.to_be()),
        line(give, 0, 0, u32::MAX),
        line(give, 0, 0, 0),
    ]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::kernel::{message, passes},
        *,
    };

    #[test]
    fn events_are_read() {
        let exec = message(2, [41, 42], 123_456_789_012, 0);
        let expected = Event::Exec {
            pid: 42,
            time_ns: 123_456_789_012,
        };
        assert_eq!(parse(&exec), Some(expected));
        let expected = Event::Answer { ack: 8, error: 22 };
        assert_eq!(parse(&message(0, [22, 0], 0, 8)), Some(expected));
        assert_eq!(parse(&message(1, [0, 0], 0, 0)), Some(Event::Other));
        let mut foreign = exec;
        foreign[16] = 5;
        assert_eq!(parse(&foreign), None);
    }

    #[test]
    fn the_filter_keeps_what_it_should() {
        for what in [
            0,
            1,
            2,
            4,
            0x40,
            0x80,
            0x100,
            0x200,
            0x4000_0000,
            0x8000_0000,
        ] {
            let raw = message(what, [1, 1], 1, 1);
            assert_eq!(passes(&filter(false), &raw), what == 2, "{what:#x}");
            assert_eq!(
                passes(&filter(true), &raw),
                what == 2 || what == 0,
                "{what:#x}"
            );
        }
    }

    #[test]
    fn a_request_is_laid_out_as_the_kernel_reads_it() {
        let raw = request(Operation::Listen, 77, 9);
        assert_eq!(u32_at(&raw, 0), Some(40));
        assert_eq!(u32_at(&raw, 12), Some(77));
        assert_eq!(u32_at(&raw, 28), Some(9));
        assert_eq!(u32_at(&raw, 36), Some(1));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..140)) {
            let _ = parse(&raw);
        }

        #[test]
        fn a_cut_message_is_no_message(cut in 0usize..76) {
            prop_assert_eq!(parse(&message(2, [1, 2], 3, 4)[..cut]), None);
        }
    }
}
