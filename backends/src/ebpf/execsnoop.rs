//! `ebpf-execsnoop`: programs on the tracepoints `sys_enter_execve` and `sys_exit_execve`, as execsnoop of
//! libbpf-tools.
//!
//! At the entry of the system call the path and the arguments are read from the caller's memory and kept by the
//! number of the thread; at its exit, if the result is 0, what was kept is told. The bounds are execsnoop's:
//! 128 bytes of each string, 20 arguments (no more: the verifier of 7.3 does not come to an end with 32 within half a minute of guest
//!   time, where that of 5.10 takes 40), of which the path takes the place of the first. What it
//! prints is what is reported: pid, parent, user, path and arguments.
//!
//! # Needs
//!
//! Besides what `ebpf` needs: `CONFIG_FTRACE_SYSCALLS` and a mounted tracefs, where the tracepoints have their
//! numbers.
//!
//! # What it cannot see
//!
//! - `execveat` (and with it `fexecve`), calls of 32-bit programs, and what the kernel executes itself: those
//!   are other tracepoints, or none.
//! - Execs of threads: at the exit the thread has the leader's number, and nothing is kept under that.
//! - A change from 32 to 64 bits: the exit is another architecture's.
//! - Where a path leads: it is the string as given, cut at 127 bytes.
//! - Strings that are not in memory at the entry: a program that may not sleep cannot fetch them (up to 6.18
//!   the kernel allows no other).
//! - What the kernel executed, where another thread rewrites the strings between the entry and the kernel's own copy.
//! - Calls beyond those that it can keep at once (`in-flight`; execsnoop: 10,240). Calls that never leave stay in the map
//!   (of threads, of processes that die of their exec, of those whose new image is of 32 bits), and fill that of
//!   execsnoop for good. Here the map forgets the oldest instead (`BPF_MAP_TYPE_LRU_HASH`, 4.10): some of the oldest, up to 128 at
//!   once. As the kernel sets aside 128 free places for each CPU, there are 256 for each possible CPU at least; the evidence says how
//!   many there are.
//!
//! An exec that leaves and was not kept is counted, whatever the reason; so it knows how many it missed of those
//! that it cannot see but for images of 32 bits, and of the kernel's own. Not each: a call that was left behind is taken for that of an exec
//! which leaves under the same number and never entered under it, as that of a thread in the process that has the number by then. Such an
//! exec is told with strings of another call, and not counted.
//!
//! # Cost
//!
//! More than `ebpf`. It is here because many tools are built so: strings and arguments are read while the caller waits,
//! whether the call will succeed or not, and two programs run instead of one; no more is seen for it. Tuned reads as
//! much and costs less: its records gather (`linger-ms`), so that one wake-up takes many, and sightings come later;
//! room for more calls that are under way costs memory.
//!
//! Sources: iovisor/bcc `libbpf-tools/execsnoop.bpf.c`; `kernel/trace/trace_syscalls.c`.

use aya::util::nr_cpus;
use execlab_model::sighting::LossUnit;

use super::{
    BTF, LOST_COUNT, MISSES, ROOT, WHOLE,
    counts::{Counts, Meaning},
    hook::{At, Hook},
    load,
    plan::{BATCH, BATCH_MS, EXECSNOOP, Global, LINGER, PAGES, Plan, Technique},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
};

/// See the module.
#[derive(Debug)]
pub struct Execsnoop;

const TECHNIQUE: Technique = Technique {
    object: EXECSNOOP,
    hooks: &[
        Hook {
            program: "leave",
            at: At::Tracepoint("syscalls", "sys_exit_execve"),
            loses: Some(LossUnit::Event),
        },
        Hook {
            program: "enter",
            at: At::Tracepoint("syscalls", "sys_enter_execve"),
            loses: Some(LossUnit::Event),
        },
    ],
    function: None,
};

const SETTINGS: &[Setting] = &[
    PAGES,
    LINGER,
    BATCH,
    BATCH_MS,
    Setting {
        name: "max-args",
        help: "how many arguments are read at most, the path among them",
        kind: Kind::Number(1, 20),
        default: "20",
        tuned: "20",
    },
    Setting {
        name: "in-flight",
        help: "how many calls are kept at once, of 8 KiB each; 256 for each possible CPU at least",
        kind: Kind::Number(1, 10_240),
        default: "1024",
        tuned: "4096",
    },
];

/// How many calls the map holds: as many as are wanted, and so many that free places of one CPU are not taken from
/// what another one keeps (`LOCAL_FREE_TARGET`, `kernel/bpf/bpf_lru_list.c`).
fn places(wanted: u32, cpus: usize) -> u32 {
    const OF_EACH_CPU: u32 = 256;
    let cpus = u32::try_from(cpus).unwrap_or(u32::MAX);
    wanted.max(cpus.saturating_mul(OF_EACH_CPU))
}

impl Backend for Execsnoop {
    fn name(&self) -> &'static str {
        "ebpf-execsnoop"
    }

    fn about(&self) -> &'static str {
        "eBPF programs at entry and exit of the system call execve, as execsnoop: the string at entry"
    }

    fn program(&self) -> &'static str {
        "ebpf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Ebpf,
            mechanism: "tracepoint programs keep the strings of the call by thread and tell them if it succeeded",
            needs: &[BTF, "CONFIG_FTRACE_SYSCALLS, tracefs", ROOT],
            since: Since {
                release: "5.8 (ring buffer; programs on tracepoints: 4.7)",
                series: None,
            },
            loss_signals: &[
                LOST_COUNT,
                "its own counter of execs whose call was not kept",
                MISSES,
            ],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn offers(&self) -> Offers {
        Offers {
            container: false,
            ..WHOLE
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let number = |name| u32::try_from(settings.number(name)).unwrap_or(u32::MAX);
        let mut plan =
            Plan::ring(TECHNIQUE, settings)?.with("max_args", Global::U32(number("max-args")));
        let cpus = nr_cpus().map_err(|(path, error)| AttachError::call(path)(error))?;
        let places = places(number("in-flight"), cpus);
        plan.sizes.push(("calls", places));
        let mut attached = load::attach(&plan)?;
        attached.evidence.push(format!(
            "room for {places} calls at once ({cpus} possible CPUs)"
        ));
        Counts::add(
            &mut attached,
            Meaning::Execs("execs whose call was not kept"),
        )?;
        Ok(Box::new(attached))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, TECHNIQUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cpu_has_to_forget_what_another_one_keeps() {
        assert_eq!(places(1024, 2), 1024);
        assert_eq!(places(1024, 64), 64 * 256);
        assert_eq!(places(1, usize::MAX), u32::MAX);
    }
}
