//! `kmod-syscall-hook`: a module at the handlers of `execve` and `execveat` themselves.
//!
//! However the kernel comes to a handler (through a table, by a switch), the handler is a function, and a function can
//! be hooked: `__x64_sys_execve` and `__x64_sys_execveat`, and `__ia32_compat_sys_execve` and
//! `__ia32_compat_sys_execveat` for 32-bit callers. The setting `how` says by what:
//!
//! - `kretprobe` (default; what most modules use): a probe at the call, which copies the string, and one at the return.
//!   Nobody may sleep in a probe, so a string that is not in memory stays unknown. A probe follows `maxactive` calls
//!   at once (by default ten, or twice the number of CPUs); execs that wait for a disk all count, and a call that finds no
//!   room is not followed. The kernel counts those (`nmissed`), and they are reported.
//! - `ftrace` (tuned): ftrace calls our function in the handler's place (`FTRACE_OPS_FL_IPMODIFY`, as live patches do),
//!   which calls the handler. It may sleep, follows any number of calls, misses none, and traps nowhere.
//!
//! A module that cannot hook one of the handlers is not loaded, so none is left out in silence; a kernel that was built
//! without calls of 32-bit programs has two of them only, and the evidence says so.
//!
//! In both ways the rest is read when the call has succeeded, from the new image: the path of `/proc/PID/exe`,
//! arguments, ids.
//!
//! # What it cannot see
//!
//! - Execs that no system call makes: the kernel's own helpers (`kernel_execve`).
//! - What the string was when the handler read it: it is copied before, and whoever shares the caller's memory can
//!   change it in between. Path and arguments cannot be changed so: they are the new image's.
//! - Calls that failed: it knows of them, and does not report them, as they are no execs.
//! - With `kretprobe` strings of more than 4,091 bytes: a probe keeps a page at most (`KRETPROBE_MAX_DATA_SIZE`, 6.1).
//! - The script behind a `#!`, but in `given` and the arguments; paths from outside a `chroot`; execs while the ring is
//!   full, which are counted: as `kmod-tracepoint`.
//! - Calls of x32 programs (Debian's cloud kernels have none).
//!
//! # Cost
//!
//! Against `kmod-tracepoint`, the cheapest of the family, it pays for a probe or a detour with each call, failed ones
//! too, and gets nothing for it that the tracepoint has not. It is here because it is what works where the table of
//! system calls no longer does. Tuned costs less: with `linger-ms` the reader is woken once for many records, which
//! come later. It also hooks by `how=ftrace`, which misses no call and needs no trap; `maxactive` is of no use then.
//! The larger ring costs memory.
//!
//! Sources: `kernel/kprobes.c`, `kernel/trace/ftrace.c`, `Documentation/trace/ftrace-uses.rst`; what the family shares:
//! [`super`].

use super::{
    CHANGES, OFFERS, PROGRAM, RING_IS_FULL,
    monitor::{self, ARGV_BYTES, BUFFER_PAGES, Counter, LINGER},
    remains::OfModules,
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Remains, Setting,
    Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct KmodSyscallHook;

const MODULE: &str = "execlab_hook";

/// Of 64-bit and of 32-bit callers, two each (`kmod/around.h`).
const HANDLERS: u64 = 4;

const NO_32_BIT: &str =
    "this kernel was built without system calls of 32-bit programs (CONFIG_IA32_EMULATION)";

/// What the module says that it hooked, for people. It refuses to be loaded where it cannot hook all that there are.
fn hooks(hooked: u64) -> String {
    if hooked < HANDLERS {
        format!("{hooked} handlers are hooked, of 64-bit callers alone: {NO_32_BIT}")
    } else {
        format!("{hooked} handlers are hooked, of 64-bit and of 32-bit callers")
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "how",
        help: "kretprobe: probes at call and return; ftrace: another function in the handler's place",
        kind: Kind::Word(&["kretprobe", "ftrace"]),
        default: "kretprobe",
        tuned: "ftrace",
    },
    Setting {
        name: "maxactive",
        help: "how many calls a return probe can follow at once; 0: as many as the kernel thinks fit",
        kind: Kind::Number(0, 4096),
        default: "0",
        tuned: "512",
    },
    BUFFER_PAGES,
    LINGER,
    ARGV_BYTES,
];

impl Backend for KmodSyscallHook {
    fn name(&self) -> &'static str {
        "kmod-syscall-hook"
    }

    fn about(&self) -> &'static str {
        "kernel module at the handlers of execve and execveat, by return probes or ftrace"
    }

    fn program(&self) -> &'static str {
        PROGRAM
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::KernelModule,
            mechanism: "a module's functions are called around the handlers of the system calls",
            needs: &[
                "headers of this very kernel and a compiler",
                "a kernel that takes unsigned modules",
                "CONFIG_KRETPROBES or CONFIG_DYNAMIC_FTRACE_WITH_REGS",
                "root (CAP_SYS_MODULE)",
            ],
            since: Since {
                release: "4.17 (handlers of this form on x86-64)",
                series: None,
            },
            loss_signals: &[RING_IS_FULL, "nmissed of the return probes"],
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
        let parameters = format!(
            "how={} maxactive={}",
            settings.word("how"),
            settings.number("maxactive")
        );
        let missed = Counter {
            parameter: "missed",
            source: "nmissed of the return probes",
        };
        let mut attached = monitor::attach(MODULE, settings, &parameters, Some(missed))?;
        let hooked = attached.parameter("wanted")?;
        attached.add_evidence(hooks(hooked));
        if hooked < HANDLERS {
            attached.add_note(NO_32_BIT.into());
        }
        Ok(Box::new(attached))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_without_calls_of_32_bit_programs_is_told() {
        assert!(!hooks(HANDLERS).contains(NO_32_BIT));
        assert!(hooks(2).contains(NO_32_BIT));
    }
}
