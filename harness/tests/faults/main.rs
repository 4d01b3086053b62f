//! Faults, made for real, one test each: what becomes of the trial and of the run, and that nothing is
//! left behind. `table.rs` lists them all; `docs/faults.md` is made from it.
//!
//! Faults of guests and of QEMU need the feature `guests` and the kernels in `EXECLAB_TEST_KERNELS`; the
//! others are tried with a laboratory without machines, and always.

mod bench;
mod document;
mod files;
mod qemu_program;
mod table;

#[cfg(feature = "guests")]
mod guests;
