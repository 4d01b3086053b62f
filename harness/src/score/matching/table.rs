//! A hash table for small integers, in a trial's own data.
//!
//! The standard hasher withstands an attacker who chooses the keys; here it would only cost time.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

/// A map from integers.
pub type Table<V> = HashMap<u64, V, BuildHasherDefault<Near>>;
/// A set of integers.
pub type Set = HashSet<u64, BuildHasherDefault<Near>>;

/// Leaves neighbouring keys near each other: pids are given in ascending order, so the next one that
/// is asked for is mostly in a cache already.
#[derive(Debug, Default)]
pub struct Near(u64);

impl Hasher for Near {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(self.0.rotate_left(8) ^ u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // The high half (a namespace) must not make equal low halves (its pids) collide.
        let place = value ^ (value >> 32).wrapping_mul(0x9e37_79b9);
        // The table tells entries of one place apart by the highest bits.
        let tag = value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57;
        self.0 = tag << 57 | place & (u64::MAX >> 7);
    }
}

/// An index as the scorer keeps it: half the size, and twice the execs in a cache.
///
/// Ids of execs are `u32`, so no truth holds more of them; nor can a guest hold more sightings.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 execs and sightings")
}
