//! What holds for any bytes from a group, and for the head of any file. Called by `fuzz/` alone.

use super::{
    head::{Next, next},
    mountinfo::mounts,
    wire::{Event, events, kernel::write},
};

/// What was read of a group: events lie one behind the other, and with one more behind them they are the same. Gives whether
/// there are any.
pub fn group(raw: &[u8]) -> bool {
    let (all, left) = events(raw);
    assert!(left <= raw.len());
    let mut more = raw[..raw.len() - left].to_vec();
    let last = Event {
        mask: 0x1000,
        fd: 5,
        pid: 7,
        pidfd: Some(9),
    };
    write(last, raw.len().is_multiple_of(2), &mut more);
    let (again, left) = events(&more);
    assert_eq!(left, 0, "a whole event is behind whole ones");
    assert_eq!(again.split_last(), Some((&last, &all[..])));
    !all.is_empty()
}

/// The first bytes of a file: what they name stands in them, or behind them. Gives whether they name anything.
pub fn head(raw: &[u8]) -> bool {
    match next(raw) {
        Some(Next::Path(path)) => {
            let stands = |window: &[u8]| window == path;
            assert!(path.is_empty() || raw.windows(path.len()).any(stands));
            true
        }
        Some(Next::At(offset, length)) => {
            let end = offset.checked_add(length).expect("an end that there is");
            assert!(end > raw.len() as u64, "it stands further back");
            true
        }
        None => false,
    }
}

/// A list of mounts: none is longer than its line. Gives whether there are any.
pub fn mount_list(raw: &[u8]) -> bool {
    let all: Vec<_> = mounts(raw).collect();
    let written: usize = all
        .iter()
        .map(|mount| mount.point.len() + mount.kind.len())
        .sum();
    assert!(written <= raw.len());
    !all.is_empty()
}
