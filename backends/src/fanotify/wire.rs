//! What `read(2)` of a fanotify group gives, as bytes. Nothing here panics on any input.
//!
//! An event is `struct fanotify_event_metadata` (24 bytes) and, where they were asked for, information
//! records behind it (`include/uapi/linux/fanotify.h`). All in the machine's byte order.

/// The metadata of an event.
const METADATA: usize = 24;
const INFO_HEADER: usize = 4;
const INFO_PIDFD: u8 = 4;
const VERSION: u8 = 3;

/// The bytes of the largest event that any row asks for: metadata and a pidfd record.
pub const LARGEST: usize = METADATA + INFO_HEADER + 4;

/// One event as the kernel wrote it. Descriptors are numbers here: whoever reads owns them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub mask: u64,
    /// The file, open; `-1` or a negative error number where there is none.
    pub fd: i32,
    /// The process, in the reader's PID namespace; 0 where it has no number there.
    pub pid: i32,
    /// The descriptor in the pidfd record, if there is one: `-1` where the process is gone, `-2` where it could
    /// not be made.
    pub pidfd: Option<i32>,
}

/// The events in what was read, and how many bytes behind them are none: it ends at the first one that is not whole.
pub fn events(raw: &[u8]) -> (Vec<Event>, usize) {
    let mut rest = raw;
    let mut events = Vec::new();
    while let Some((event, length)) = event(rest) {
        events.push(event);
        rest = &rest[length..];
    }
    (events, rest.len())
}

/// The first event, and its length.
fn event(raw: &[u8]) -> Option<(Event, usize)> {
    let length = usize::try_from(u32_at(raw, 0)?).ok()?;
    let metadata = usize::from(u16_at(raw, 6)?);
    if *raw.get(4)? != VERSION || metadata < METADATA {
        return None;
    }
    let records = raw.get(..length)?.get(metadata..)?;
    let event = Event {
        mask: u64::from_ne_bytes(raw.get(8..16)?.try_into().ok()?),
        fd: u32_at(raw, 16)?.cast_signed(),
        pid: u32_at(raw, 20)?.cast_signed(),
        pidfd: pidfd(records),
    };
    Some((event, length))
}

fn pidfd(mut records: &[u8]) -> Option<i32> {
    loop {
        let kind = *records.first()?;
        let length = usize::from(u16_at(records, 2)?);
        if length < INFO_HEADER {
            return None;
        }
        let record = records.get(..length)?;
        if kind == INFO_PIDFD {
            return Some(u32_at(record, INFO_HEADER)?.cast_signed());
        }
        records = &records[length..];
    }
}

fn u16_at(raw: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(raw.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(raw.get(at..at + 4)?.try_into().ok()?))
}

/// The kernel's side, for tests.
#[cfg(any(test, feature = "fuzzing"))]
pub mod kernel {
    use super::{Event, INFO_HEADER, INFO_PIDFD, METADATA, VERSION};

    /// An event as `copy_event_to_user` (`fs/notify/fanotify/fanotify_user.c`) writes it, behind a record of
    /// another type where `other` says so.
    pub fn write(event: Event, other: bool, out: &mut Vec<u8>) {
        let mut records = Vec::new();
        let short = |length: usize| u16::try_from(length).expect("short").to_ne_bytes();
        let mut record = |kind, value: i32| {
            records.extend_from_slice(&[kind, 0]);
            records.extend_from_slice(&short(INFO_HEADER + 4));
            records.extend_from_slice(&value.to_ne_bytes());
        };
        if other {
            record(5, 77);
        }
        if let Some(pidfd) = event.pidfd {
            record(INFO_PIDFD, pidfd);
        }
        let length = u32::try_from(METADATA + records.len());
        out.extend_from_slice(&length.expect("short").to_ne_bytes());
        out.extend_from_slice(&[VERSION, 0]);
        out.extend_from_slice(&short(METADATA));
        out.extend_from_slice(&event.mask.to_ne_bytes());
        out.extend_from_slice(&event.fd.to_ne_bytes());
        out.extend_from_slice(&event.pid.to_ne_bytes());
        out.extend_from_slice(&records);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{kernel::write, *};

    fn some_event() -> impl Strategy<Value = (Event, bool)> {
        let fields = (
            any::<u64>(),
            any::<i32>(),
            any::<i32>(),
            any::<Option<i32>>(),
        );
        (fields, any::<bool>()).prop_map(|((mask, fd, pid, pidfd), other)| {
            let event = Event {
                mask,
                fd,
                pid,
                pidfd,
            };
            (event, other)
        })
    }

    proptest! {
        #[test]
        fn what_the_kernel_writes_is_read(sent in proptest::collection::vec(some_event(), 0..9)) {
            let mut raw = Vec::new();
            for (event, other) in &sent {
                write(*event, *other, &mut raw);
            }
            let sent: Vec<_> = sent.into_iter().map(|(event, _)| event).collect();
            prop_assert_eq!(events(&raw), (sent, 0));
        }

        #[test]
        fn a_cut_event_is_none((event, other) in some_event(), cut in 0usize..40) {
            let mut raw = Vec::new();
            write(event, other, &mut raw);
            let cut = cut.min(raw.len() - 1);
            prop_assert_eq!(events(&raw[..cut]), (Vec::new(), cut));
        }

        #[test]
        fn garbage_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            // Each event takes its metadata at least, so this ends.
            let (events, left) = events(&raw);
            prop_assert!(events.len() * METADATA + left <= raw.len());
        }
    }

    #[test]
    fn an_event_of_another_version_ends_the_reading() {
        let event = Event {
            mask: 0x1000,
            fd: 5,
            pid: 6,
            pidfd: None,
        };
        let mut raw = Vec::new();
        write(event, false, &mut raw);
        raw[4] = 4;
        assert_eq!(events(&raw), (Vec::new(), raw.len()));
    }
}
