//! The program that a storm executes: it reports itself and exits.
//!
//! No libc, no main, a few hundred instructions. Each image that starts writes one
//! [`Evidence`](../src/evidence.rs) record to descriptor 3, which it inherited; that, and nothing
//! that the storm intends, makes an exec count. Arguments: any name, the id (`x` and eight
//! hexadecimal digits), how long to sleep in nanoseconds.
//!
//! The kernel's ABI is used directly: syscall(2) for the calling convention, getauxval(3) and
//! `Documentation/arch/x86/x86_64` for the stack at entry.
#![no_std]
#![no_main]

use core::{
    arch::{asm, global_asm},
    ptr,
};

#[path = "../src/evidence/layout.rs"]
mod layout;

use layout::{EVIDENCE_FD, EVIDENCE_MAGIC, Evidence, NO_EVIDENCE};

const SYS_WRITE: usize = 1;
const SYS_NANOSLEEP: usize = 35;
const SYS_GETPID: usize = 39;
const SYS_CLOCK_GETTIME: usize = 228;
const SYS_EXIT_GROUP: usize = 231;
const CLOCK_MONOTONIC: usize = 1;
const AT_UID: usize = 11;

// The kernel enters with the stack pointer at argc and nothing else set (System V ABI, 3.4.1).
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {main}",
    "ud2",
    main = sym payload_main,
);

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

/// One system call with up to three arguments.
///
/// # Safety
/// Pointers among the arguments must be valid for what the call does with them.
unsafe fn syscall(number: usize, a: usize, b: usize, c: usize) -> isize {
    let result;
    // SAFETY: the caller answers for the arguments; rcx and r11 are what the instruction clobbers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a, in("rsi") b, in("rdx") c,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// # Safety
/// `stack` is the stack pointer as the kernel left it: argc, argv, NULL, envp, NULL, auxv.
unsafe extern "C" fn payload_main(stack: *const usize) -> ! {
    let mut now = Timespec {
        seconds: 0,
        nanos: 0,
    };
    // SAFETY: `now` outlives each call that is given its address; `stack` is as promised, so its
    // argc and argv may be read, and every argv entry is a string that ends with a NUL.
    unsafe {
        syscall(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, &raw mut now as usize, 0);
        let argc = *stack;
        // argv ends with a NULL, so that the one after the last is no string.
        let argument = |n: usize| *stack.add(1 + n.min(argc)) as *const u8;
        let evidence = Evidence {
            magic: EVIDENCE_MAGIC,
            id: parse_id(argument(1)),
            pid: syscall(SYS_GETPID, 0, 0, 0) as u32,
            uid: uid_from_auxv(stack.add(1 + argc + 1)),
            started_ns: (now.seconds * 1_000_000_000 + now.nanos) as u64,
        };
        let written = syscall(
            SYS_WRITE,
            EVIDENCE_FD as usize,
            &raw const evidence as usize,
            size_of::<Evidence>(),
        );
        // A payload that cannot leave evidence says so by its status; the storm counts that.
        let status =
            usize::from(written != size_of::<Evidence>() as isize) * usize::from(NO_EVIDENCE);
        let lifetime = parse_decimal(argument(2));
        if lifetime > 0 {
            let sleep = Timespec {
                seconds: (lifetime / 1_000_000_000) as i64,
                nanos: (lifetime % 1_000_000_000) as i64,
            };
            syscall(
                SYS_NANOSLEEP,
                &raw const sleep as usize,
                ptr::null_mut::<u8>() as usize,
                0,
            );
        }
        loop {
            syscall(SYS_EXIT_GROUP, status, 0, 0);
        }
    }
}

/// The real uid that the kernel gave to this image: no call needed.
///
/// # Safety
/// `envp` points behind argv's NULL.
unsafe fn uid_from_auxv(mut envp: *const usize) -> u32 {
    // SAFETY: the environment ends with a NULL, the auxiliary vector after it with AT_NULL (0).
    unsafe {
        while *envp != 0 {
            envp = envp.add(1);
        }
        let mut pair = envp.add(1);
        while *pair != 0 {
            if *pair == AT_UID {
                return *pair.add(1) as u32;
            }
            pair = pair.add(2);
        }
    }
    u32::MAX
}

/// The id in `x` and eight hexadecimal digits, else an id that is never given out.
///
/// # Safety
/// `text` is null or points to a string that ends with a NUL.
unsafe fn parse_id(text: *const u8) -> u32 {
    // SAFETY: as promised; reading stops at the NUL.
    unsafe {
        if text.is_null() || *text != b'x' {
            return u32::MAX;
        }
        let (mut id, mut at) = (0, text.add(1));
        while *at != 0 {
            id = id << 4
                | u32::from(if *at <= b'9' {
                    *at - b'0'
                } else {
                    *at - b'a' + 10
                });
            at = at.add(1);
        }
        id
    }
}

/// A decimal number; 0 for no text.
///
/// # Safety
/// `text` is null or points to a string that ends with a NUL.
unsafe fn parse_decimal(text: *const u8) -> u64 {
    let (mut n, mut at) = (0, text);
    // SAFETY: as promised; reading stops at the NUL.
    unsafe {
        while !at.is_null() && *at != 0 {
            n = n * 10 + u64::from(*at - b'0');
            at = at.add(1);
        }
    }
    n
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {
        // SAFETY: no pointer is passed.
        unsafe { syscall(SYS_EXIT_GROUP, 98, 0, 0) };
    }
}
