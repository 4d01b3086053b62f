//! `tracefs-kprobe`: a probe on `proc_exec_connector` that fetches everything by following pointers.
//!
//! # How it works
//!
//! `proc_exec_connector(task)` is called exactly once for each exec that succeeded, by whatever call, of whatever
//! architecture, and by the kernel itself, after the process got its final pid (`exec_binprm`, `fs/exec.c`); whether
//! anybody listens to the connector does not matter. A kprobe event (`CONFIG_KPROBE_EVENTS`, 4.x; `dynamic_events` 5.0) on it is given
//! chains of offsets that lead from the task to what is wanted: `task->cgroups->dfl_cgrp->kn->id`, `task->mm->exe_file`, the
//! names of the directory entries above that, and of those on which its file system is mounted. The offsets come from the
//! running kernel's own type information. So the event has, without BPF and without a module: pid in both namespaces,
//! parent, user, cgroup id, both namespaces, device and inode, the path, and the first arguments from the new
//! stack (`ustring`; those pages were just written, so they are there).
//!
//! # Needs
//!
//! root; `CONFIG_KPROBE_EVENTS`, `CONFIG_DEBUG_INFO_BTF`, `CONFIG_PROC_EVENTS` (Debian has all three).
//! x86-64, for the register of the argument.
//!
//! # What it cannot see
//!
//! - Long paths: an argument of a probe has 63 characters at most, so the chain to the sixth name or so is the
//!   last that fits, with fewer for each mount further up; 7.3 nests no more than eight deep, which makes it five names of
//!   the first mount, five of the next and three of the third. What is deeper lacks its beginning, and says so.
//!   Rows with a loop in the kernel (eBPF) have no such end.
//! - A rename while the names are fetched: nothing is locked.
//! - The string that was passed to the call, and the script behind a `#!`: the task knows the file alone.
//! - Arguments beyond the first `arguments`; it then says that it cut them. Where there are fewer, the kernel copies strings
//!   of the environment in their stead, which are put aside here. Before 5.14 no more than the first: a pointer that leads
//!   nowhere counted as a missed probe there. Arguments of 32-bit programs, whose stack is laid out otherwise.
//! - Events that are longer than a sub-buffer, as [`super::exec`] says.
//! - Execs while its buffer is full, which are counted, and such at which the probe itself was missed, because it hit
//!   within another probe: `kprobe_profile` counts those.
//!
//! # Cost
//!
//! By default the dearest of the family: at each exec the kernel follows dozens of chains of pointers, one after the
//! other. That buys path, parent, user, container and arguments without BPF, without a module and without a lookup;
//! [`super::exec`] costs less, and knows a string and a pid. Tuned fetches twice as many arguments, at each exec, also
//! where there are fewer. From 5.14 on that costs more than it saves by waking the reader once for many events, and
//! buys longer lists of arguments. Before, one is fetched in any case, and tuned costs less.
//!
//! Sources: `Documentation/trace/kprobetrace.rst`, `kernel/trace/trace_probe.c`, `kernel/trace/trace_probe_tmpl.h`.

use std::rc::Rc;

use execlab_model::sighting::LossUnit;

use super::{
    BUFFERS,
    btf::Btf,
    chain::{Arguments, Offsets},
    dynamic::{PROBE_CHANGES, PROBE_NEEDS, PROBE_SIGNALS, Probes, types},
    start,
    task::{Task, fetch},
    watch::Watch,
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, Offers, Portrait, Reach, Remains, Setting,
    Settings, Since,
    tracing_fs::{Tracefs, format::Format},
};

/// The function.
const FUNCTION: &str = "proc_exec_connector";

/// See the module.
#[derive(Debug)]
pub struct TracefsKprobe;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    BUFFERS[0],
    BUFFERS[1],
    BUFFERS[2],
    BUFFERS[3],
    super::linger("10"),
    Setting {
        name: "arguments",
        help: "how many arguments are fetched; 0 fetches none",
        kind: Kind::Number(0, 64),
        default: "8",
        tuned: "16",
    },
];

impl Backend for TracefsKprobe {
    fn name(&self) -> &'static str {
        "tracefs-kprobe"
    }

    fn about(&self) -> &'static str {
        "kprobe event on proc_exec_connector that follows the kernel's structures"
    }

    fn program(&self) -> &'static str {
        "tracefs"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Tracefs,
            mechanism: "a kprobe event whose arguments follow pointers from the task to path, cgroup and arguments",
            needs: PROBE_NEEDS,
            since: Since {
                release: "5.4 (type information; +u: 5.3; dynamic_events: 5.0)",
                series: None,
            },
            loss_signals: PROBE_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        PROBE_CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&super::remains::OfTracefs)
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            parent: true,
            uid: true,
            path: true,
            argv: true,
            container: true,
            time: true,
            loss: true,
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let btf = types()?;
        let argc = match settings.number("arguments") {
            several if several > 1 && faults_are_misses()? => 1,
            number => number,
        };
        let tracefs = Rc::new(Tracefs::open()?);
        // Before the instance, so that they go after it, where attaching fails too.
        let mut probes = Probes::new(&tracefs);
        let (mut instance, rings) = start(&tracefs, settings, LossUnit::Exec)?;
        let (event, begin) = define(&mut probes, &btf, argc)?;
        let text = instance.event_file(&event, "format")?;
        let row = Format::parse(&text).and_then(|format| Task::of(&format, begin));
        let row = row
            .ok_or_else(|| AttachError::Unsupported(format!("the format of {event} is: {text}")))?;
        instance.enable(&event)?;
        instance.tell(row.reach());
        let linger_ms = settings.number("linger-ms");
        Ok(Box::new(Watch::new(
            row,
            rings,
            instance,
            Some(probes),
            linger_ms,
        )))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look_for_probes(roots)
    }
}

/// Defines the probe, with chains as deep as this kernel lets them be. 7.3 has a limit that no file tells; it
/// can find the file by names instead, which are longer and not nested.
fn define(probes: &mut Probes, btf: &Btf, argc: u64) -> Result<(String, i64), AttachError> {
    let mut deepest = DEEPEST;
    loop {
        let mut offsets = Offsets::of(btf);
        let mut arguments = Arguments::new(deepest);
        let begin = fetch(&mut arguments, &mut offsets, argc, deepest < DEEPEST);
        let missing = offsets.missing();
        if !missing.is_empty() {
            return Err(AttachError::Unsupported(format!(
                "/sys/kernel/btf/vmlinux does not have {}",
                missing.join(", ")
            )));
        }
        match probes.add("p", "exec", &format!("{FUNCTION} {}", arguments.text())) {
            Ok(event) => return Ok((event, begin)),
            Err(refused) if refused.too_big && deepest > SHALLOWEST => deepest -= 1,
            Err(refused) => return Err(refused.into()),
        }
    }
}

/// Deeper chains are too long in any case, and without those of this depth there is no path.
const DEEPEST: usize = 15;
const SHALLOWEST: usize = 5;

/// Before 5.14 a pointer that leads nowhere counted as a miss of the probe that followed it (`kprobe_fault_handler`,
/// `arch/x86/kernel/kprobes/core.c`), so that an argument that there is not would be told as a loss.
fn faults_are_misses() -> Result<bool, AttachError> {
    const FILE: &str = "/proc/sys/kernel/osrelease";
    let release =
        std::fs::read_to_string(FILE).map_err(AttachError::call(format!("read of {FILE}")))?;
    let mut numbers = release
        .split(['.', '-'])
        .map_while(|n| n.parse::<u32>().ok());
    Ok((numbers.next(), numbers.next()) < (Some(5), Some(14)))
}
