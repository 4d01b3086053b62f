//! `ebpf-raw-tracepoint`: as `ebpf`, on the same tracepoint in its older, untyped form (`raw_tp`, 4.17).
//!
//! The program is handed the tracepoint's arguments as plain numbers. What is a pointer to the verifier of `tp_btf` is
//! a number here, so every member is read through a helper call (`bpf_probe_read_kernel`, by CO-RE), one for each step
//! of a chain. It sees, and cannot see, exactly what `ebpf` does.
//!
//! # Cost
//!
//! A little more than `ebpf`, by the helper calls. What is bought for it: kernels from 4.17 on whose type information
//! cannot be had (5.8 here, for the ring), where offsets would have to come from elsewhere. Tuned costs less: records
//! gather (`linger-ms`), and one wake-up takes many; sightings come later for it. With either, single execs of a burst
//! may be missed where a tracepoint can be preempted (seen on 7.3): the kernel starts no program on a CPU on which it
//! already runs, and counts that (`recursion_misses`). It has nothing to do with the settings.
//!
//! Sources: `kernel/trace/bpf_trace.c` (`raw_tp_prog_func_proto`, `bpf_raw_tracepoint_open`); Tracee and
//! Tetragon attach so.

use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    hook::{At, Hook},
    load,
    plan::{PROBES, Plan, RING, Technique},
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct RawTracepoint;

const TECHNIQUE: Technique = Technique::one(
    PROBES,
    &Hook {
        program: "raw",
        at: At::RawTracepoint("sched_process_exec"),
        loses: Some(LossUnit::Exec),
    },
);

impl Backend for RawTracepoint {
    fn name(&self) -> &'static str {
        "ebpf-raw-tracepoint"
    }

    fn about(&self) -> &'static str {
        "eBPF program on the untyped raw tracepoint sched_process_exec, paths walked in the kernel"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a raw tracepoint program reads every member through a helper and walks the path",
            needs: &[BTF, ROOT],
            since: Since {
                release: "5.8 (ring buffer; raw tracepoints: 4.17)",
                series: None,
            },
            loss_signals: &[LOST_COUNT, MISSES],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        RING
    }

    fn offers(&self) -> Offers {
        WHOLE
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let plan = Plan::ring(TECHNIQUE, settings)?.with_argv(settings);
        Ok(Box::new(load::attach(&plan)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
