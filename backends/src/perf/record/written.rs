//! Records as the kernel writes them, for tests and fuzzers.

use super::{
    COMM, EXIT, FORK, LOST, LOST_SAMPLES, MISC_COMM_EXEC, MMAP2, MNT_NS, NAMESPACES, PID_NS,
    Record, SAMPLE, What,
};

/// A record as the kernel writes it (`perf_event_comm_output` and its like, `kernel/events/core.c`): type, flags and
/// the bytes behind the header.
pub fn write(record: &Record) -> (u32, u16, Vec<u8>) {
    let Record {
        time_ns,
        pid,
        tid,
        what,
    } = record;
    let ids = [pid.to_ne_bytes(), tid.to_ne_bytes()].concat();
    let padded = |text: &[u8]| {
        let mut text = text.to_vec();
        text.resize((text.len() + 8) & !7, 0);
        text
    };
    let (kind, misc, body) = match what {
        What::Sample { raw, cgroup_id } => {
            let length = u32::try_from(raw.len()).expect("a short record");
            let body = [
                ids,
                time_ns.to_ne_bytes().to_vec(),
                length.to_ne_bytes().to_vec(),
                raw.clone(),
                cgroup_id.to_ne_bytes().to_vec(),
            ];
            return (SAMPLE, 0, body.concat());
        }
        What::Comm { exec, name } => {
            let misc = if *exec { MISC_COMM_EXEC } else { 0 };
            (COMM, misc, [ids.clone(), padded(name)].concat())
        }
        What::Mmap { file, path } => {
            let mut body = ids.clone();
            // Address, length and offset.
            body.extend_from_slice(&[7; 24]);
            body.extend_from_slice(&file.0.to_ne_bytes());
            body.extend_from_slice(&file.1.to_ne_bytes());
            body.extend_from_slice(&file.2.to_ne_bytes());
            // Generation of the inode, protection and flags.
            body.extend_from_slice(&[7; 16]);
            body.extend_from_slice(&padded(path));
            (MMAP2, 0, body)
        }
        What::Fork { pid, parent, tid } => {
            let numbers = [*pid, *parent, *tid, 7].map(u32::to_ne_bytes);
            let body = [numbers.concat(), time_ns.to_ne_bytes().to_vec()];
            (FORK, 0, body.concat())
        }
        What::Exit { pid } => {
            let numbers = [*pid, 7, 7, 7].map(u32::to_ne_bytes);
            let body = [numbers.concat(), time_ns.to_ne_bytes().to_vec()];
            (EXIT, 0, body.concat())
        }
        What::Namespaces { pid, mount, pids } => {
            let mut body = [pid.to_ne_bytes(), tid.to_ne_bytes()].concat();
            body.extend_from_slice(&7u64.to_ne_bytes());
            for index in 0..7 {
                let inode = match index {
                    PID_NS => *pids,
                    MNT_NS => *mount,
                    _ => 1,
                };
                body.extend_from_slice(&4u64.to_ne_bytes());
                body.extend_from_slice(&u64::from(inode).to_ne_bytes());
            }
            (NAMESPACES, 0, body)
        }
        What::LostSamples(number) => (LOST_SAMPLES, 0, number.to_ne_bytes().to_vec()),
        What::Lost(number) => (LOST, 0, [[9; 8], number.to_ne_bytes()].concat()),
        What::Other => (5, 0, vec![1; 24]),
    };
    let trailer = [ids, time_ns.to_ne_bytes().to_vec()].concat();
    (kind, misc, [body, trailer].concat())
}
