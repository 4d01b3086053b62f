//! The programs that go into a guest. They were built with this binary (see `build.rs`) and travel
//! inside it, so that one file is all that has to be installed.

/// Process 1.
pub const INIT: &[u8] = include_bytes!(env!("EXECLAB_GUEST_INIT"));
/// What makes the execs.
pub const STORM: &[u8] = include_bytes!(env!("EXECLAB_GUEST_STORM"));
/// What watches them.
pub const MONITOR: &[u8] = include_bytes!(env!("EXECLAB_GUEST_MONITOR"));
/// What is executed.
pub const PAYLOAD: &[u8] = include_bytes!(env!("EXECLAB_GUEST_PAYLOAD"));
/// What is executed to see what truth costs: it only exits.
pub const PAYLOAD_BARE: &[u8] = include_bytes!(env!("EXECLAB_GUEST_PAYLOAD_BARE"));

/// TEMP
pub const TOOLCHAIN: &str = "temp";
/// TEMP
pub fn monitor(backend: &str) -> Option<&'static [u8]> {
    (backend != "none").then_some(MONITOR)
}
