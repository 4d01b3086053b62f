//! The seccomp filter that singles out the calls of exec, whatever door a program calls through. What the kernel does with them
//! is the filter's action.

use std::io;

/// `AUDIT_ARCH_X86_64` (linux/audit.h).
pub const X86_64: u32 = 0xc000_003e;
/// `AUDIT_ARCH_I386`.
pub const I386: u32 = 0x4000_0003;
/// `__X32_SYSCALL_BIT` with 520 and 545 (`asm/unistd_x32.h`).
pub const X32_EXECVE: u32 = 0x4000_0208;
/// See [`X32_EXECVE`].
pub const X32_EXECVEAT: u32 = 0x4000_0221;

/// Architecture and number of each exec call (`arch/x86/entry/syscalls/syscall_64.tbl` and `syscall_32.tbl`).
pub const CALLS: [(u32, u32); 6] = [
    (X86_64, 59),
    (X86_64, 322),
    (X86_64, X32_EXECVE),
    (X86_64, X32_EXECVEAT),
    (I386, 11),
    (I386, 358),
];

/// Offsets in the kernel's `struct seccomp_data` (linux/seccomp.h).
const NUMBER: u32 = 0;
const ARCH: u32 = 4;

const LENGTH: usize = 13;

/// For each call of exec `action`, for all others none: cBPF, as seccomp(2) takes it. A program of 64 bits can make
/// 32-bit calls (`int 0x80`), so the architecture is that of the call, and is tested for each.
fn program(action: u32) -> [libc::sock_filter; LENGTH] {
    const LET_PASS: usize = LENGTH - 2;
    const TAKE: usize = LENGTH - 1;
    let load = |offset| op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, (0, 0));
    let answer = |action| op(libc::BPF_RET | libc::BPF_K, action, (0, 0));
    let test = |at: usize, value, then: usize, otherwise: usize| {
        // Jumps count from the next instruction.
        let from = |target: usize| u8::try_from(target - at - 1).expect("a short program");
        let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        op(code, value, (from(then), from(otherwise)))
    };
    [
        load(ARCH),
        test(1, X86_64, 3, 2),
        test(2, I386, 8, LET_PASS),
        load(NUMBER),
        test(4, 59, TAKE, 5),
        test(5, 322, TAKE, 6),
        test(6, X32_EXECVE, TAKE, 7),
        test(7, X32_EXECVEAT, TAKE, LET_PASS),
        load(NUMBER),
        test(9, 11, TAKE, 10),
        test(10, 358, TAKE, LET_PASS),
        answer(libc::SECCOMP_RET_ALLOW),
        answer(action),
    ]
}

fn op(code: u32, k: u32, (jt, jf): (u8, u8)) -> libc::sock_filter {
    let code = u16::try_from(code).expect("codes of cBPF have 16 bits");
    libc::sock_filter { code, jt, jf, k }
}

/// Puts the filter on this process; what it starts inherits it, and nobody can take it off. `flags` as in seccomp(2);
/// with `SECCOMP_FILTER_FLAG_NEW_LISTENER` the answer is the listener's descriptor.
pub fn install(action: u32, flags: libc::c_ulong) -> io::Result<i32> {
    let mut program = program(action);
    let all = libc::sock_fprog {
        len: u16::try_from(program.len()).expect("a short program"),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the program is as long as is said and outlives the call, which copies it.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            flags,
            &raw const all,
        )
    };
    match i32::try_from(answer) {
        Ok(fd) if fd >= 0 => Ok(fd),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the kernel knows an action; the error is what it answers. One that does not would kill the process for it.
pub fn available(action: u32) -> io::Result<()> {
    // SAFETY: the number outlives the call.
    let answer = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    };
    nix::errno::Errno::result(answer)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACTION: u32 = 0x0bad_cafe;

    /// What a kernel answers to a call.
    fn run(arch: u32, number: u32) -> u32 {
        let program = program(ACTION);
        let (mut at, mut held) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            match u32::from(step.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    held = if step.k == ARCH { arch } else { number };
                }
                code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => {
                    at += usize::from(if held == step.k { step.jt } else { step.jf });
                }
                code if code == libc::BPF_RET | libc::BPF_K => return step.k,
                code => panic!("{code:#x}"),
            }
        }
    }

    #[test]
    fn all_six_calls_are_taken() {
        for (arch, number) in CALLS {
            assert_eq!(run(arch, number), ACTION, "{arch:#x} {number}");
        }
        assert_eq!(run(X86_64, 11), libc::SECCOMP_RET_ALLOW);
        // What an ARM kernel would say.
        assert_eq!(run(0xc000_00b7, 59), libc::SECCOMP_RET_ALLOW);
    }

    proptest! {
        #[test]
        fn it_takes_those_and_nothing_else(
            arch in prop_oneof![Just(X86_64), Just(I386), any::<u32>()],
            number in prop_oneof![0..600u32, (0..600u32).prop_map(|n| n | 0x4000_0000), any::<u32>()],
        ) {
            let taken = CALLS.contains(&(arch, number));
            let expected = if taken { ACTION } else { libc::SECCOMP_RET_ALLOW };
            prop_assert_eq!(run(arch, number), expected);
        }
    }
}
