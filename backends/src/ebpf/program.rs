//! `ebpf`: a program of our own in the kernel, on the raw tracepoint `sched_process_exec`.
//!
//! The raw tracepoint in its typed form (`tp_btf`, 5.5): the verifier knows the types of the arguments, so
//! members are read by plain loads and not through a helper call each, which halves the program's cost
//! (`ebpf-raw-tracepoint` is the other form).
//!
//! # How it works
//!
//! The kernel passes this tracepoint once for each exec that succeeded, by whatever system call, of
//! whatever architecture, by threads and by the kernel itself, after the process got its final pid
//! and before the new image runs. The program (`bpf/exec.bpf.c`) collects everything there and then:
//! pids in both namespaces, parent, user, time, cgroup id, namespaces, device and inode, the string
//! passed to the call (the kernel's own copy), the arguments (from the new stack) and the path. It
//! copies just the bytes that it used into a ring buffer or a perf buffer, which this side reads.
//!
//! The path comes from walking the file's directory entries up through the mounts, as no helper
//! gives a path at this place: `bpf_d_path` is refused in raw tracepoints, and gives no more than
//! 4,096 bytes. The walk goes up to the root of the mount namespace (past a `chroot`), through at
//! most 2,048 names and mounts and 8,192 bytes; what is longer loses its beginning, and says so.
//!
//! # Needs
//!
//! Linux 5.8 (ring buffer; CO-RE needs `/sys/kernel/btf/vmlinux`, `CONFIG_DEBUG_INFO_BTF`, 5.2), and
//! `CAP_BPF` and `CAP_PERFMON` or root. `lockdown=integrity` lets it be, `lockdown=confidentiality`
//! does not (it takes `bpf_probe_read_kernel` away). Neither kprobes nor tracefs are used.
//!
//! # What it cannot see
//!
//! - Calls that failed or only checked: no image, no event.
//! - The script behind a `#!` or `binfmt_misc`: the file is the interpreter's by then; `given` and the
//!   arguments still name the script.
//! - The path by which the host reaches a file in a container: a mount namespace has its own root,
//!   and every walk ends there. The mount namespace and cgroup that come with it tell containers apart.
//! - A rename during the walk: no lock may be taken, so a path can mix old and new names.
//! - Devices where `stat` and the file system itself disagree (btrfs subvolumes, overlayfs over
//!   several file systems): it reports the file system's own.
//! - Execs while its buffer is full. It counts them, exactly: each record carries its CPU's count,
//!   so a loss is known, and known to lie between two records, with the next record that arrives,
//!   and what was lost last is read at the stop. Where a tracepoint can be preempted the kernel starts
//!   no program on a CPU on which it already runs; that too is counted (`recursion_misses`).
//!
//! # When the reader is woken
//!
//! By default by the first record after it has taken all. `linger-ms` lets it wait once it is woken, so that
//! one wake-up serves many records. `batch-bytes` goes further: the kernel's half wakes nobody until so much
//! waits (`BPF_RB_NO_WAKEUP`), and the reader looks every `batch-ms` by itself, even if nothing happens. It
//! buys nothing over lingering while execs are rare and costs a timer then, so it is off in both variants.
//!
//! # Cost
//!
//! A fraction of what a lookup in `/proc` costs, as all is collected in the kernel. Against the cheapest of the family
//! (`ebpf-d-path` and `ebpf-lsm-check`, which read no arguments and report attempts) it buys the arguments, and that
//! what is told was executed. Tuned costs less: records gather (`linger-ms`), and one wake-up takes many; sightings
//! come later for it. The larger buffer costs memory. With either, single execs of a burst may be missed where a
//! tracepoint can be preempted (seen on 7.3), and are counted.
//!
//! Sources: `kernel/bpf/ringbuf.c`, `fs/exec.c` (`exec_binprm`), `fs/d_path.c`, `kernel/trace/bpf_trace.c`
//! of Linux; the same tracepoint and walk stand in Tetragon and Falco's modern probe.

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{ARGV, BATCH, BATCH_MS, EXEC, LINGER, PAGES, Plan, Technique},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// On the typed raw tracepoint, with all that there is to tell.
pub(super) const TECHNIQUE: Technique = Technique::one(
    EXEC,
    &Hook {
        program: "exec",
        at: At::TypedTracepoint("sched_process_exec"),
        loses: Some(LossUnit::Exec),
    },
);

/// See the module.
#[derive(Debug)]
pub struct EbpfProgram;

const SETTINGS: &[Setting] = &[
    Setting {
        name: "buffer",
        help: "through which buffer records come: one ring for all CPUs, or a perf buffer for each",
        kind: Kind::Word(&["ring", "perf"]),
        default: "ring",
        tuned: "ring",
    },
    PAGES,
    LINGER,
    BATCH,
    BATCH_MS,
    ARGV,
];

impl Backend for EbpfProgram {
    fn name(&self) -> &'static str {
        "ebpf"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the raw tracepoint sched_process_exec, paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a raw tracepoint program walks the path and fills a ring buffer",
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
        let perf = settings.word("buffer") == "perf";
        let plan = if perf {
            Plan::buffered(TECHNIQUE, settings, true)?
        } else {
            Plan::ring(TECHNIQUE, settings)?
        };
        Ok(Box::new(load::attach(&plan.with_argv(settings))?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
