//! An object that is loaded into a QEMU that counts instructions, so that its main loop and its CPU take turns.
//!
//! `turns/turns.c` says how, and `docs/exact-lab.md` why.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::{self, Write as _},
    os::{
        fd::{AsRawFd as _, RawFd},
        unix::process::CommandExt as _,
    },
    process::Command,
};

use nix::sys::memfd::{MFdFlags, memfd_create};

const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/turns.so"));
/// ld.so(8).
const PRELOAD: &str = "LD_PRELOAD";

/// The object, for programs that are started while this lives.
#[derive(Debug)]
pub(crate) struct Turns(File);

impl Turns {
    /// In memory: nothing is left on a disk.
    pub(crate) fn new() -> io::Result<Self> {
        // Linux 6.3 can be told to refuse files in memory that could be executed by name (`vm.memfd_noexec`), and older
        // ones do not know the flag. A library is only mapped.
        let sealed = MFdFlags::from_bits_retain(libc::MFD_NOEXEC_SEAL);
        let made = [sealed, MFdFlags::empty()]
            .into_iter()
            .find_map(|more| memfd_create("execlab-turns", MFdFlags::MFD_CLOEXEC | more).ok());
        let mut file = File::from(made.ok_or_else(io::Error::last_os_error)?);
        file.write_all(OBJECT)?;
        Ok(Self(file))
    }

    /// Whether they are taken: the object was loaded and has found QEMU's lock.
    pub(crate) fn are_taken(&self) -> bool {
        let marked = |about: fs::Metadata| about.len() > OBJECT.len() as u64;
        self.0.metadata().is_ok_and(marked)
    }

    /// Has the dynamic linker load it into what this command starts, before all that it loads anyway.
    pub(crate) fn load_into(&self, command: &mut Command) {
        let fd = self.0.as_raw_fd();
        let mut objects = OsString::from(format!("/proc/self/fd/{fd}"));
        if let Some(others) = env::var_os(PRELOAD).filter(|others| !others.is_empty()) {
            objects.push(":");
            objects.push(others);
        }
        command.env(PRELOAD, objects);
        // SAFETY: it makes one system call, on a descriptor that is open until the command has been started.
        unsafe {
            command.pre_exec(move || keep_open(fd));
        }
    }
}

fn keep_open(fd: RawFd) -> io::Result<()> {
    // SAFETY: it changes a flag of a descriptor of this process.
    match unsafe { libc::fcntl(fd, libc::F_SETFD, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turns of the main thread of `turns/pair.c`, how often both worked at once, and pauses.
    fn play(loaded: bool) -> [u32; 3] {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("pair");
        let cc = env::var_os("CC").unwrap_or_else(|| "cc".into());
        let compiled = Command::new(cc)
            .args(["-O2", "-pthread", "turns/pair.c", "-o"])
            .arg(&program)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(compiled.unwrap().success());
        let turns = Turns::new().unwrap();
        let mut command = Command::new(&program);
        if loaded {
            turns.load_into(&mut command);
        }
        let printed = String::from_utf8(command.output().unwrap().stdout).unwrap();
        assert_eq!(turns.are_taken(), loaded);
        let numbers: Vec<u32> = printed
            .split_whitespace()
            .map(|number| number.parse().unwrap())
            .collect();
        numbers.try_into().unwrap()
    }

    #[test]
    fn the_main_thread_and_the_other_one_never_work_at_once() {
        let [turns, together, pauses] = play(true);
        assert!(turns > 0 && pauses > 0, "{turns} turns, {pauses} pauses");
        assert_eq!(together, 0, "of {turns} turns");
        let [turns, together, _] = play(false);
        assert!(together > 0, "without it they do: none of {turns} turns");
    }
}
