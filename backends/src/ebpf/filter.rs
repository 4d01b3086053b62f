//! `ebpf-filter`: as `ebpf`, with a filter in the kernel that leaves out what the user does not want to see.
//!
//! Before anything is read of an exec, the program asks two questions. Is it below a cgroup that is left out? By
//! default that is the monitor's own: an agent that runs commands does not report itself. The kernel answers from the
//! task alone, by comparing the ancestor at that depth (`bpf_current_task_under_cgroup`). And, if asked for: was it
//! executed by the kernel itself (modprobe, handlers of core dumps), as a child of one of its threads?
//!
//! # What it cannot see
//!
//! What it leaves out, which is its purpose: how much that was stands in its notes and is no loss. Where cgroup
//! v2 is not mounted, or the monitor runs in its root, there is no cgroup to leave out. Otherwise as `ebpf`; it
//! needs the same.
//!
//! # Cost
//!
//! As much as `ebpf`, and the questions, which are too cheap to show. What matches costs a few instructions and no room
//! in the buffer, and is counted; everything else pays for the questions. Where nothing matches, as in a storm of
//! others, nothing is bought. Tuned leaves out the same, and costs less: records gather (`linger-ms`), and one wake-up
//! takes many; sightings come later for it. The larger buffer costs memory.
//!
//! Sources: `kernel/trace/bpf_trace.c` (`bpf_current_task_under_cgroup`, 4.9), `kernel/umh.c`.

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    cgroup::Cgroup,
    counts::{Counts, Meaning},
    load,
    plan::{ARGV, BATCH, BATCH_MS, Global, LINGER, PAGES, Plan},
    program::TECHNIQUE,
};
use crate::{
    AttachError, Backend, BadSetting, Family, Kind, Monitor, Offers, Portrait, Reach, Setting,
    Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Filter;

const SETTINGS: &[Setting] = &[
    PAGES,
    LINGER,
    BATCH,
    BATCH_MS,
    ARGV,
    Setting {
        name: "cgroup",
        help: "id (inode) of the cgroup that is left out with all below it; 0: the monitor's own",
        kind: Kind::Number(0, u64::MAX),
        default: "0",
        tuned: "0",
    },
    Setting {
        name: "helpers",
        help: "whether what the kernel itself executes is reported",
        kind: Kind::Word(&["report", "leave-out"]),
        default: "report",
        tuned: "report",
    },
];

/// The cgroup of that number, and what is to be said of it.
fn left_out(id: u64) -> Result<(Option<Cgroup>, String), AttachError> {
    let found = match id {
        0 => Cgroup::own(),
        id => Cgroup::of(id),
    };
    match found {
        Ok(Some(cgroup)) => {
            let folder = cgroup.folder.display();
            let text = format!("leaves out cgroup {} ({folder})", cgroup.id);
            Ok((Some(cgroup), text))
        }
        // Everything is below the root.
        Ok(None) if id == 0 => Ok((None, "leaves out no cgroup: this one is the root".into())),
        Ok(None) => Err(AttachError::Setting(BadSetting::Value {
            name: "cgroup",
            value: id.to_string(),
            takes: "the id of a cgroup below the root".into(),
        })),
        Err(error) => Err(AttachError::call("read the cgroups")(error)),
    }
}

impl Backend for Filter {
    fn name(&self) -> &'static str {
        "ebpf-filter"
    }

    fn about(&self) -> &'static str {
        "as ebpf, with a filter in the kernel: the monitor's own cgroup and, if asked, helpers of the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a raw tracepoint program that first asks whether the exec is wanted",
            needs: &[BTF, "cgroup v2", ROOT],
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
        let mut plan = Plan::ring(TECHNIQUE, settings)?.with_argv(settings);
        let wanted = settings.number("cgroup");
        let (cgroup, evidence) = left_out(wanted)?;
        if cgroup.is_some() {
            plan = plan.with("leave_out_cgroup", Global::U32(1));
        }
        if settings.word("helpers") == "leave-out" {
            plan = plan.with("leave_out_helpers", Global::U32(1));
        }
        plan.cgroup = cgroup;
        let mut attached = load::attach(&plan)?;
        Counts::add(
            &mut attached,
            Meaning::Note("execs were left out by the filter"),
        )?;
        attached.evidence.push(evidence);
        Ok(Box::new(attached))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
