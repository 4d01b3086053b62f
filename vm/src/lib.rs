//! Boots a kernel with an initramfs and passes bytes in and out. Knows nothing of execs.
//!
//! | module | concern |
//! |---|---|
//! | [`disk`] | where files can be written, and how much |
//! | [`kernels`] | which kernels there are, and how to get them |
//! | [`initramfs`] | the guest's files, as a pure function of their contents |
//! | [`kvm`] | whether the kernel offers it |
//! | [`qemu`] | finding QEMU, and its command lines |
//! | [`guest`] | one guest from its start to its end, under three clocks |
//! | [`warm`] | guests that were saved when they had settled, to go on from there |
//! | [`qmp`] | talking to QEMU |

pub mod digest;
pub mod disk;
pub mod guest;

pub mod initramfs;
pub mod kernels;
pub mod kvm;
mod process;
pub mod qemu;
pub mod qmp;
mod turns;
pub mod warm;
