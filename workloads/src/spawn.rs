//! How a child is made and what it does.

use std::{
    ffi::{CString, c_char, c_int, c_void},
    io,
    os::fd::RawFd,
    ptr, slice,
};

use execlab_model::{truth::id_argument, workload::Spawn};
use nix::{errno::Errno, unistd::Pid};

mod arena;
mod child;

use arena::Arena;
use child::{Ready, Shared};

use crate::{scenario::Way, step::Step};

/// The status of a child whose exec failed.
pub const EXEC_FAILED: u8 = 127;
/// The status of a child in which something went otherwise than its scenario says.
pub const NOT_AS_MEANT: u8 = 126;

/// One process makes at most so many execs with an id.
pub const IDS: usize = 10;

/// How a child is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Maker {
    /// `clone(CLONE_VM | CLONE_VFORK)`: it shares the parent's memory, and the parent sleeps until its exec.
    Vfork,
    /// A copy of the parent.
    Fork,
    /// The C library's `posix_spawn`; for a single exec.
    PosixSpawn,
    /// `clone3` with `CLONE_INTO_CGROUP` (Linux 5.7): born in the cgroup of this descriptor.
    IntoCgroup(RawFd),
}

impl From<Spawn> for Maker {
    fn from(spawn: Spawn) -> Self {
        match spawn {
            Spawn::Fork => Self::Fork,
            Spawn::Vfork => Self::Vfork,
        }
    }
}

/// Ways with everything in place that their children need: in a storm only ids and lifetime change.
#[derive(Debug)]
pub struct Launcher {
    stack: Vec<u128>,
    shared: Shared,
    ways: Vec<Loaded>,
    bare: Vec<Loaded>,
    /// What all addresses above are of.
    arena: Arena,
}

#[derive(Debug)]
struct Loaded {
    maker: Maker,
    steps: Vec<Ready>,
}

impl Launcher {
    /// `padding` bytes in the environment shift the stack of each payload, as real environments do.
    pub fn new(padding: usize) -> io::Result<Self> {
        let mut arena = Arena::default();
        let mut ids = [ptr::null_mut(); IDS];
        for place in &mut ids {
            *place = arena.bytes(&[0; ID_BYTES + 1])?;
        }
        let lifetime = arena.bytes(&[0; LIFETIME_BYTES + 1])?;
        let padding = [b"PADDING=".as_slice(), &vec![b'p'; padding]].concat();
        let mut environment = vec![
            b"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_vec(),
            padding,
        ];
        // A monitor's way into what the storm executes, where it launched the storm: an environment that is inherited.
        if let Some(objects) = std::env::var_os("LD_PRELOAD") {
            environment.push([b"LD_PRELOAD=", objects.as_encoded_bytes()].concat());
        }
        let mut strings = Vec::with_capacity(environment.len());
        for variable in environment {
            let variable = CString::new(variable).map_err(io::Error::other)?;
            strings.push(arena.string(&variable)?.cast_const().cast());
        }
        let shared = Shared {
            ids,
            lifetime,
            environment: strings,
        };
        Ok(Self {
            // 32 KiB: the child runs system calls on it.
            stack: vec![0; 2048],
            shared,
            ways: Vec::new(),
            bare: Vec::new(),
            arena,
        })
    }

    /// Lays out one more way; its number. `usual` is how children are made unless the way says it.
    ///
    /// Fails for a way that its maker cannot make, and where memory ends.
    pub fn load(&mut self, way: &Way, usual: Spawn) -> io::Result<usize> {
        let steps = self.ready(&way.steps)?;
        let maker = way.maker.unwrap_or(usual.into());
        if maker == Maker::PosixSpawn && child::only_exec(&steps).is_none() {
            return Err(io::Error::other(
                "posix_spawn makes one exec and no other step",
            ));
        }
        self.ways.push(Loaded { maker, steps });
        Ok(self.ways.len() - 1)
    }

    /// Lays out the bare siblings of ways, see [`Self::spawn_bare`].
    pub fn load_bare<'a>(&mut self, bare: impl Iterator<Item = &'a [Step]>) -> io::Result<()> {
        for steps in bare {
            let steps = self.ready(steps)?;
            let maker = Maker::Vfork;
            self.bare.push(Loaded { maker, steps });
        }
        Ok(())
    }

    fn ready(&mut self, steps: &[Step]) -> io::Result<Vec<Ready>> {
        let (arena, shared) = (&mut self.arena, &self.shared);
        steps.iter().map(|s| Ready::new(s, arena, shared)).collect()
    }

    /// Makes a child that goes the way of this number. `id` is that of its first exec, further ones have the
    /// ids behind it.
    pub fn spawn(&mut self, way: usize, id: u32, lifetime_ns: u64) -> Result<Pid, Errno> {
        for (behind, &place) in (0..).zip(&self.shared.ids) {
            let text = id_argument(id.wrapping_add(behind));
            // SAFETY: the place has room for this and a NUL, and only this thread writes there.
            unsafe { ptr::copy_nonoverlapping(text.as_ptr(), place, ID_BYTES) };
        }
        // SAFETY: as above; the slice ends with this block.
        let lifetime =
            unsafe { slice::from_raw_parts_mut(self.shared.lifetime, LIFETIME_BYTES + 1) };
        decimal(lifetime_ns, lifetime);
        let loaded = &self.ways[way];
        make(loaded, &mut self.stack)
    }

    /// One child in the barest way: no id, no lifetime, nothing noted. Only its exec is as in a storm.
    ///
    /// What truth costs is measured against a loop of this. `n` counts children, the ways come in turn.
    pub fn spawn_bare(&mut self, n: usize) -> Result<Pid, Errno> {
        let loaded = &self.bare[n % self.bare.len()];
        make(loaded, &mut self.stack)
    }
}

const ID_BYTES: usize = 9;
const LIFETIME_BYTES: usize = 20;

fn make(loaded: &Loaded, stack: &mut [u128]) -> Result<Pid, Errno> {
    match loaded.maker {
        Maker::Vfork => vfork(stack, &loaded.steps),
        Maker::Fork => fork(&loaded.steps),
        Maker::PosixSpawn => posix_spawn(&loaded.steps),
        Maker::IntoCgroup(cgroup) => into_cgroup(cgroup, &loaded.steps),
    }
}

fn fork(steps: &[Ready]) -> Result<Pid, Errno> {
    // SAFETY: the child makes only system calls.
    match Errno::result(unsafe { libc::fork() })? {
        // SAFETY: the child has a copy of all memory.
        0 => unsafe { child::run(steps) },
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// As `posix_spawn` does it: the child shares the parent's memory, and the parent sleeps until the
/// child has its own.
fn vfork(stack: &mut [u128], steps: &[Ready]) -> Result<Pid, Errno> {
    extern "C" fn child(steps: *mut c_void) -> c_int {
        // SAFETY: it is the reference below, alive while the parent sleeps in clone.
        unsafe { child::run(*steps.cast::<&[Ready]>()) }
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let steps = (&raw const steps).cast_mut().cast();
    // SAFETY: the stack is used by the child alone, and only until its exec, before which this call
    // does not return (CLONE_VFORK); a `u128` slice's end is aligned to 16 bytes as the ABI wants.
    let pid = unsafe { libc::clone(child, stack.as_mut_ptr_range().end.cast(), flags, steps) };
    Errno::result(pid).map(Pid::from_raw)
}

fn posix_spawn(steps: &[Ready]) -> Result<Pid, Errno> {
    let call = child::only_exec(steps).expect("checked when it was loaded");
    let mut pid = 0;
    // SAFETY: path and tables are alive and ended; the C library only reads them, whatever their type.
    let errno = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            call.path,
            ptr::null(),
            ptr::null(),
            call.argv.cast::<*mut c_char>(),
            call.envp.cast::<*mut c_char>(),
        )
    };
    match errno {
        0 => Ok(Pid::from_raw(pid)),
        errno => Err(Errno::from_raw(errno)),
    }
}

/// clone3(2); the C library has no wrapper of it.
fn into_cgroup(cgroup: RawFd, steps: &[Ready]) -> Result<Pid, Errno> {
    const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;
    // SAFETY: plain numbers, for which zero is a value.
    let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = libc::SIGCHLD as u64;
    arguments.cgroup = u64::try_from(cgroup).map_err(|_| Errno::EBADF)?;
    // SAFETY: without CLONE_VM the child goes on with a copy of all memory, as after fork; it makes only
    // system calls.
    let pid = unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw const arguments,
            size_of_val(&arguments),
        )
    };
    match Errno::result(pid)? {
        // SAFETY: as in `fork`.
        0 => unsafe { child::run(steps) },
        pid => Ok(Pid::from_raw(i32::try_from(pid).expect("a pid"))),
    }
}

/// Writes a number as decimal digits to the start of the buffer, and a NUL behind it.
fn decimal(n: u64, buffer: &mut [u8]) {
    let (mut rest, mut length) = (n, 1);
    while rest >= 10 {
        rest /= 10;
        length += 1;
    }
    rest = n;
    for place in buffer[..length].iter_mut().rev() {
        *place = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
    buffer[length] = 0;
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    #[test]
    fn numbers_are_written_whole() {
        let mut buffer = [b'x'; LIFETIME_BYTES + 1];
        for n in [u64::MAX, 0, 7, 10, 1_000_000_000, 99] {
            decimal(n, &mut buffer);
            let text = CStr::from_bytes_until_nul(&buffer).unwrap();
            assert_eq!(text.to_str().unwrap(), n.to_string());
        }
    }
}
