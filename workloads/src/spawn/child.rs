//! The child's side: steps with all addresses in place, and the system calls that they are.

use std::{
    arch::asm,
    ffi::{CString, c_char, c_int, c_long},
    io,
    os::fd::RawFd,
    ptr,
};

use execlab_model::truth::{LIFETIME_ARGUMENT, id_place};
use nix::errno::Errno;

use super::{
    EXEC_FAILED, NOT_AS_MEANT,
    arena::{Arena, low},
};
use crate::step::{AT_EXECVE_CHECK, Call, Environment, How, Step, Value};

/// A [`Step`] ready to be run.
#[derive(Debug)]
pub(super) enum Ready {
    Do(c_long, [i64; 6]),
    Open(*const c_char, c_int, RawFd),
    Fails(ReadyCall, c_int),
    Checks(ReadyCall),
    Exec(ReadyCall),
    Exit,
}

/// A [`Call`] ready to be made. The addresses are of an [`Arena`] that outlives it.
#[derive(Debug)]
pub(super) struct ReadyCall {
    how: How,
    pub(super) path: *const c_char,
    pub(super) argv: *const *const c_char,
    pub(super) envp: *const *const c_char,
    /// The same two for the 32-bit door.
    low: (u32, u32),
}

/// What calls share: the places that change with each child, and the environment.
#[derive(Debug)]
pub(super) struct Shared {
    /// Where the ids are written, the child's first one and those behind it.
    pub(super) ids: [*mut u8; super::IDS],
    /// Where the lifetime is written.
    pub(super) lifetime: *mut u8,
    pub(super) environment: Vec<*const c_char>,
}

impl Ready {
    pub(super) fn new(step: &Step, arena: &mut Arena, shared: &Shared) -> io::Result<Self> {
        Ok(match step {
            Step::Do(call) => {
                let mut arguments = [0; 6];
                for (place, value) in arguments.iter_mut().zip(&call.arguments) {
                    *place = word(value, arena, shared)?;
                }
                Self::Do(call.number, arguments)
            }
            Step::Open { path, flags, at } => Self::Open(arena.string(path)?.cast(), *flags, *at),
            Step::Fails(call, errno) => {
                Self::Fails(ReadyCall::new(call, arena, shared)?, *errno as c_int)
            }
            Step::Checks(call) => Self::Checks(ReadyCall::new(call, arena, shared)?),
            Step::Exec(call) => Self::Exec(ReadyCall::new(call, arena, shared)?),
            Step::Exit => Self::Exit,
        })
    }
}

/// What stands for a value in a register or in memory.
fn word(value: &Value, arena: &mut Arena, shared: &Shared) -> io::Result<i64> {
    let address = match value {
        Value::Number(n) => return Ok(*n),
        Value::Text(text) => arena.string(text)?.addr(),
        Value::Id => shared.ids[0].addr(),
        Value::Lifetime => shared.lifetime.addr(),
        Value::Table(values) => {
            let words: io::Result<Vec<i64>> =
                values.iter().map(|v| word(v, arena, shared)).collect();
            arena.table(&words?)?.addr()
        }
    };
    Ok(i64::try_from(address).expect("processes have the lower half"))
}

impl ReadyCall {
    fn new(call: &Call, arena: &mut Arena, shared: &Shared) -> io::Result<Self> {
        let mut argv: Vec<*const c_char> = Vec::with_capacity(call.argv.len() + 1);
        for argument in &call.argv {
            argv.push(match (argument.as_slice(), id_place(argument.as_slice())) {
                (_, Some(place)) => shared.ids[place as usize].cast_const().cast(),
                (LIFETIME_ARGUMENT, _) => shared.lifetime.cast_const().cast(),
                (bytes, None) => {
                    let text = CString::new(bytes).map_err(io::Error::other)?;
                    arena.string(&text)?.cast_const().cast()
                }
            });
        }
        argv.push(ptr::null());
        let mut environment = shared.environment.clone();
        if call.environment == Environment::WithId {
            environment.push(shared.ids[0].cast_const().cast());
        }
        environment.push(ptr::null());
        let narrow = |table: &[*const c_char]| table.iter().map(|&p| low(p)).collect::<Vec<_>>();
        Ok(Self {
            how: call.how,
            path: arena.string(&call.path)?.cast_const().cast(),
            argv: arena.table(&argv)?,
            envp: arena.table(&environment)?,
            low: (
                low(arena.table(&narrow(&argv))?),
                low(arena.table(&narrow(&environment))?),
            ),
        })
    }

    /// Makes the call; returns only where it did not become an exec, with its errno or 0.
    ///
    /// # Safety
    /// The arena behind the addresses is alive.
    unsafe fn make(&self, more_flags: c_int) -> c_int {
        // SAFETY: strings and tables end with a NUL or null and are alive, as the caller promises.
        let result = unsafe {
            match self.how {
                How::Execve if more_flags == 0 => {
                    libc::syscall(libc::SYS_execve, self.path, self.argv, self.envp)
                }
                How::Execve => libc::syscall(
                    libc::SYS_execveat,
                    libc::AT_FDCWD,
                    self.path,
                    self.argv,
                    self.envp,
                    more_flags,
                ),
                How::Execveat(dir, flags) => libc::syscall(
                    libc::SYS_execveat,
                    dir,
                    self.path,
                    self.argv,
                    self.envp,
                    flags | more_flags,
                ),
                How::Int80 => return -execve_int80(low(self.path), self.low.0, self.low.1),
            }
        };
        if result == 0 { 0 } else { Errno::last_raw() }
    }
}

/// `execve` of the 32-bit interface (`arch/x86/entry/syscalls/syscall_32.tbl`): number in eax, arguments in
/// ebx, ecx and edx. Returns the negative errno.
///
/// # Safety
/// The addresses are of a string and of tables of 32-bit addresses, alive and ended as execve(2) wants.
unsafe fn execve_int80(path: u32, argv: u32, envp: u32) -> c_int {
    const EXECVE: u64 = 11;
    let result: u64;
    // SAFETY: the addresses are good by the caller's promise. rbx is the compiler's, so it is put back;
    // since Linux 4.17 `int 0x80` keeps r8 to r11, older ones are named all the same.
    unsafe {
        asm!(
            "xchg rbx, {path}",
            "int 0x80",
            "xchg rbx, {path}",
            path = inout(reg) u64::from(path) => _,
            inlateout("rax") EXECVE => result,
            in("rcx") u64::from(argv),
            in("rdx") u64::from(envp),
            lateout("r8") _, lateout("r9") _, lateout("r10") _, lateout("r11") _,
        );
    }
    // The kernel writes eax as a signed number, and what is above it means nothing.
    #[allow(clippy::cast_possible_truncation, reason = "eax is the lower half")]
    let eax = result as u32;
    eax.cast_signed()
}

/// Runs the steps; the end of a child that has no exec among them, or whose exec failed.
///
/// # Safety
/// Runs in a child and never returns. The arena behind the addresses is alive.
pub(super) unsafe fn run(steps: &[Ready]) -> ! {
    // SAFETY: every address is alive, and all of this is system calls.
    unsafe {
        for step in steps {
            let as_meant = match step {
                Ready::Do(number, a) => {
                    libc::syscall(*number, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0
                }
                Ready::Open(path, flags, at) => open_at(*path, *flags, *at),
                Ready::Fails(call, errno) => call.make(0) == *errno,
                Ready::Checks(call) => call.make(AT_EXECVE_CHECK) == 0,
                Ready::Exec(call) => {
                    call.make(0);
                    end(EXEC_FAILED)
                }
                Ready::Exit => end(0),
            };
            if !as_meant {
                end(NOT_AS_MEANT)
            }
        }
        end(0)
    }
}

/// # Safety
/// The path is a live string.
unsafe fn open_at(path: *const c_char, flags: c_int, at: RawFd) -> bool {
    // SAFETY: as promised; the descriptors are this child's own.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, 0);
        if fd < 0 {
            return false;
        }
        // What close-on-exec the file was opened with stays with it.
        let placed = libc::syscall(libc::SYS_dup3, fd, at, flags & libc::O_CLOEXEC) >= 0;
        libc::syscall(libc::SYS_close, fd);
        placed
    }
}

fn end(status: u8) -> ! {
    // SAFETY: ends the child without running anything of its parent's.
    unsafe { libc::_exit(status.into()) }
}

/// The exec of steps that are nothing else, as `posix_spawn` can make it.
pub(super) fn only_exec(steps: &[Ready]) -> Option<&ReadyCall> {
    match steps {
        [Ready::Exec(call)] if call.how == How::Execve => Some(call),
        _ => None,
    }
}
