//! The program that a storm executes: it reports itself, does what its arguments say, and exits.
//!
//! No libc, no main, a few hundred instructions. Each image that starts writes one
//! [`Evidence`](../src/evidence.rs) record to descriptor 3, which it inherited; that, and nothing
//! that the storm intends, makes an exec count. Arguments: anything up to the id (`x` and eight
//! hexadecimal digits), how long to sleep in nanoseconds, [acts]. Whoever is called without arguments has the
//! id in its environment.
//!
//! The kernel's ABI is used directly: syscall(2) for the calling convention, getauxval(3) and
//! `Documentation/arch/x86/x86_64` for the stack at entry.
#![no_std]
#![no_main]

use core::arch::global_asm;

mod acts;
#[path = "../src/evidence/layout.rs"]
mod layout;
mod stack;
mod sys;

use acts::Acts;
use layout::{EVIDENCE_FD, EVIDENCE_MAGIC, Evidence, LOG_ACT, NO_EVIDENCE, TELL_ACT};
use stack::Stack;
use sys::{Timespec, exit, syscall};

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

/// # Safety
/// `stack` is the stack pointer as the kernel left it: argc, argv, NULL, envp, NULL, auxv.
unsafe extern "C" fn payload_main(stack: *const usize) -> ! {
    let mut now = Timespec::default();
    // SAFETY: `now` outlives each call that is given its address; the stack is as promised.
    unsafe {
        syscall(
            sys::CLOCK_GETTIME,
            [sys::CLOCK_MONOTONIC, &raw mut now as usize, 0, 0, 0],
        );
        let stack = Stack::new(stack);
        let (id, behind) = stack.id();
        let evidence = Evidence {
            magic: EVIDENCE_MAGIC,
            id,
            pid: syscall(sys::GETPID, [0; 5]) as u32,
            uid: stack.real_uid(),
            started_ns: (now.seconds * 1_000_000_000 + now.nanos) as u64,
            ppid: syscall(sys::GETPPID, [0; 5]) as u32,
            host_pid: 0,
        };
        let lifetime = stack.argument(behind).decimal();
        let mut acts = Acts::new(&stack, behind + 1);
        if !leave(&evidence, &mut acts) || !acts.perform(lifetime) {
            exit(NO_EVIDENCE);
        }
        sys::sleep(lifetime);
        exit(0)
    }
}

/// Writes the record; whether it is written whole.
///
/// # Safety
/// The arguments behind `acts` are those of this process.
unsafe fn leave(evidence: &Evidence, acts: &mut Acts<'_>) -> bool {
    // SAFETY: the record and the path are alive through the calls.
    unsafe {
        let log = if let Some(path) = acts.take(LOG_ACT) {
            sys::open(path, sys::O_WRONLY | sys::O_APPEND)
        } else if let Some(path) = acts.take(TELL_ACT) {
            sys::connect(path)
        } else {
            EVIDENCE_FD as isize
        };
        let length = size_of::<Evidence>();
        let record = core::ptr::from_ref(evidence) as usize;
        syscall(sys::WRITE, [log as usize, record, length, 0, 0]) == length as isize
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(98)
}
