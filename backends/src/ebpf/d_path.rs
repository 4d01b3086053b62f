//! `ebpf-d-path`: a program at the entry of `security_file_open` (fentry) that takes what is opened to be
//! executed, with the kernel's own path (`bpf_d_path`).
//!
//! `bpf_d_path` may be called in a handful of functions only, and of those this is the one that an exec passes,
//! on every kernel since 5.10. The kernel marks a file that it opens to execute (`f_flags` has `__FMODE_EXEC`);
//! all others are put aside at once, though the program is called for them. The path is the one that the kernel
//! writes in `/proc/PID/exe`.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS`, no lockdown, Linux 5.10.
//!
//! # What it cannot see
//!
//! - Whether anything is executed: it reports opened files. An exec that fails later (unknown format, too many
//!   arguments, a file that is written to) and one that only checks (`AT_EXECVE_CHECK`, 6.14) are reported.
//! - How many execs there were: the file, the interpreter of a script and the dynamic loader are opened in the
//!   same way.
//! - The arguments, and the string that was passed to the call: neither is in an argument of this function.
//! - The path outside of a `chroot`: `bpf_d_path` begins at the root of the process.
//! - A path of more than 8,192 bytes: it comes without one.
//!
//! # Cost
//!
//! On most kernels the cheapest of the family, where few files are opened beside those that are executed: it copies no
//! arguments and walks nothing itself. It is paid with opened files in the place of execs; and every file that anybody
//! opens pays for the call of the program. What is bought against `ebpf`: the kernel's own path, under its own locks
//! and with no walk of ours to keep in step, already on 5.10. Tuned costs less than default: records gather
//! (`linger-ms`), and one wake-up takes many; sightings come later for it.
//!
//! Sources: `kernel/trace/bpf_trace.c` (`btf_allowlist_d_path`), `fs/exec.c` (`do_open_execat`), `fs/binfmt_elf.c`.

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{Plan, RING_WITHOUT_ARGV, TRAMPOLINE, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct DPath;

const TECHNIQUE: Technique = Technique::one(
    TRAMPOLINE,
    &Hook {
        program: "opened",
        at: At::Fentry("security_file_open"),
        loses: Some(LossUnit::Event),
    },
);

impl Backend for DPath {
    fn name(&self) -> &'static str {
        "ebpf-d-path"
    }

    fn about(&self) -> &'static str {
        "eBPF program where files are opened to be executed (fentry security_file_open), paths by bpf_d_path"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a trampoline program at each opening of a file, bpf_d_path",
            needs: &[
                BTF,
                "CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS, no lockdown",
                ROOT,
            ],
            since: Since {
                release: "5.10 (bpf_d_path)",
                series: None,
            },
            loss_signals: &[LOST_COUNT, MISSES],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        RING_WITHOUT_ARGV
    }

    fn offers(&self) -> Offers {
        Offers {
            argv: false,
            ..WHOLE
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let plan = Plan::ring(TECHNIQUE, settings)?;
        Ok(Box::new(load::attach(&plan)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
