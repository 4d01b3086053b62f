//! What an image does after it has left its evidence: the arguments behind its lifetime, one act after the
//! other.
//!
//! | act | what it does |
//! |---|---|
//! | `log PATH` | (before anything else) appends its evidence to this file |
//! | `tell PATH` | (before anything else) sends its evidence to this Unix socket |
//! | `exec PATH ARGV…` | executes PATH; all that follows are its arguments |
//! | `thread-exec PATH ARGV…` | the same from a thread that is not the leader |
//! | `rename A B`, `link A B`, `unlink A`, `chdir A` | what they say |
//! | `swap A B` | lets two files change places |
//! | `write PATH TEXT` | writes a text to a file that is there |
//! | `name TEXT` | `prctl(PR_SET_NAME)` |
//! | `secure` | nothing, if the kernel says that the exec changed privileges (`AT_SECURE`, getauxval(3)) |
//! | `scrub` | overwrites its own arguments |
//! | `exe PATH` | makes this file its `/proc/PID/exe`, and lives on without any of its own pages |
//! | `end` | nothing behind this is an act |

use core::arch::{asm, global_asm};

use crate::{
    layout::NO_EVIDENCE,
    stack::{AT_SECURE, Stack, Text},
    sys::{self, Timespec, syscall},
};

/// The acts that are left.
pub struct Acts<'a> {
    stack: &'a Stack<'a>,
    next: usize,
}

impl<'a> Acts<'a> {
    /// Those from argument number `first` on.
    pub fn new(stack: &'a Stack<'a>, first: usize) -> Self {
        Self { stack, next: first }
    }

    /// The argument of the next act, if it is this one.
    pub fn take(&mut self, act: &[u8]) -> Option<Text<'a>> {
        let is = self.stack.argument(self.next).is(act);
        is.then(|| {
            self.next += 2;
            self.stack.argument(self.next - 1)
        })
    }

    fn next(&mut self) -> Text<'a> {
        self.next += 1;
        self.stack.argument(self.next - 1)
    }

    /// Does them all; whether all could be done. What ends the life of this image waits for its lifetime
    /// itself.
    ///
    /// # Safety
    /// The stack is this process's own.
    pub unsafe fn perform(mut self, lifetime: u64) -> bool {
        loop {
            let act = self.next();
            if act.is_none() || act.is(b"end") {
                return true;
            }
            // SAFETY: texts end with a NUL and live as long as the process.
            let done = unsafe {
                if act.is(b"exec") {
                    self.exec();
                    false
                } else if act.is(b"thread-exec") {
                    self.thread_exec()
                } else if act.is(b"rename") {
                    self.of_paths(sys::RENAME)
                } else if act.is(b"link") {
                    self.of_paths(sys::LINK)
                } else if act.is(b"swap") {
                    let [a, b] = [self.next().address(), self.next().address()];
                    let here = sys::AT_FDCWD;
                    syscall(sys::RENAMEAT2, [here, a, here, b, sys::RENAME_EXCHANGE]) == 0
                } else if act.is(b"unlink") {
                    syscall(sys::UNLINK, [self.next().address(), 0, 0, 0, 0]) == 0
                } else if act.is(b"chdir") {
                    syscall(sys::CHDIR, [self.next().address(), 0, 0, 0, 0]) == 0
                } else if act.is(b"write") {
                    write(self.next(), self.next())
                } else if act.is(b"name") {
                    let name = self.next().address();
                    syscall(sys::PRCTL, [sys::PR_SET_NAME, name, 0, 0, 0]) == 0
                } else if act.is(b"secure") {
                    self.stack.auxiliary(AT_SECURE) == Some(1)
                } else if act.is(b"scrub") {
                    for n in 0..self.stack.arguments() {
                        self.stack.argument(n).fill(b'y');
                    }
                    return true;
                } else if act.is(b"exe") {
                    other_exe(self.next(), lifetime)
                } else {
                    false
                }
            };
            if !done {
                return false;
            }
        }
    }

    /// A call of two paths, the next ones; whether it was done.
    ///
    /// # Safety
    /// It is one that only reads them.
    unsafe fn of_paths(&mut self, number: usize) -> bool {
        let [a, b] = [self.next().address(), self.next().address()];
        // SAFETY: texts end with a NUL and live as long as the process.
        unsafe { syscall(number, [a, b, 0, 0, 0]) == 0 }
    }

    /// Returns only where it fails.
    ///
    /// # Safety
    /// The stack is this process's own.
    unsafe fn exec(&mut self) {
        let path = self.next().address();
        let argv = self.stack.arguments_from(self.next);
        // SAFETY: the arguments end with a null, as the environment does.
        unsafe { syscall(sys::EXECVE, [path, argv, self.stack.environment(), 0, 0]) };
    }

    /// # Safety
    /// As [`Self::exec`].
    unsafe fn thread_exec(&mut self) -> bool {
        const STACK: usize = 16384;
        const CLONE: usize = 56;
        // CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM: what makes a thread (clone(2)).
        const THREAD: usize = 0x100 | 0x200 | 0x400 | 0x800 | 0x1_0000 | 0x4_0000;
        let stack = map(STACK, 3);
        if stack < 0 {
            return false;
        }
        let path = self.next().address();
        let argv = self.stack.arguments_from(self.next);
        let result: isize;
        // SAFETY: the new thread has a stack of its own and touches none of it: it makes two system calls
        // with what it finds in its registers. The old one goes on behind the block.
        unsafe {
            asm!(
                "syscall",
                "test rax, rax",
                "jnz 2f",
                "mov eax, {execve}",
                "mov rdi, r12",
                "mov rsi, r13",
                "mov rdx, r14",
                "syscall",
                "mov eax, {exit_group}",
                "mov edi, {failed}",
                "syscall",
                "ud2",
                "2:",
                execve = const sys::EXECVE,
                exit_group = const sys::EXIT_GROUP,
                failed = const NO_EVIDENCE,
                inlateout("rax") CLONE => result,
                in("rdi") THREAD,
                in("rsi") stack as usize + STACK,
                in("rdx") 0, in("r10") 0, in("r8") 0,
                in("r12") path, in("r13") argv, in("r14") self.stack.environment(),
                lateout("rcx") _, lateout("r11") _,
            );
        }
        while result > 0 {
            // SAFETY: no pointer is passed. The exec of the other thread ends this one.
            unsafe { syscall(sys::PAUSE, [0; 5]) };
        }
        false
    }
}

/// New memory.
fn map(length: usize, protection: usize) -> isize {
    const PRIVATE_ANONYMOUS: usize = 0x22;
    // SAFETY: nothing that there is is touched.
    unsafe {
        syscall(
            sys::MMAP,
            [0, length, protection, PRIVATE_ANONYMOUS, usize::MAX],
        )
    }
}

fn write(path: Text<'_>, text: Text<'_>) -> bool {
    let file = sys::open(path, sys::O_WRONLY);
    if file < 0 {
        return false;
    }
    let (file, length) = (file as usize, text.length());
    // SAFETY: the text is as long as it is.
    unsafe {
        let written = syscall(sys::WRITE, [file, text.address(), length, 0, 0]);
        syscall(sys::CLOSE, [file, 0, 0, 0, 0]);
        written == length as isize
    }
}

// prctl(PR_SET_MM, PR_SET_MM_EXE_FILE) wants that no page of the old file is mapped (`replace_mm_exe_file`,
// kernel/fork.c). So these lines run from a copy: they take the program away under themselves, set the
// file, sleep, exit. rdi, rsi: what to unmap; rdx: the file; rcx: a timespec or 0.
global_asm!(
    "execlab_exe:",
    "mov r12, rcx",
    "mov r13, rdx",
    "mov eax, 11", // munmap
    "syscall",
    "test rax, rax",
    "jnz 3f",
    "mov edi, 35", // PR_SET_MM
    "mov esi, 13", // PR_SET_MM_EXE_FILE
    "mov rdx, r13",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "mov eax, 157", // prctl
    "syscall",
    "test rax, rax",
    "jnz 3f",
    "test r12, r12",
    "jz 2f",
    "mov rdi, r12",
    "xor esi, esi",
    "mov eax, 35", // nanosleep
    "syscall",
    "2:",
    "xor edi, edi",
    "mov eax, 231", // exit_group
    "syscall",
    "3:",
    "mov edi, {failed}",
    "mov eax, 231",
    "syscall",
    "execlab_exe_end:",
    failed = const NO_EVIDENCE,
);

/// The address of a symbol. Through no table: that would be one more page for each exec to map.
macro_rules! address {
    ($symbol:literal) => {{
        let at: usize;
        // SAFETY: nothing is read.
        unsafe { asm!(concat!("lea {}, [rip + ", $symbol, "]"), out(reg) at) };
        at
    }};
}

/// Returns only where it fails early.
fn other_exe(path: Text<'_>, lifetime: u64) -> bool {
    const PAGE: usize = 4096;
    let file = sys::open(path, sys::O_RDONLY);
    // Readable, writable, executable.
    let copy = map(PAGE, 7);
    if file < 0 || copy < 0 {
        return false;
    }
    let (start, end) = (address!("execlab_exe"), address!("execlab_exe_end"));
    // Of the linker: where the program begins and ends.
    let (from, to) = (address!("__executable_start"), address!("_end"));
    let time = Timespec::of_nanos(lifetime);
    let time = if lifetime > 0 {
        &raw const time as usize
    } else {
        0
    };
    // SAFETY: the lines are shorter than a page and find all that they need in registers and on the stack,
    // which is no page of the program. Nothing comes back.
    unsafe {
        // By the processor, because a compiler would call the C library's `memcpy`.
        asm!(
            "rep movsb",
            inout("rdi") copy => _,
            inout("rsi") start => _,
            inout("rcx") end - start => _,
        );
        asm!(
            "jmp {copy}",
            copy = in(reg) copy,
            in("rdi") from,
            in("rsi") (to - from).next_multiple_of(PAGE),
            in("rdx") file,
            in("rcx") time,
            options(noreturn),
        );
    }
}
