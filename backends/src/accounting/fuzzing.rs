//! What holds for any bytes from TASKSTATS and from an accounting file. Called by `fuzz/` alone.

use super::{
    COMM, Ended,
    acct::record,
    name,
    taskstats::wire::{
        Message, parse,
        written::{FAMILY, end},
    },
};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn check(input: &[u8]) -> bool {
    match input.split_first() {
        Some((0..0x60, bytes)) => message(bytes),
        Some((0x60..0xa0, bytes)) => told(bytes),
        Some((_, bytes)) => file(bytes),
        None => false,
    }
}

/// Bytes as they come: what stands behind a message is none of it.
fn message(bytes: &[u8]) -> bool {
    let message = parse(bytes, Some(FAMILY));
    let length = bytes
        .first_chunk()
        .map(|length| u32::from_ne_bytes(*length));
    if let Some(whole) = length.and_then(|length| bytes.get(..length as usize)) {
        assert_eq!(parse(whole, Some(FAMILY)), message);
        let padded = [bytes, &[0xff; 7]].concat();
        assert_eq!(parse(&padded, Some(FAMILY)), message);
    }
    match message {
        Some(Message::Ended(ended)) => {
            known(&ended, bytes);
            true
        }
        Some(Message::Answer(_) | Message::Family(_)) => true,
        Some(Message::Other) | None => false,
    }
}

/// A process of which all is known comes through as it was told, whatever the length of the structure.
fn told(bytes: &[u8]) -> bool {
    let Some(([flags, length, padded, words @ ..], comm)) = bytes.split_first_chunk::<31>() else {
        return false;
    };
    let (words, wide) = words.split_at(12);
    let word = |at: usize| u32::from_ne_bytes(words[at..at + 4].try_into().expect("4 bytes"));
    let long = |at: usize| u64::from_ne_bytes(wide[at..at + 8].try_into().expect("8 bytes"));
    let file = (long(0), long(8));
    let ended = Ended {
        flags: *flags,
        pid: word(0),
        ppid: word(4),
        uid: word(8),
        comm: name(&comm[..comm.len().min(COMM - 1)]),
        file: (file != (0, 0)).then_some(file),
    };
    let raw = end(&ended, 400 + usize::from(*length), padded & 1 == 1);
    assert_eq!(
        parse(&raw, Some(FAMILY)),
        Some(Message::Ended(ended.clone()))
    );
    assert_eq!(parse(&raw, Some(FAMILY + 1)), Some(Message::Other));
    let written = record::record(&ended);
    let without_file = Ended {
        file: None,
        ..ended
    };
    assert_eq!(record::parse(&written), Ok(without_file));
    true
}

/// Records as they come: each is of the version that has a number, and what is read is written so that it is read again.
fn file(bytes: &[u8]) -> bool {
    let mut any = false;
    for raw in bytes.as_chunks::<{ record::SIZE }>().0 {
        if let Ok(ended) = record::parse(raw) {
            known(&ended, raw);
            assert_eq!(record::parse(&record::record(&ended)), Ok(ended));
            any = true;
        }
    }
    any
}

/// A name stands in the bytes that it was read from.
fn known(ended: &Ended, bytes: &[u8]) {
    let comm = ended.comm.as_slice();
    assert!(!comm.contains(&0));
    assert!(comm.is_empty() || bytes.windows(comm.len()).any(|part| part == comm));
}
