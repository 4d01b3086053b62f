//! Memory below 4 GiB, where what children pass to the kernel lies: the 32-bit door into exec takes
//! 32-bit addresses.

use std::{
    ffi::{CStr, c_void},
    io, ptr,
    ptr::NonNull,
};

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// Strings and tables that live as long as this does, and never move.
#[derive(Debug, Default)]
pub(super) struct Arena {
    maps: Vec<(NonNull<c_void>, usize)>,
    free: usize,
}

/// Most things are small; larger ones have a mapping of their own.
const USUAL: usize = 1 << 16;
/// Enough for every type that is laid out here.
const ALIGN: usize = 16;

impl Arena {
    /// A copy of a string, with its NUL.
    pub(super) fn string(&mut self, text: &CStr) -> io::Result<*mut u8> {
        self.bytes(text.to_bytes_with_nul())
    }

    /// A copy of bytes.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> io::Result<*mut u8> {
        let place = self.place(bytes.len())?;
        // SAFETY: the place is new, not in use by anything else and as long as this.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
        Ok(place)
    }

    /// A copy of a table of addresses.
    pub(super) fn table<T: Copy>(&mut self, entries: &[T]) -> io::Result<*mut T> {
        const { assert!(align_of::<T>() <= ALIGN) };
        let place = self.place(size_of_val(entries))?.cast::<T>();
        // SAFETY: as above; places are aligned to 16 bytes.
        unsafe { ptr::copy_nonoverlapping(entries.as_ptr(), place, entries.len()) };
        Ok(place)
    }

    fn place(&mut self, length: usize) -> io::Result<*mut u8> {
        let length = length.max(1).next_multiple_of(ALIGN);
        if self.free < length {
            let size = length.max(USUAL);
            // Populated: children find every page present, and the storm's clock no fault.
            let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_32BIT | MapFlags::MAP_POPULATE;
            let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
            let size_for_map = size.try_into().expect("not zero");
            // SAFETY: a new mapping, of which nobody else knows.
            let map = unsafe { mmap_anonymous(None, size_for_map, protection, flags) }?;
            self.maps.push((map, size));
            self.free = size;
        }
        let (map, size) = self.maps.last().expect("there is one now");
        // SAFETY: at least `length` bytes are left at this offset of the mapping.
        let place = unsafe { map.as_ptr().cast::<u8>().add(size - self.free) };
        self.free -= length;
        Ok(place)
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        for &(map, size) in &self.maps {
            // SAFETY: mapped above with this size; whatever pointed into it went with its owner.
            let _ = unsafe { munmap(map, size) };
        }
    }
}

/// An address in an [`Arena`], as the 32-bit kernel interface takes it.
pub(super) fn low<T>(address: *const T) -> u32 {
    u32::try_from(address.addr()).expect("mapped with MAP_32BIT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_lie_low_apart_and_whole() {
        let mut arena = Arena::default();
        let long = vec![b'l'; 3 * USUAL];
        let places = [&b"short"[..], &long, b"", b"another"].map(|b| (arena.bytes(b).unwrap(), b));
        let table = arena.table(&[1_u64, 2, 3]).unwrap();
        for (place, bytes) in places {
            assert!(low(place) > 0);
            // SAFETY: written just now, with this length.
            let found = unsafe { std::slice::from_raw_parts(place, bytes.len()) };
            assert_eq!(found, bytes);
        }
        // SAFETY: as above.
        assert_eq!(unsafe { *table.add(2) }, 3);
    }
}
