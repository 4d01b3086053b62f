//! `ebpf-proc`: an event of who executed, and `/proc` for what, as users of small eBPF tools do it.
//!
//! The program is the one of `ebpf` without paths, strings and arguments: pids, parent, user, time, cgroup,
//! namespaces and the file's inode come in the event, all that costs instructions in the kernel does not. The
//! reader looks the rest up in `/proc/PID` at once. An event knows its file's inode, so what belongs to another
//! image is put aside: the number of a process that ended can be another one's, and a process can have called
//! exec again.
//!
//! # What it cannot see
//!
//! - Path and arguments of a process that has ended, or has another image, when the reader gets there: a race,
//!   which short-lived programs win. That there was an exec, by whom and where, is always told.
//! - Which of two execs of the same file by the same process the arguments are of.
//! - The string that was passed to the call.
//! - Otherwise as `ebpf`; it needs the same.
//!
//! # Cost
//!
//! What is saved in the kernel is paid for many times over by the reader: a look into `/proc` is several system calls,
//! and leaves directory entries that the process has to drop when it ends. It is the dearest of the family, and pays
//! only where most events are thrown away before they are looked up. From 6.6 on (EEVDF scheduler; measured from 6.12
//! on) it is cheaper because it comes late: many lookups find nobody. Tuned has the larger buffer alone, which costs
//! memory: whoever lingers comes too late. Real-time priority (`scheduling=fifo`) makes each lookup in time on one CPU,
//! and is in neither variant. Where a tracepoint can be preempted (seen on 7.3), the reader then runs in the middle of
//! the program that has just woken it, and until that one is done the kernel starts no other on this CPU: of a burst
//! half of the execs were missed, and counted (`recursion_misses`). Without it single execs may be.
//!
//! Sources: `fs/proc/base.c` (`proc_exe_link`); iovisor/bcc issue 2544.

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE, load,
    lookup::Lookup,
    plan::{BATCH, BATCH_MS, Global, LINGER, PAGES, Plan},
    program::TECHNIQUE,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    priority::{Priority, SCHEDULING},
};

/// Whoever lingers looks when the process has gone; whoever has real-time priority takes the CPU from the program that woke
/// it (see the module).
const SETTINGS: &[Setting] = &[
    PAGES,
    Setting {
        tuned: LINGER.default,
        ..LINGER
    },
    BATCH,
    BATCH_MS,
    Setting {
        tuned: SCHEDULING.default,
        ..SCHEDULING
    },
];

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
        SETTINGS
    }

    fn offers(&self) -> Offers {
        WHOLE
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let plan = Plan::ring(TECHNIQUE, settings)?.with("bare", Global::U32(1));
        let lookup = Lookup::open()?;
        let mut attached = load::attach(&plan)?;
        attached.lookup = Some(lookup);
        if settings.word("scheduling") == "fifo" {
            attached.priority = Some(Priority::raise(1)?);
            let scheduled = "scheduled SCHED_FIFO, priority 1";
            attached.evidence.push(scheduled.into());
        }
        Ok(Box::new(attached))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
