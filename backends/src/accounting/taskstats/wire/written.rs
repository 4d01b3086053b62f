//! Messages as the kernel writes them, for tests and fuzzers.

use super::{super::super::Ended, ATTRIBUTE_HEADER, HEADER, TYPE_AGGR_PID, TYPE_STATS, at};

/// A number that the family may have.
pub const FAMILY: u16 = 21;

/// An attribute.
pub fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = ATTRIBUTE_HEADER + content.len();
    let mut out = u16::try_from(length)
        .expect("a short message")
        .to_ne_bytes()
        .to_vec();
    out.extend_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(content);
    out.resize(length.next_multiple_of(4), 0);
    out
}

/// A message.
pub fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    out[..4].copy_from_slice(
        &u32::try_from(HEADER + payload.len())
            .expect("a short message")
            .to_ne_bytes(),
    );
    out[4..6].copy_from_slice(&kind.to_ne_bytes());
    out.extend_from_slice(payload);
    out
}

/// As a kernel lays it out whose `struct taskstats` is so long. With padding, as where memory must be
/// read at even addresses.
pub fn end(ended: &Ended, length: usize, padded: bool) -> Vec<u8> {
    let mut stats = vec![0; length];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = stats.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(at::FLAG, &[ended.flags]);
    put(at::PID, &ended.pid.to_ne_bytes());
    put(at::PPID, &ended.ppid.to_ne_bytes());
    put(at::UID, &ended.uid.to_ne_bytes());
    put(at::COMM, ended.comm.as_slice());
    if let Some((device, inode)) = ended.file {
        put(at::EXE_DEVICE, &device.to_ne_bytes());
        put(at::EXE_INODE, &inode.to_ne_bytes());
    }
    let mut aggregate = attribute(1, &ended.pid.to_ne_bytes());
    if padded {
        aggregate.extend(attribute(6, &[]));
    }
    aggregate.extend(attribute(TYPE_STATS, &stats));
    let mut payload = vec![2, 1, 0, 0];
    payload.extend(attribute(TYPE_AGGR_PID, &aggregate));
    message(FAMILY, &payload)
}
