//! `kernel-helper`: the kernel itself executes a program (`call_usermodehelper`). The child writes a
//! `core_pattern` that begins with `|` (core(5)) and holds its id, and crashes; the program that the kernel
//! then starts is a child of kthreadd, in the root cgroup and the initial namespaces, and no system call of
//! anybody made it.

use std::{ffi::c_int, fs, io, os::fd::RawFd, path::Path};

use execlab_model::{Bytes, workload::Workload};
use nix::errno::Errno;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, cgroup_id, install,
    namespaces,
};
use crate::{
    evidence::LOG_ACT,
    spawn::Maker,
    step::{FIRST_OWN_FD, Step, Syscall, Value, text},
};

/// What the kernel does with a process that crashes.
const PATTERN: &str = "/proc/sys/kernel/core_pattern";
/// How many crashed processes may wait for their helpers at the same time; with 0 none waits, and a child
/// could be reaped before the helper has started.
const LIMIT: &str = "/proc/sys/kernel/core_pipe_limit";
/// Above [`LIMIT`] processes that crash get no helper: more than any burst has.
const WAITING: &str = "65536";

/// Where the child has the pattern open.
const PATTERN_FD: RawFd = FIRST_OWN_FD;
/// Where it has a file open whose lock it holds.
const LOCK_FD: RawFd = FIRST_OWN_FD + 1;
/// Bytes of an id.
const ID: usize = 9;
/// The longest pattern, without its NUL (the kernel's `CORENAME_MAX_SIZE` is 128).
const LONGEST: usize = 127;

/// See the module.
#[derive(Debug)]
pub struct KernelHelper;

impl Scenario for KernelHelper {
    fn name(&self) -> &'static str {
        "kernel-helper"
    }

    fn about(&self) -> &'static str {
        "a child crashes, and the kernel executes what core_pattern names"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it changes kernel.core_pattern, by which every program's crashes are handled")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/helper");
        install(&ground.payload, &file)?;
        // Kernel threads have everything from the first process.
        let cgroup = Bytes::from("/");
        let place = Place {
            namespaces: namespaces(Path::new("/proc/1/ns"))?,
            cgroup_id: cgroup_id(&ground.cgroups, &cgroup)?,
            cgroup,
            in_container: false,
        };
        let log = bytes(&ground.log());
        let mut site = place.site(bytes(&file), "/", &file)?;
        // The pattern's words are the arguments, and nothing in it stands for a number.
        site.argv[2] = "0".into();
        site.argv.extend([Bytes::from(LOG_ACT), log.clone()]);
        let before = [b"|", file.as_os_str().as_encoded_bytes(), b" "].concat();
        let behind = [b" 0 ", LOG_ACT, b" ", log.as_slice()].concat();
        if before.len() + ID + behind.len() > LONGEST {
            let what = format!("name {} in core_pattern", file.display());
            return Err(SetupError::at(what)(Errno::ENAMETOOLONG));
        }
        let lock = ground.dir.join("lock");
        fs::write(&lock, "").map_err(SetupError::at(format!("make {}", lock.display())))?;
        let guard = [Kept::set(LIMIT, WAITING)?, Kept::of(PATTERN)?];
        let way = Way {
            by_others: true,
            sites: vec![site],
            ..Way::of([
                // One at a time, until it is gone: there is one pattern for all.
                open(&lock, libc::O_RDONLY, LOCK_FD),
                Step::numbers(libc::SYS_flock, &[LOCK_FD.into(), libc::LOCK_EX.into()]),
                open(Path::new(PATTERN), libc::O_WRONLY, PATTERN_FD),
                write_around_id(before, behind),
                // Into a process group of its own, which it then ends as `abort` does.
                Step::numbers(libc::SYS_setpgid, &[0, 0]),
                Step::numbers(libc::SYS_kill, &[0, libc::SIGABRT.into()]),
            ])
        };
        Ok(Prepared {
            guard: Some(Box::new(guard)),
            // A crash takes all processes along that share its memory, up to Linux 5.15 (`zap_threads`,
            // fs/coredump.c).
            ..Prepared::ways([way.made_by(Maker::Fork)])
        })
    }
}

fn open(file: &Path, flags: c_int, at: RawFd) -> Step {
    let path = text(bytes(file).0);
    Step::Open { path, flags, at }
}

/// One `writev`: the child's id between two texts.
fn write_around_id(before: Vec<u8>, behind: Vec<u8>) -> Step {
    let length = |bytes: &[u8]| Value::Number(i64::try_from(bytes.len()).expect("a short text"));
    let (before_length, behind_length) = (length(&before), length(&behind));
    let id_length = length(&[0; ID]);
    let parts = vec![
        Value::Text(text(before)),
        before_length,
        Value::Id,
        id_length,
        Value::Text(text(behind)),
        behind_length,
    ];
    Step::Do(Syscall {
        number: libc::SYS_writev,
        arguments: vec![
            Value::Number(PATTERN_FD.into()),
            Value::Table(parts),
            Value::Number(3),
        ],
    })
}

/// A setting of the kernel, put back when dropped.
#[derive(Debug)]
struct Kept {
    file: &'static str,
    was: Vec<u8>,
}

impl Kept {
    fn of(file: &'static str) -> Result<Self, SetupError> {
        let was = fs::read(file).map_err(SetupError::at(format!("read {file}")))?;
        Ok(Self { file, was })
    }

    fn set(file: &'static str, value: &str) -> Result<Self, SetupError> {
        let kept = Self::of(file)?;
        fs::write(file, value).map_err(SetupError::at(format!("write {value} to {file}")))?;
        Ok(kept)
    }

    fn put_back(&self) -> io::Result<()> {
        fs::write(self.file, &self.was)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            eprintln!("cannot put back {}: {error}", self.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::workload::Spawn;
    use nix::sys::wait::{WaitStatus, waitpid};

    use super::*;
    use crate::spawn::Launcher;

    /// What the kernel reads of the pattern is what stands in a file here.
    #[test]
    fn each_child_writes_its_own_id() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pattern");
        fs::write(&file, "").unwrap();
        let steps = [
            open(&file, libc::O_WRONLY, PATTERN_FD),
            write_around_id(b"|/bin/h ".to_vec(), b" 0".to_vec()),
            Step::Exit,
        ];
        let mut launcher = Launcher::new(0).unwrap();
        let way = launcher.load(&Way::of(steps), Spawn::Fork).unwrap();
        for (id, expected) in [(0xab, "|/bin/h x000000ab 0"), (7, "|/bin/h x00000007 0")] {
            let pid = launcher.spawn(way, id, 0).unwrap();
            assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
            assert_eq!(fs::read_to_string(&file).unwrap(), expected);
        }
    }
}
