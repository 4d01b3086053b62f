//! The records of perf's rings, as bytes (`perf_event_open(2)`, `include/uapi/linux/perf_event.h`). Nothing
//! here panics on any input.
//!
//! All events here are opened with process and time in each record, and tracepoints with their data and the
//! cgroup beside: `PERF_SAMPLE_TID|TIME`, and for tracepoints `RAW|CGROUP`. With `sample_id_all` every record
//! but a sample ends with process and time.

/// What is needed of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// `CLOCK_MONOTONIC`.
    pub time_ns: u64,
    /// The process that ran.
    pub pid: u32,
    /// Its thread.
    pub tid: u32,
    /// What happened.
    pub what: What,
}

/// See [`Record`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A tracepoint was reached.
    Sample {
        /// Its fields, laid out as the format file says.
        raw: Vec<u8>,
        /// The cgroup that the kernel gives (5.7).
        cgroup_id: u64,
    },
    /// A thread got another name.
    Comm {
        /// By an exec, and not of its own will.
        exec: bool,
        /// At most 15 bytes.
        name: Vec<u8>,
    },
    /// Something was mapped to be executed.
    Mmap {
        /// Device numbers and inode; all zero where it is no file.
        file: (u32, u32, u64),
        /// The file's path from the root of the process, or a name in brackets.
        path: Vec<u8>,
    },
    /// A process or a thread was made.
    Fork {
        /// Who is new, and by whom: process, parent process, thread.
        pid: u32,
        /// See there.
        parent: u32,
        /// See there.
        tid: u32,
    },
    /// A thread ended.
    Exit {
        /// Its process.
        pid: u32,
    },
    /// In which namespaces a process is.
    Namespaces {
        /// It.
        pid: u32,
        /// Inode of its mount namespace.
        mount: u32,
        /// Inode of its PID namespace.
        pids: u32,
    },
    /// Records had no room in the ring.
    Lost(u64),
    /// Samples that never came as far as the ring (4.2).
    LostSamples(u64),
    /// Something that was not asked for.
    Other,
}

const MMAP: u32 = 1;
const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
const MMAP2: u32 = 10;
const LOST_SAMPLES: u32 = 13;
const NAMESPACES: u32 = 16;

/// `PERF_RECORD_MISC_COMM_EXEC`.
const MISC_COMM_EXEC: u16 = 1 << 13;
/// Process, thread and time at the end of each record but a sample.
const TRAILER: usize = 16;
/// Places in the list of namespaces: `PID_NS_INDEX`, `MNT_NS_INDEX`.
const PID_NS: usize = 3;
const MNT_NS: usize = 5;

/// One record from its header's type and flags and the bytes behind the header. `None` where these are too few.
pub fn parse(kind: u32, misc: u16, body: &[u8]) -> Option<Record> {
    if kind == SAMPLE {
        return sample(body);
    }
    let (body, trailer) = body.split_at_checked(body.len().checked_sub(TRAILER)?)?;
    let what = match kind {
        COMM => What::Comm {
            exec: misc & MISC_COMM_EXEC != 0,
            name: text(body.get(8..)?),
        },
        MMAP2 => What::Mmap {
            file: (u32_at(body, 32)?, u32_at(body, 36)?, u64_at(body, 40)?),
            path: text(body.get(64..)?),
        },
        FORK => What::Fork {
            pid: u32_at(body, 0)?,
            parent: u32_at(body, 4)?,
            tid: u32_at(body, 8)?,
        },
        EXIT => What::Exit {
            pid: u32_at(body, 0)?,
        },
        NAMESPACES => What::Namespaces {
            pid: u32_at(body, 0)?,
            mount: namespace(body, MNT_NS)?,
            pids: namespace(body, PID_NS)?,
        },
        LOST => What::Lost(u64_at(body, 8)?),
        LOST_SAMPLES => What::LostSamples(u64_at(body, 0)?),
        _ => What::Other,
    };
    // Of the first three the record itself says whom it is of.
    let of = if matches!(kind, COMM | MMAP2 | MMAP) {
        body
    } else {
        trailer
    };
    Some(Record {
        time_ns: u64_at(trailer, 8)?,
        pid: u32_at(of, 0)?,
        tid: u32_at(of, 4)?,
        what,
    })
}

fn sample(body: &[u8]) -> Option<Record> {
    let length = usize::try_from(u32_at(body, 16)?).ok()?;
    let (raw, rest) = body.get(20..)?.split_at_checked(length)?;
    Some(Record {
        pid: u32_at(body, 0)?,
        tid: u32_at(body, 4)?,
        time_ns: u64_at(body, 8)?,
        what: What::Sample {
            raw: raw.to_vec(),
            cgroup_id: u64_at(rest, 0)?,
        },
    })
}

/// `{u32 pid, tid; u64 number; {u64 device, inode}[number]}`
fn namespace(body: &[u8], index: usize) -> Option<u32> {
    let number = u64_at(body, 8)?;
    if u64::try_from(index).ok()? >= number {
        return None;
    }
    u32::try_from(u64_at(body, 16 + 16 * index + 8)?).ok()
}

/// Strings are padded with NUL to whole words.
fn text(body: &[u8]) -> Vec<u8> {
    let end = body.iter().position(|&b| b == 0).unwrap_or(body.len());
    body[..end].to_vec()
}

fn u32_at(raw: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(raw.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(raw: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(raw.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "fuzzing"))]
pub mod written;
