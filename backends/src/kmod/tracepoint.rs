//! `kmod-tracepoint`: a module with a probe on the tracepoint `sched_process_exec`.
//!
//! The kernel exports this tracepoint to nobody by name, but lets modules go through all of them
//! (`for_each_kernel_tracepoint`, 3.15, in this form since 4.16), and attach a function to any
//! (`tracepoint_probe_register`). It is passed once for each exec that succeeded, by whatever system call, of whatever
//! architecture, by threads and by the kernel itself, after the process got its final pid and before the new image
//! runs; the function is called there directly, and is given the `linux_binprm`.
//!
//! # What it cannot see
//!
//! - Calls that failed or only checked: no image, no event.
//! - The script behind a `#!` or `binfmt_misc`: the file is the interpreter's by then; `given` and the arguments still
//!   name the script.
//! - The path from outside a `chroot`, and the path by which the host reaches a file in a container (`d_path` starts at
//!   the root of the task). The mount namespace and cgroup that come with it tell containers apart.
//! - Execs while its ring is full. It counts them, exactly: each record carries the count, so a loss is known, and known
//!   to lie between two records, with the next record that arrives; what was lost last is read at the stop.
//!
//! # Cost
//!
//! The cheapest of the family: the function is called by the tracepoint, once for each exec that succeeded, and reads
//! by plain loads. It is paid with a module for each kernel, and with a machine that stops where the module is wrong.
//! Tuned costs less: with `linger-ms` the reader is woken once for many records, which come later. The larger ring
//! costs memory.
//!
//! Sources: `kernel/tracepoint.c`, `include/trace/events/sched.h`; what the family shares: [`super`].

use super::{
    CHANGES, OFFERS, PROGRAM, RING_IS_FULL,
    monitor::{self, ARGV_BYTES, BUFFER_PAGES, LINGER},
    remains::OfModules,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Remains, Setting, Settings,
    Since,
};

/// See the module.
#[derive(Debug)]
pub struct KmodTracepoint;

const MODULE: &str = "execlab_tracepoint";

const SETTINGS: &[Setting] = &[BUFFER_PAGES, LINGER, ARGV_BYTES];

impl Backend for KmodTracepoint {
    fn name(&self) -> &'static str {
        "kmod-tracepoint"
    }

    fn about(&self) -> &'static str {
        "kernel module on the tracepoint sched_process_exec, paths by d_path"
    }

    fn program(&self) -> &'static str {
        PROGRAM
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::KernelModule,
            mechanism: "a module's function at a tracepoint fills a ring that a device reads out",
            needs: &[
                "headers of this very kernel and a compiler",
                "a kernel that takes unsigned modules",
                "root (CAP_SYS_MODULE)",
            ],
            since: Since {
                release: "4.16 (for_each_kernel_tracepoint for modules)",
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
        Ok(Box::new(monitor::attach(MODULE, settings, "", None)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots)
    }
}
