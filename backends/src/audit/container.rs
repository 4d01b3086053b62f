//! Which container, asked of `/proc` when the records of an exec have arrived.
//!
//! Audit's records name no container: neither a cgroup nor a namespace, on any kernel. Agents that
//! read audit ask `/proc/PID/cgroup` when they have an event in hands, and so does this. A process
//! that is gone by then has no answer; so has an event that is so old that its pid may long be
//! another's.

use std::{
    fs::File,
    io::{Read, Write},
};

use execlab_model::{Bytes, sighting::ContainerHint};

/// Within this time no pid is given out twice, unless somebody sets out to.
const TRUSTED_NS: u64 = 1_000_000_000;

/// Looks processes up, and counts.
#[derive(Debug, Default)]
pub struct Containers {
    name: Vec<u8>,
    pub found: u64,
    pub gone: u64,
}

impl Containers {
    /// The cgroup of a process whose exec began `age_ns` ago.
    pub fn look_up(&mut self, pid: u32, age_ns: u64) -> ContainerHint {
        let cgroup = (age_ns < TRUSTED_NS).then(|| self.cgroup(pid)).flatten();
        if cgroup.is_some() {
            self.found += 1;
        } else {
            self.gone += 1;
        }
        ContainerHint {
            cgroup,
            ..ContainerHint::default()
        }
    }

    fn cgroup(&mut self, pid: u32) -> Option<Bytes> {
        self.name.clear();
        write!(self.name, "/proc/{pid}/cgroup").ok()?;
        let mut file = File::open(std::str::from_utf8(&self.name).ok()?).ok()?;
        let mut room = [0; 4096];
        let length = file.read(&mut room).ok()?;
        room[..length]
            .split(|&b| b == b'\n')
            .find_map(|line| line.strip_prefix(b"0::"))
            .map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_found_and_others_are_gone() {
        let mut containers = Containers::default();
        let expected = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let here = containers.look_up(std::process::id(), 0).cgroup;
        assert_eq!(
            here.is_some(),
            expected.lines().any(|l| l.starts_with("0::")),
            "{expected}"
        );
        assert_eq!(containers.look_up(u32::MAX, 0).cgroup, None);
        assert_eq!(
            containers.look_up(std::process::id(), TRUSTED_NS).cgroup,
            None,
            "too old to be believed"
        );
        assert!(containers.gone >= 2);
    }
}
