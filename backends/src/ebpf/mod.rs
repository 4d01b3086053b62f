//! Programs of our own in the kernel (eBPF): one row for each place where they can be attached, and for each
//! way to a path.
//!
//! All rows share the format of records (`record`), the loader and the reader; `bpf/` is their kernel side,
//! compiled into one object for each kind of attach point. Where a row's docstring says nothing else, it needs,
//! sees and loses what `ebpf` ([`program`]) does.
//!
//! | row | place | path |
//! |---|---|---|
//! | `ebpf` | typed raw tracepoint | walk |
//! | `ebpf-perf-buffer`, `ebpf-filter` | the same | walk |
//! | `ebpf-proc` | the same | `/proc/PID/exe`, later |
//! | `ebpf-raw-tracepoint` | raw tracepoint | walk |
//! | `ebpf-tracepoint` | tracepoint | as given |
//! | `ebpf-kprobe`, `ebpf-fentry` | a function that each exec passes once | walk |
//! | `ebpf-kretprobe`, `ebpf-fexit` | return of the function that does it | walk |
//! | `ebpf-lsm-check` | security hook, each stage of each attempt | walk |
//! | `ebpf-lsm` | security hook, past the point of no return | walk |
//! | `ebpf-lsm-sleepable` | the same, sleepable | `bpf_d_path` |
//! | `ebpf-path-kfunc` | the same | `bpf_path_d_path` |
//! | `ebpf-d-path` | opening of files to be executed | `bpf_d_path` |
//! | `ebpf-execsnoop` | entry and exit of the system call | as given, from the caller's memory |

mod attached;
mod cgroup;
mod counts;
pub mod d_path;
pub mod execsnoop;
pub mod fentry;
pub mod fexit;
pub mod filter;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod hook;
mod kfunc;
pub mod kprobe;
pub mod kretprobe;
mod load;
#[cfg(feature = "look")]
mod look;
mod lookup;
mod losses;
pub mod lsm;
pub mod lsm_check;
pub mod lsm_sleepable;
pub mod path_kfunc;
pub mod perf_buffer;
mod plan;
pub mod proc;
pub mod program;
pub mod raw_tracepoint;
mod record;
mod refusal;
mod statistics;
pub mod tracepoint;

pub use self::{
    d_path::DPath, execsnoop::Execsnoop, fentry::Fentry, fexit::Fexit, filter::Filter,
    kprobe::Kprobe, kretprobe::Kretprobe, lsm::Lsm, lsm_check::LsmCheck,
    lsm_sleepable::LsmSleepable, path_kfunc::PathKfunc, perf_buffer::PerfBuffer, proc::Proc,
    program::EbpfProgram, raw_tracepoint::RawTracepoint, tracepoint::Tracepoint,
};
use crate::Offers;

// What rows have in common in their portraits.
const BTF: &str = "CONFIG_DEBUG_INFO_BTF";
const ROOT: &str = "root (CAP_BPF and CAP_PERFMON)";
const LSM_BPF: &str = "CONFIG_BPF_LSM, bpf among the active security modules, no lockdown";
const LOST_COUNT: &str = "the program's own counter of records that did not fit";
const MISSES: &str = "recursion_misses (5.12)";
const PROBE_MISSES: &str = "missed of the probe's link (6.7)";

/// All that a sighting can carry.
const WHOLE: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: true,
    container: true,
    time: true,
    loss: true,
};
