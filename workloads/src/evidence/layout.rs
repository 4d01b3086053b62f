//! What a payload writes about itself. Shared with the payload, which has no standard library.

/// The descriptor that every payload inherits: a file that all of them write to through one shared
/// offset, so that records follow each other in the order in which the images started.
pub const EVIDENCE_FD: i32 = 3;

/// First bytes of each record.
pub const EVIDENCE_MAGIC: u32 = 0x4556_4c58;

/// Marks the argument that names a file to append the record to, where descriptor
/// [`EVIDENCE_FD`] is not inherited: the one behind it.
pub const LOG_ACT: &[u8] = b"log";

/// Marks the argument that names a Unix socket to send the record to: the one behind it.
pub const TELL_ACT: &[u8] = b"tell";

/// The status of a payload that could not write its record, or could not do what its arguments say.
pub const NO_EVIDENCE: u8 = 99;

/// One record, written with one `write`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// [`EVIDENCE_MAGIC`].
    pub magic: u32,
    /// The id from the arguments of this very image.
    pub id: u32,
    /// `getpid()`: in the image's own PID namespace.
    pub pid: u32,
    /// Real user id, from the auxiliary vector.
    pub uid: u32,
    /// `CLOCK_MONOTONIC` at the first instructions, in nanoseconds.
    pub started_ns: u64,
    /// `getppid()`: 0 for a parent outside of the image's PID namespace.
    pub ppid: u32,
    /// 0 as the image writes it. Of a record that was sent, what the kernel says of the sender: its pid in the
    /// PID namespace of the storm.
    pub host_pid: u32,
}
