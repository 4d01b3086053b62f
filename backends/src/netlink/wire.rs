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
pub const PROC_EVENT_NONE: u32 = 0;
pub const PROC_EVENT_FORK: u32 = 1;
pub const PROC_EVENT_EXEC: u32 = 2;
pub const PROC_EVENT_UID: u32 = 4;
pub const PROC_EVENT_COMM: u32 = 0x200;
pub const PROC_EVENT_EXIT: u32 = 0x8000_0000;

const NETLINK_HEADER: usize = 16;
const SEQUENCE_AT: usize = NETLINK_HEADER + 8;
const EVENT_AT: usize = NETLINK_HEADER + 20;
/// Where a message says what kind of event it is.
pub const WHAT_AT: usize = EVENT_AT;
/// Where it says on which CPU it happened.
pub const CPU_AT: usize = EVENT_AT + 4;
const TIME_AT: usize = EVENT_AT + 8;
/// Where the data of the event begin.
pub const DATA_AT: usize = EVENT_AT + 16;
/// Enough for every message: 76 bytes, or 92 if an event has them all.
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

/// A request. `ack` comes back in the acknowledgement, one higher.
pub fn request(operation: Operation, port: u32, ack: u32) -> [u8; 40] {
    let mut out = [0; 40];
    // Four bytes of data exactly: with another length older kernels ignore the request.
    head(&mut out, port, ack, 4);
    out[36..40].copy_from_slice(&(operation as u32).to_ne_bytes());
    out
}

/// A LISTEN for some kinds of events alone: `struct proc_input`, which Linux 6.6 and later take.
pub fn masked_request(port: u32, ack: u32, kinds: u32) -> [u8; 44] {
    let mut out = [0; 44];
    head(&mut out, port, ack, 8);
    out[36..40].copy_from_slice(&(Operation::Listen as u32).to_ne_bytes());
    out[40..44].copy_from_slice(&kinds.to_ne_bytes());
    out
}

fn head(out: &mut [u8], port: u32, ack: u32, data: u16) {
    let length = u32::try_from(out.len()).expect("short");
    out[0..4].copy_from_slice(&length.to_ne_bytes());
    out[4..6].copy_from_slice(&NLMSG_DONE.to_ne_bytes());
    out[12..16].copy_from_slice(&port.to_ne_bytes());
    out[16..20].copy_from_slice(&CN_IDX_PROC.to_ne_bytes());
    out[20..24].copy_from_slice(&CN_VAL_PROC.to_ne_bytes());
    out[28..32].copy_from_slice(&ack.to_ne_bytes());
    out[32..34].copy_from_slice(&data.to_ne_bytes());
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
    /// A process was made. That of a thread is [`Event::Other`].
    Fork {
        /// The parent's process id.
        parent: u32,
        /// Its own.
        child: u32,
    },
    /// A process lost its first thread, which is its end unless others go on (an exec by another
    /// thread ends the first one, and takes its id). The end of another thread is [`Event::Other`].
    Exit {
        /// Its id in the initial namespace.
        pid: u32,
    },
    /// A thread has other user ids.
    User {
        /// Its process.
        pid: u32,
        /// Whether it is the first thread.
        leader: bool,
        /// Real user id in the initial namespace.
        uid: u32,
    },
    /// A thread renamed itself. No exec is told in this way.
    Name {
        /// Its process.
        pid: u32,
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
    let data = |at: usize| u32_at(raw, DATA_AT + at);
    Some(match u32_at(raw, WHAT_AT)? {
        PROC_EVENT_EXEC => Event::Exec {
            pid: data(4)?,
            time_ns: u64_at(raw, TIME_AT)?,
        },
        PROC_EVENT_FORK if data(8)? == data(12)? => Event::Fork {
            parent: data(4)?,
            child: data(12)?,
        },
        PROC_EVENT_EXIT if data(0)? == data(4)? => Event::Exit { pid: data(4)? },
        PROC_EVENT_UID => Event::User {
            pid: data(4)?,
            leader: data(0)? == data(4)?,
            uid: data(8)?,
        },
        PROC_EVENT_COMM => Event::Name { pid: data(4)? },
        PROC_EVENT_NONE => Event::Answer {
            ack: u32_at(raw, 28)?,
            error: data(0)?,
        },
        _ => Event::Other,
    })
}

/// Where a message stands among all that its CPU sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The CPU.
    pub cpu: u32,
    /// The number of the message on that CPU; each message has one, acknowledgements too.
    pub sequence: u32,
    /// `CLOCK_MONOTONIC`.
    pub time_ns: u64,
}

/// The place of a message that [`parse`] took.
pub fn place(raw: &[u8]) -> Option<Place> {
    Some(Place {
        cpu: u32_at(raw, CPU_AT)?,
        sequence: u32_at(raw, SEQUENCE_AT)?,
        time_ns: u64_at(raw, TIME_AT)?,
    })
}

fn u32_at(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(raw.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(raw: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(raw.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::kernel::Message, *};

    fn message(what: u32, data: [u32; 4], time_ns: u64, ack: u32) -> Vec<u8> {
        let message = Message {
            what,
            data,
            time_ns,
            ack,
            ..Message::default()
        };
        message.encode()
    }

    #[test]
    fn events_are_read() {
        let exec = message(2, [41, 42, 0, 0], 123_456_789_012, 0);
        let expected = Event::Exec {
            pid: 42,
            time_ns: 123_456_789_012,
        };
        assert_eq!(parse(&exec), Some(expected));
        let mut foreign = exec;
        foreign[16] = 5;
        assert_eq!(parse(&foreign), None);
        let event = |what, data| parse(&message(what, data, 1, 8)).unwrap();
        assert_eq!(event(0, [22, 0, 0, 0]), Event::Answer { ack: 8, error: 22 });
        let fork = Event::Fork {
            parent: 4,
            child: 6,
        };
        assert_eq!(event(1, [5, 4, 6, 6]), fork);
        assert_eq!(event(1, [5, 4, 7, 4]), Event::Other, "a thread");
        assert_eq!(event(0x8000_0000, [6, 6, 0, 0]), Event::Exit { pid: 6 });
        assert_eq!(event(0x8000_0000, [7, 6, 0, 0]), Event::Other, "a thread");
        let user = |leader| Event::User {
            pid: 6,
            leader,
            uid: 1000,
        };
        assert_eq!(event(4, [6, 6, 1000, 0]), user(true));
        assert_eq!(event(4, [7, 6, 1000, 0]), user(false));
        assert_eq!(event(0x200, [7, 6, 0, 0]), Event::Name { pid: 6 });
        assert_eq!(event(0x80, [6, 6, 0, 0]), Event::Other, "a session");
    }

    #[test]
    fn requests_are_laid_out_as_the_kernel_reads_them() {
        let raw = request(Operation::Listen, 77, 9);
        let masked = masked_request(77, 9, PROC_EVENT_EXEC);
        for (raw, length) in [(&raw[..], 40), (&masked, 44)] {
            assert_eq!(u32_at(raw, 0), Some(length));
            assert_eq!(u32_at(raw, 12), Some(77));
            assert_eq!(u32_at(raw, 28), Some(9));
            // The length of the data, and flags.
            assert_eq!(u32_at(raw, 32), Some(length - 36));
            assert_eq!(u32_at(raw, 36), Some(1));
        }
        assert_eq!(u32_at(&masked, 40), Some(2));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..140)) {
            let _ = parse(&raw);
            let _ = place(&raw);
        }

        #[test]
        fn a_cut_message_is_no_message(cut in 0usize..76) {
            let whole = message(2, [1, 2, 0, 0], 3, 4);
            prop_assert_eq!(parse(&whole[..cut]), None);
        }

        #[test]
        fn places_are_read(cpu: u32, sequence: u32, time_ns: u64, what: u32) {
            let message = Message { what, time_ns, cpu, sequence, ..Message::default() };
            let expected = Place { cpu, sequence, time_ns };
            prop_assert_eq!(place(&message.encode()), Some(expected));
        }
    }
}
