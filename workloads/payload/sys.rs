//! System calls.

use core::{arch::asm, mem::MaybeUninit};

use crate::stack::Text;

pub const WRITE: usize = 1;
pub const OPEN: usize = 2;
pub const CLOSE: usize = 3;
pub const MMAP: usize = 9;
pub const PAUSE: usize = 34;
pub const NANOSLEEP: usize = 35;
pub const GETPID: usize = 39;
pub const SOCKET: usize = 41;
pub const CONNECT: usize = 42;
pub const EXECVE: usize = 59;
pub const CHDIR: usize = 80;
pub const RENAME: usize = 82;
pub const LINK: usize = 86;
pub const UNLINK: usize = 87;
pub const GETPPID: usize = 110;
pub const PRCTL: usize = 157;
pub const CLOCK_GETTIME: usize = 228;
pub const EXIT_GROUP: usize = 231;
pub const RENAMEAT2: usize = 316;

pub const CLOCK_MONOTONIC: usize = 1;
pub const O_RDONLY: usize = 0;
pub const O_WRONLY: usize = 1;
pub const O_APPEND: usize = 0o2000;
pub const PR_SET_NAME: usize = 15;
/// -100: what is relative is so to the working directory.
pub const AT_FDCWD: usize = usize::MAX - 99;
pub const RENAME_EXCHANGE: usize = 2;

/// As the kernel has it.
#[repr(C)]
#[derive(Default)]
pub struct Timespec {
    pub seconds: i64,
    pub nanos: i64,
}

impl Timespec {
    pub fn of_nanos(nanos: u64) -> Self {
        Self {
            seconds: (nanos / 1_000_000_000) as i64,
            nanos: (nanos % 1_000_000_000) as i64,
        }
    }
}

/// One system call with up to five arguments.
///
/// # Safety
/// Pointers among the arguments must be valid for what the call does with them.
pub unsafe fn syscall(number: usize, a: [usize; 5]) -> isize {
    let result;
    // SAFETY: the caller answers for the arguments; rcx and r11 are what the instruction clobbers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4],
            // Of mmap alone: no offset.
            in("r9") 0,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Ends the process.
pub fn exit(status: u8) -> ! {
    loop {
        // SAFETY: no pointer is passed.
        unsafe { syscall(EXIT_GROUP, [status.into(), 0, 0, 0, 0]) };
    }
}

/// Sleeps so many nanoseconds; not at all for 0.
pub fn sleep(nanos: u64) {
    if nanos > 0 {
        let time = Timespec::of_nanos(nanos);
        // SAFETY: the time lives through the call; nothing is asked back.
        unsafe { syscall(NANOSLEEP, [&raw const time as usize, 0, 0, 0, 0]) };
    }
}

/// Opens a file that is there.
pub fn open(path: Text<'_>, flags: usize) -> isize {
    // SAFETY: a text ends with a NUL and lives as long as the process.
    unsafe { syscall(OPEN, [path.address(), flags, 0, 0, 0]) }
}

/// Connects to a Unix stream socket; a negative number where that fails.
pub fn connect(path: Text<'_>) -> isize {
    const AF_UNIX: u16 = 1;
    const SOCK_STREAM: usize = 1;
    /// `struct sockaddr_un` (unix(7)); a path without its NUL is as long as the address says.
    #[repr(C)]
    struct Address {
        family: u16,
        path: [u8; 108],
    }
    let mut address = MaybeUninit::<Address>::uninit();
    let length = path.length();
    if length > 108 {
        return -1;
    }
    // SAFETY: there is room for the path; of the address, what is written is passed. The copy is the processor's,
    // because a compiler would call the C library's `memcpy`.
    unsafe {
        let at = address.as_mut_ptr();
        (*at).family = AF_UNIX;
        asm!(
            "rep movsb",
            inout("rdi") (&raw mut (*at).path) => _,
            inout("rsi") path.address() => _,
            inout("rcx") length => _,
        );
        let socket = syscall(SOCKET, [AF_UNIX.into(), SOCK_STREAM, 0, 0, 0]);
        let length = size_of::<u16>() + length;
        match syscall(CONNECT, [socket as usize, at as usize, length, 0, 0]) {
            0 => socket,
            error => error,
        }
    }
}
