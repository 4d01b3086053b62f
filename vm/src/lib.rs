//! Boots a kernel with an initramfs and passes bytes in and out. Knows nothing of execs.
//!
//! | module | concern |
//! |---|---|
//! | [`kernels`] | which kernels there are, and how to get them |
//! | [`initramfs`] | the guest's files, as a pure function of their contents |
//! | [`qemu`] | finding QEMU, and the command line of the exact lab |
//! | [`guest`] | one guest from its start to its end, under three clocks |
//! | [`warm`] | guests that were saved when they had settled, to go on from there |
//! | [`qmp`] | talking to QEMU |

pub mod digest;
pub mod guest;

pub mod initramfs;
pub mod kernels;
mod process;
pub mod qemu;
pub mod qmp;
pub mod warm;
