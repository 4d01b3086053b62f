//! `ebpf-perf-buffer`: as `ebpf`, with a perf buffer for each CPU in the place of the ring.
//!
//! Before 5.8 there was nothing else, and many tools still do so. Each CPU has pages of its own, and what fits
//! into one cannot be used by another. A record is copied with perf's header, and the reader is woken for each
//! one that arrives in an empty buffer; records of several CPUs come in no common order. It is `ebpf` with
//! `buffer=perf`, as a row of its own.
//!
//! What is lost is counted by the program itself, as with the ring, and by the kernel in the buffer
//! (`PERF_RECORD_LOST`), which tells only when there is room again; a note says what it counted.
//!
//! Needs, sees and cannot see what `ebpf` does.
//!
//! # Cost
//!
//! A little more than `ebpf`: a record is copied with perf's header, and by default the reader is woken for each. What
//! is bought for the difference: kernels before 5.8 (this program wants 5.8 all the same, for the ring that it does not
//! use), and readers on each CPU. Tuned costs less: records gather (`linger-ms`), and the reader takes many at once;
//! sightings come later for it. The larger buffers cost memory, for each CPU.
//!
//! Sources: `kernel/trace/bpf_trace.c` (`bpf_perf_event_output`), `kernel/events/ring_buffer.c`.

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE, load,
    plan::{ARGV, LINGER, PAGES, Plan},
    program::TECHNIQUE,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct PerfBuffer;

const SETTINGS: &[Setting] = &[PAGES, LINGER, ARGV];

impl Backend for PerfBuffer {
    fn name(&self) -> &'static str {
        "ebpf-perf-buffer"
    }

    fn about(&self) -> &'static str {
        "as ebpf, with a perf buffer for each CPU instead of the ring"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "a raw tracepoint program walks the path and fills a perf buffer of its CPU",
            needs: &[BTF, ROOT],
            since: Since {
                release: "5.8 (typed raw tracepoints: 5.5; perf buffer: 4.4)",
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
        let plan = Plan::buffered(TECHNIQUE, settings, true)?.with_argv(settings);
        Ok(Box::new(load::attach(&plan)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}
