//! What holds for any bytes from the ring. Called by `fuzz/` alone.

use execlab_model::sighting::Argv;

use super::{
    losses::Losses,
    record::{Record, record},
};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn check(input: &[u8]) -> bool {
    match input.split_first() {
        Some((0..0x80, bytes)) => any(bytes),
        Some((0x80..0xc0, bytes)) => names(bytes),
        Some((_, bytes)) => counts(bytes),
        None => false,
    }
}

/// Bytes as they come: nothing is read from behind a record, and no more is told than stood in it.
fn any(bytes: &[u8]) -> bool {
    let Ok(record) = Record::decode(bytes) else {
        return false;
    };
    let padded = [bytes, &[0xff; 7]].concat();
    assert_eq!(Record::decode(&padded), Ok(record));
    let sighting = record.sighting(1);
    assert_eq!(sighting.pid, Some(record.pid));
    let mut told = 0;
    if let Some(path) = &sighting.path {
        assert!(!path.is_empty());
        told += path.as_slice().len();
    }
    if let Some(given) = &sighting.given {
        told += given.as_slice().len();
    }
    if let Some(Argv::List(list)) = &sighting.argv {
        assert!(!list.is_empty());
        assert!(list.iter().all(|a| !a.as_slice().contains(&0)));
        told += list.iter().map(|a| a.as_slice().len()).sum::<usize>();
    }
    // A path that is known as it was given is path, given and first argument.
    let suffix =
        b"/".len() + b" (deleted)".len() + 2 * record.given().map_or(0, |g| g.as_slice().len());
    assert!(told <= bytes.len() + suffix, "more than there was");
    true
}

/// Any names make the path that they are the parts of, and any arguments come back.
fn names(bytes: &[u8]) -> bool {
    let words: Vec<&[u8]> = bytes
        .split(|byte| matches!(byte, 0 | b'/'))
        .filter(|word| !word.is_empty())
        .collect();
    let mut expected = Vec::new();
    for word in &words {
        expected.push(b'/');
        expected.extend_from_slice(word);
    }
    let ended = |word: &&[u8]| [word, &[0][..]].concat();
    let leaf_to_root: Vec<u8> = words.iter().rev().flat_map(ended).collect();
    let argv: Vec<u8> = words.iter().flat_map(ended).collect();
    let written = record(&leaf_to_root, b"./x\0", &argv, 0);
    let read = Record::decode(&written).expect("it was written as the kernel's half does");
    if words.is_empty() {
        assert_eq!((read.path(), read.argv()), (None, None));
        return false;
    }
    assert_eq!(read.path(), Some(expected.into()));
    let list = words.iter().map(|word| (*word).into()).collect();
    assert_eq!(read.argv(), Some(Argv::List(list)));
    for cut in [0, 79, written.len() - 1] {
        assert!(Record::decode(&written[..cut]).is_err());
    }
    true
}

/// Whatever counts the records bring, what is reported is what the total says, in windows that begin before
/// they end.
fn counts(bytes: &[u8]) -> bool {
    let mut losses = Losses::new("fuzzing", 3, 1000);
    let mut reported = 0u64;
    for [cpu, lost @ .., time] in bytes.as_chunks::<10>().0 {
        let lost = u64::from_ne_bytes(*lost);
        let report = losses.update(usize::from(*cpu % 4), lost, u64::from(*time) << 4);
        if let Some(report) = report {
            let count = report.count.expect("it counts");
            assert!(count > 0 && count <= lost && report.window_ns.0 <= report.window_ns.1);
            reported = reported.saturating_add(count);
        }
    }
    assert_eq!(losses.total(), reported);
    reported > 0
}
