//! What holds for any bytes from `/proc`. Called by `fuzz/` alone; the parsers of [`super::parse`] are open
//! to it as they are.

pub use super::parse::decimal;

use super::listing::entries;

/// What `getdents64` wrote: entries follow each other, none is longer than what there is. Gives whether
/// there are any.
pub fn listing(raw: &[u8]) -> bool {
    let all: Vec<(u64, &[u8])> = entries(raw).collect();
    let names: usize = all.iter().map(|(_, name)| name.len()).sum();
    assert!(all.iter().all(|(_, name)| !name.contains(&0)));
    // Inode, offset, length and kind stand before each name.
    assert!(19 * all.len() + names <= raw.len());
    let padded = [raw, &[0; 8]].concat();
    let again: Vec<(u64, &[u8])> = entries(&padded).take(all.len()).collect();
    assert_eq!(again, all, "what comes behind changes nothing before");
    !all.is_empty()
}
