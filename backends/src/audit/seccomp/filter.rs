//! The filter: exec calls of every table of an x86-64 kernel are logged, everything else passes in silence.

use std::{io, ptr};

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

use crate::audit::rules::ARCHITECTURES;

/// Calls of the x32 table have the architecture of 64-bit ones, and this bit in their number.
const X32: u32 = 0x4000_0000;

/// Architecture and number of each exec call (`arch/x86/entry/syscalls/syscall_64.tbl` and `syscall_32.tbl`).
pub const CALLS: [(u32, u32); 6] = {
    let [b64, b32] = ARCHITECTURES;
    [
        (b64.number, b64.execve),
        (b64.number, b64.execveat),
        (b64.number, X32 + 520),
        (b64.number, X32 + 545),
        (b32.number, b32.execve),
        (b32.number, b32.execveat),
    ]
};

/// Where `struct seccomp_data` has the call's number and its architecture, in bytes.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;

fn statement(code: u32, k: u32) -> sock_filter {
    jump(code, k, 0, 0)
}

fn jump(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    let code = u16::try_from(code).expect("every code of classic BPF is below 256");
    sock_filter { code, jt, jf, k }
}

/// The program. For each architecture its numbers are compared, and the next one is tried where it is another.
fn program() -> Vec<sock_filter> {
    let equal = BPF_JMP | BPF_JEQ | BPF_K;
    let give = |action| statement(BPF_RET | BPF_K, action);
    let load = |offset| statement(BPF_LD | BPF_W | BPF_ABS, offset);
    let mut program = vec![load(ARCHITECTURE)];
    for architecture in ARCHITECTURES {
        let calls: Vec<u32> = CALLS
            .iter()
            .filter(|(arch, _)| *arch == architecture.number)
            .map(|(_, number)| *number)
            .collect();
        let count = u8::try_from(calls.len()).expect("a handful");
        // Over the load, the comparisons and the two answers.
        program.push(jump(equal, architecture.number, 0, count + 3));
        program.push(load(NUMBER));
        for (behind, call) in (1..=count).rev().zip(calls) {
            program.push(jump(equal, call, behind, 0));
        }
        program.push(give(libc::SECCOMP_RET_ALLOW));
        program.push(give(libc::SECCOMP_RET_LOG));
    }
    program.push(give(libc::SECCOMP_RET_ALLOW));
    program
}

/// Puts the filter on this thread, and so on all that it starts and becomes.
pub fn install() -> io::Result<()> {
    let mut program = program();
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).expect("short"),
        filter: program.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program, which is as long as it says and lives until after the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            ptr::from_ref(&program),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether this kernel knows the action; one that does not would kill the process for it.
pub fn can_log() -> io::Result<()> {
    let action = libc::SECCOMP_RET_LOG;
    // SAFETY: the kernel reads one 32-bit number.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            ptr::from_ref(&action),
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the program answers for a call, as the kernel's interpreter would.
    fn answer(arch: u32, number: u32) -> u32 {
        let program = program();
        let (mut at, mut loaded) = (0, 0);
        loop {
            let line = program[at];
            at += 1;
            match u32::from(line.code) & 0x07 {
                BPF_LD => loaded = if line.k == NUMBER { number } else { arch },
                BPF_RET => return line.k,
                _ if loaded == line.k => at += usize::from(line.jt),
                _ => at += usize::from(line.jf),
            }
        }
    }

    #[test]
    fn exec_calls_are_logged_and_no_others() {
        let numbers = [0, 1, 11, 56, 57, 58, 59, 60, 322, 358, 520, 545];
        let numbers = numbers.into_iter().chain(numbers.map(|n| X32 | n));
        // The third is what an ARM kernel would say.
        let architectures = [
            ARCHITECTURES[0].number,
            ARCHITECTURES[1].number,
            0xc000_00b7,
        ];
        let mut logged = Vec::new();
        for number in numbers {
            for arch in architectures {
                match answer(arch, number) {
                    libc::SECCOMP_RET_LOG => logged.push((arch, number)),
                    other => assert_eq!(other, libc::SECCOMP_RET_ALLOW),
                }
            }
        }
        logged.sort_unstable();
        let mut expected = CALLS.to_vec();
        expected.sort_unstable();
        assert_eq!(logged, expected);
    }
}
