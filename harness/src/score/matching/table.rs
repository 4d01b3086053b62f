//! A hash table for small integers, in a trial's own data.
//!
//! The standard hasher withstands an attacker who chooses the keys; here it would only cost time.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasherDefault, Hasher},
};

/// A map from integers.
pub type Table<V> = HashMap<u64, V, BuildHasherDefault<Multiply>>;
/// A set of integers.
pub type Set = HashSet<u64, BuildHasherDefault<Multiply>>;

/// Multiplies by an odd constant and folds the high half into the low one.
#[derive(Debug, Default)]
pub struct Multiply(u64);

impl Hasher for Multiply {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // 2^64 / the golden ratio: neighbouring keys end far apart.
        let product = u128::from(self.0 ^ value) * 0x9e37_79b9_7f4a_7c15;
        let (high, low) = (product >> 64, product & u128::from(u64::MAX));
        self.0 = u64::try_from(high ^ low).unwrap_or_default();
    }
}

/// An index as the scorer keeps it: half the size, and twice the execs in a cache.
///
/// Ids of execs are `u32`, so no truth holds more of them; nor can a guest hold more sightings.
pub(super) fn narrow(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 execs and sightings")
}
