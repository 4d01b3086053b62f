//! Security modules that keep a log of their own, without BPF.

pub mod ima;
pub mod tomoyo;

/// Where securityfs is mounted.
const SECURITYFS: &str = "/sys/kernel/security";
