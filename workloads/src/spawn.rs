//! How a child is made and calls exec.

use std::{
    ffi::{CStr, CString, c_char, c_int, c_void},
    ptr,
};

use execlab_model::{truth::id_argument, workload::Spawn};
use nix::{errno::Errno, unistd::Pid};

use crate::scenario::Way;

/// The status of a child whose exec failed.
pub const EXEC_FAILED: u8 = 127;

/// Everything that a child needs, laid out before the clock runs: in a storm only the id and the
/// lifetime change.
#[derive(Debug)]
pub struct Launcher {
    stack: Vec<u128>,
    environment: Vec<CString>,
    id: [u8; 10],
    lifetime: [u8; 21],
}

/// What the child reads; the strings belong to a [`Launcher`] and a [`Way`], which outlive it. In a `vfork`-like child it is the parent's own memory.
#[derive(Debug)]
struct Image {
    chdir: *const c_char,
    path: *const c_char,
    argv: [*const c_char; 4],
    envp: [*const c_char; 3],
}

impl Launcher {
    /// `padding` bytes in the environment shift the stack of each payload, as real environments do.
    pub fn new(padding: usize) -> Self {
        let padding = [b"PADDING=".as_slice(), &vec![b'p'; padding]].concat();
        Self {
            // 32 KiB: the child runs three system calls on it.
            stack: vec![0; 2048],
            environment: vec![
                c"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into(),
                CString::new(padding).expect("no NUL among the letters"),
            ],
            id: [0; 10],
            lifetime: [0; 21],
        }
    }

    fn envp(&self) -> [*const c_char; 3] {
        [
            self.environment[0].as_ptr(),
            self.environment[1].as_ptr(),
            ptr::null(),
        ]
    }

    /// Makes a child that executes `way` with this id and lifetime.
    pub fn spawn(
        &mut self,
        spawn: Spawn,
        way: &Way,
        id: u32,
        lifetime_ns: u64,
    ) -> Result<Pid, Errno> {
        self.id[..9].copy_from_slice(&id_argument(id));
        let lifetime = decimal(lifetime_ns, &mut self.lifetime);
        let image = Image {
            chdir: way.chdir.as_deref().map_or(ptr::null(), CStr::as_ptr),
            path: way.path.as_ptr(),
            argv: [
                way.path.as_ptr(),
                self.id.as_ptr().cast(),
                lifetime,
                ptr::null(),
            ],
            envp: self.envp(),
        };
        match spawn {
            Spawn::Fork => fork(&image),
            Spawn::Vfork => vfork(&mut self.stack, &image),
        }
    }
}

/// One child in the barest way: no id, no lifetime, nothing noted. Only its exec is as in a storm.
///
/// What truth costs is measured against a loop of this.
#[derive(Debug)]
pub struct Bare<'a> {
    launcher: &'a mut Launcher,
    images: Vec<Image>,
}

impl<'a> Bare<'a> {
    /// Lays out one image for each way.
    pub fn new(launcher: &'a mut Launcher, ways: &[Way]) -> Self {
        let envp = launcher.envp();
        let image = |way: &Way| Image {
            chdir: way.chdir.as_deref().map_or(ptr::null(), CStr::as_ptr),
            path: way.bare_path.as_ptr(),
            argv: [
                way.bare_path.as_ptr(),
                ptr::null(),
                ptr::null(),
                ptr::null(),
            ],
            envp,
        };
        Self {
            images: ways.iter().map(image).collect(),
            launcher,
        }
    }

    /// Makes the child number `n`, with the ways in turn.
    pub fn spawn(&mut self, n: usize) -> Result<Pid, Errno> {
        let way = n % self.images.len();
        vfork(&mut self.launcher.stack, &self.images[way])
    }
}

fn fork(image: &Image) -> Result<Pid, Errno> {
    // SAFETY: the child calls only async-signal-safe functions.
    match Errno::result(unsafe { libc::fork() })? {
        // SAFETY: the image holds live, NUL-terminated strings; the child has a copy of them.
        0 => unsafe { become_image(image) },
        pid => Ok(Pid::from_raw(pid)),
    }
}

/// As `posix_spawn` does it: the child shares the parent's memory, and the parent sleeps until the
/// child has its own.
fn vfork(stack: &mut [u128], image: &Image) -> Result<Pid, Errno> {
    extern "C" fn child(image: *mut c_void) -> c_int {
        // SAFETY: `image` is the one below, alive while the parent sleeps in clone.
        unsafe { become_image(&*image.cast::<Image>()) }
    }
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let image = (&raw const *image).cast_mut().cast();
    // SAFETY: the stack is used by the child alone, and only until its exec, before which this call
    // does not return (CLONE_VFORK); a `u128` slice's end is aligned to 16 bytes as the ABI wants.
    let pid = unsafe { libc::clone(child, stack.as_mut_ptr_range().end.cast(), flags, image) };
    Errno::result(pid).map(Pid::from_raw)
}

/// # Safety
/// The pointers in `image` are null or point to live, NUL-terminated strings, the arrays end with a
/// null. Runs in a child and never returns.
unsafe fn become_image(image: &Image) -> ! {
    // SAFETY: as promised by the caller; the three calls are async-signal-safe.
    unsafe {
        if image.chdir.is_null() || libc::chdir(image.chdir) == 0 {
            libc::execve(image.path, image.argv.as_ptr(), image.envp.as_ptr());
        }
        libc::_exit(EXEC_FAILED.into())
    }
}

/// Writes a number as decimal digits at the end of `buffer`, before its last byte, which stays NUL.
fn decimal(mut n: u64, buffer: &mut [u8; 21]) -> *const c_char {
    let mut at = 20;
    loop {
        at -= 1;
        buffer[at] = b'0' + u8::try_from(n % 10).expect("a digit");
        n /= 10;
        if n == 0 {
            return buffer[at..].as_ptr().cast();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_whole() {
        for n in [0, 7, 10, 1_000_000_000, u64::MAX] {
            let mut buffer = [0; 21];
            // SAFETY: the pointer is into `buffer`, whose last byte is NUL.
            let text = unsafe { CStr::from_ptr(decimal(n, &mut buffer)) };
            assert_eq!(text.to_str().unwrap(), n.to_string());
        }
    }
}
