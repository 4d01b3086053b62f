//! `kmod-syscall-table`: a module that puts its own functions into the table of system calls.
//!
//! The oldest way to watch system calls: the entries of `execve` and `execveat` in `sys_call_table`, and of their
//! 32-bit forms in `ia32_sys_call_table`, are replaced by functions that call the old ones. Such a function copies the
//! string before the call, and when the call has succeeded, it is in the new image, and reads all else from that: the
//! path of `/proc/PID/exe`, arguments, ids.
//!
//! Where the tables and the handlers are is read from `/proc/kallsyms`, as no module can look symbols up since 5.7. An
//! entry is replaced only where the right handler stands in it. The tables are read-only, so the page is mapped a second
//! time for the moment of writing; no protection is turned off.
//!
//! # Where it works
//!
//! To Linux 6.8. Then the tables became data for tracing alone, and calls are dispatched by a switch (`x64_sys_call`,
//! commit 1e3ad78334a6 of 6.9, "x86/syscall: Don't force use of indirect calls for system calls"); that was taken back
//! into the stable kernels of 6.1 and later, but not of 5.10. An entry can still be replaced there, and nothing comes
//! of it. So the monitor makes one call of `execve` that must fail, and looks whether the module saw it; if not, the
//! kernel is unsupported.
//!
//! # What it cannot see
//!
//! - Execs that no system call makes: the kernel's own helpers (`kernel_execve`).
//! - What the string was when the handler read it: it is copied before, and whoever shares the caller's memory can
//!   change it in between. Path and arguments cannot be changed so: they are the new image's.
//! - Calls that failed: it knows of them, and does not report them, as they are no execs.
//! - The script behind a `#!`, but in `given` and the arguments; paths from outside a `chroot`; execs while the ring is
//!   full, which are counted: as `kmod-tracepoint`.
//! - Calls of x32 programs (Debian's cloud kernels have none).
//!
//! # Cost
//!
//! A little more than `kmod-tracepoint`, the cheapest of the family: a function stands in the way of each call, failed
//! ones too, and copies the string before it is known what comes of it. Nothing of an exec is bought that the
//! tracepoint has not; the row is here because it is the oldest way. Tuned costs less: with `linger-ms` the reader is
//! woken once for many records, which come later. The larger ring costs memory.
//!
//! Sources: `arch/x86/entry/syscall_64.c`, `arch/x86/entry/common.c`; what the family shares: [`super`].

use std::{arch::asm, ffi::CStr};

use nix::{errno::Errno, unistd::execve};

use super::{
    CHANGES, OFFERS, PROGRAM, RING_IS_FULL,
    monitor::{self, ARGV_BYTES, Attached, BUFFER_PAGES, LINGER},
    remains::OfModules,
    symbols,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Remains, Setting, Settings,
    Since,
};

/// See the module.
#[derive(Debug)]
pub struct KmodSyscallTable;

const MODULE: &str = "execlab_table";

/// The module's counter of calls that came by it.
const CALLS: &str = "calls";

const SETTINGS: &[Setting] = &[BUFFER_PAGES, LINGER, ARGV_BYTES];

/// Tables, then handlers in the order of `kmod/around.h`.
const SYMBOLS: [&str; 6] = [
    "sys_call_table",
    "ia32_sys_call_table",
    "__x64_sys_execve",
    "__x64_sys_execveat",
    "__ia32_compat_sys_execve",
    "__ia32_compat_sys_execveat",
];

impl Backend for KmodSyscallTable {
    fn name(&self) -> &'static str {
        "kmod-syscall-table"
    }

    fn about(&self) -> &'static str {
        "kernel module in the places of execve and execveat in the table of system calls"
    }

    fn program(&self) -> &'static str {
        PROGRAM
    }

    fn until(&self) -> Option<&'static str> {
        // System calls are dispatched by a switch from 6.9 on, and in the stable series that took that over.
        Some("5.10")
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::KernelModule,
            mechanism: "a module's functions stand in the table of system calls around the real ones",
            needs: &[
                "headers of this very kernel and a compiler",
                "a kernel that takes unsigned modules",
                "a kernel that dispatches system calls through the table",
                "root (CAP_SYS_MODULE, CAP_SYSLOG)",
            ],
            since: Since {
                release: "any to 6.8, but not stable ones that took the switch back (6.1.y)",
                series: None,
            },
            loss_signals: &[RING_IS_FULL],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&OfModules)
    }

    fn kernel_module(&self) -> Option<&'static str> {
        Some(MODULE)
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let [table, ia32_table, handlers @ ..] = symbols::running(SYMBOLS)?;
        let address = |found: Option<u64>| format!("{:#x}", found.unwrap_or(0));
        let Some(entries) = table else {
            return Err(AttachError::Unsupported(
                "/proc/kallsyms has no sys_call_table: this kernel has no table of system calls"
                    .into(),
            ));
        };
        let parameters = format!(
            "table={entries:#x} ia32_table={} handlers={}",
            address(ia32_table),
            handlers.map(address).join(",")
        );
        let mut attached = monitor::attach(MODULE, settings, &parameters, None)?;
        if !test(&attached, call)? {
            return Err(AttachError::Unsupported(
                "sys_call_table was changed, and a call of execve went to the old handler all the same: this kernel \
                 dispatches system calls by a switch (x64_sys_call), not through the table"
                    .into(),
            ));
        }
        attached.add_evidence("a call of execve came by the table's new entry".into());
        let came_by = match ia32_table {
            Some(_) => Some(test(&attached, call_of_32_bit)?),
            None => None,
        };
        attached.add_evidence(calls_of_32_bit(came_by).into());
        if came_by != Some(true) {
            attached.add_note(calls_of_32_bit(came_by).into());
        }
        Ok(Box::new(attached))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        let mut findings = super::look::look(roots);
        findings.push(super::look::table(roots));
        findings
    }
}

/// What is known of 32-bit programs, for people: whether a call of theirs came by, where they have a table.
fn calls_of_32_bit(came_by: Option<bool>) -> &'static str {
    match came_by {
        Some(true) => "a 32-bit call of execve came by the new entry of ia32_sys_call_table",
        Some(false) => {
            "a 32-bit call of execve did not come by the new entry of ia32_sys_call_table: such calls are not seen"
        }
        None => {
            "this kernel has no ia32_sys_call_table: calls of 32-bit programs, if it has any, are not seen"
        }
    }
}

/// Whether a call came by the module.
fn test(attached: &Attached, call: fn() -> bool) -> Result<bool, AttachError> {
    let before = attached.parameter(CALLS)?;
    // Whether it failed as it had to is the caller's affair: the counter alone is the proof.
    Ok(call() && attached.parameter(CALLS)? > before)
}

/// Calls execve with no path at all, which executes nothing. Whether it failed as it must.
fn call() -> bool {
    const NOTHING: &CStr = c"";
    execve(NOTHING, &[NOTHING], &[NOTHING]) == Err(Errno::ENOENT)
}

/// The same as a 32-bit program calls it.
fn call_of_32_bit() -> bool {
    /// `__NR_execve` of 32-bit programs (`asm/unistd_32.h`).
    const EXECVE: i64 = 11;
    let result: i64;
    // SAFETY: a null path is refused with EFAULT, so nothing is executed and no memory is touched. The kernel may
    // change what is listed; `rbx` is put back, as the compiler keeps it for itself. Where 32-bit calls are turned off
    // there is no table for them, and nobody comes here.
    unsafe {
        asm!(
            "xchg rbx, {path}",
            "int 0x80",
            "xchg rbx, {path}",
            path = inout(reg) 0u64 => _,
            inlateout("rax") EXECVE => result,
            in("rcx") 0u64,
            in("rdx") 0u64,
            out("r8") _,
            out("r9") _,
            out("r10") _,
            out("r11") _,
        );
    }
    result == -i64::from(libc::EFAULT)
}
