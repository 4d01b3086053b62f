//! `ebpf-proc`: an event of who executed, and `/proc` for what, as users of small eBPF tools do it.
//!
//! The program is the one of `ebpf` without paths, strings and arguments: pids, parent, user, time, cgroup,
//! namespaces and the file's inode come in the event, all that costs instructions in the kernel does not. The
//! reader looks the rest up in `/proc/PID` at once. An event knows its file's inode, so what belongs to another
//! image is put aside: the number of a process that ended can be another one's, and a process can have called
//! exec again.
//!
//! What is saved in the kernel is paid for many times over by the reader: a look into `/proc` is several system calls,
//! and leaves directory entries that the process has to drop when it ends. It is the cheapest row only where most
//! events are thrown away before they are looked up.
//!
//! # What it cannot see
//!
//! - Path and arguments of a process that has ended, or has another image, when the reader gets there: a race,
//!   which short-lived programs win. That there was an exec, by whom and where, is always told.
//! - Which of two execs of the same file by the same process the arguments are of.
//! - The string that was passed to the call.
//! - Otherwise as `ebpf`; it needs the same.
//!
//! Sources: `fs/proc/base.c` (`proc_exe_link`); iovisor/bcc issue 2544.

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE, load,
    lookup::Lookup,
    plan::{Global, Plan, RING_WITHOUT_ARGV},
    program::TECHNIQUE,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Proc;

impl Backend for Proc {
    fn name(&self) -> &'static str {
        "ebpf-proc"
    }

    fn about(&self) -> &'static str {
        "eBPF event without a path, which is looked up in /proc"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a small record from the raw tracepoint, the rest from /proc",
            needs: &[BTF, ROOT],
            since: Since {
                release: "5.8 (ring buffer)",
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
        WHOLE
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let plan = Plan::ring(TECHNIQUE, settings)?.with("bare", Global::U32(1));
        let lookup = Lookup::open()?;
        let mut attached = load::attach(&plan)?;
        attached.lookup = Some(lookup);
        Ok(Box::new(attached))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
