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
//!   last that fits, with fewer for each mount further up, and 7.3 takes no deep ones. What is deeper lacks its beginning,
//!   and says so.
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
//! # What it buys
//!
//! [`super::exec`] costs less, and knows a string and a pid.
//!
//! Sources: `Documentation/trace/kprobetrace.rst`, `kernel/trace/trace_probe.c`, `kernel/trace/trace_probe_tmpl.h`.

use execlab_model::sighting::{Argv, ContainerHint, LossUnit, Sighting};

use super::{
    BUFFERS,
    btf::Btf,
    chain::{Arguments, Chain, Offsets},
    dynamic::Probes,
    exec::event_id,
    format::{Field, Format},
    start,
    walk::{self, Walk},
    watch::{Row, Watch},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Remains,
    Seam, Setting, Settings, Since,
};

/// The function.
const FUNCTION: &str = "proc_exec_connector";
/// How many PID namespaces deep a process's own id is looked for.
const LEVELS: u32 = 4;

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
        default: "4",
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
        let (mut instance, rings) = start(settings, LossUnit::Exec)?;
        let mut probes = Probes::new(instance.tracefs());
        let (event, begin) = define(&mut probes, &btf, argc)?;
        let text = instance.event_file(&event, "format")?;
        let row = Format::parse(&text).and_then(|format| Task::of(&format, begin));
        let row = row
            .ok_or_else(|| AttachError::Unsupported(format!("the format of {event} is: {text}")))?;
        instance.enable(&event)?;
        let (names, strings) = (row.walk.reach(), row.arguments.as_ref());
        let strings = strings.map_or(0, |stack| stack.strings.len());
        instance.tell(format!(
            "fetches {names:?} names of each mount, and {strings} arguments"
        ));
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

/// Defines the probe, with chains as deep as this kernel lets them be (7.3 has a limit that no file tells).
fn define(probes: &mut Probes, btf: &Btf, argc: u64) -> Result<(String, i64), AttachError> {
    let mut deepest = DEEPEST;
    loop {
        let mut offsets = Offsets::of(btf);
        let mut arguments = Arguments::new(deepest);
        let begin = fetch(&mut arguments, &mut offsets, argc);
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

/// What rows with probes need.
pub const PROBE_NEEDS: &[&str] = &["CONFIG_KPROBE_EVENTS", "CONFIG_DEBUG_INFO_BTF", "root"];

/// By what they know of losses.
pub const PROBE_SIGNALS: &[&str] = &[
    "the missed-events flag of a page",
    "overrun, commit overrun and dropped events in per_cpu/cpuN/stats",
    "misses in kprobe_profile",
];

/// What they change.
pub const PROBE_CHANGES: &[&str] = &[
    "makes an instance of its own in tracefs, with a ring buffer for each CPU",
    "defines events on functions of the kernel (kprobes)",
];

/// The running kernel's types.
pub fn types() -> Result<Btf, AttachError> {
    const FILE: &str = "/sys/kernel/btf/vmlinux";
    let raw = std::fs::read(FILE).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => AttachError::Unsupported(format!("{FILE}: {error}")),
        _ => AttachError::call(format!("read of {FILE}"))(error),
    })?;
    Btf::parse(&raw).ok_or_else(|| AttachError::Unsupported(format!("{FILE} cannot be read")))
}

/// Structures, each with the member that leads on.
type Path<'a> = &'a [(&'a str, &'a str)];

/// What is to be fetched of the task; see [`walk::fetch`] for what is returned.
fn fetch(arguments: &mut Arguments, offsets: &mut Offsets<'_>, argc: u64) -> i64 {
    let mut follow = |from: &Chain, path: Path<'_>| {
        path.iter()
            .fold(from.clone(), |chain, (structure, member)| {
                chain.at(offsets.get(structure, member))
            })
    };
    let task = Chain::first_argument();
    let of_task: [(&str, Path<'_>, &str); 6] = [
        ("pid", &[("task_struct", "tgid")], "u32"),
        (
            "ppid",
            &[("task_struct", "real_parent"), ("task_struct", "tgid")],
            "u32",
        ),
        (
            "uid",
            &[("task_struct", "real_cred"), ("cred", "uid.val")],
            "u32",
        ),
        (
            "cg",
            &[
                ("task_struct", "cgroups"),
                ("css_set", "dfl_cgrp"),
                ("cgroup", "kn"),
                ("kernfs_node", "id"),
            ],
            "u64",
        ),
        (
            "mns",
            &[
                ("task_struct", "nsproxy"),
                ("nsproxy", "mnt_ns"),
                ("mnt_namespace", "ns.inum"),
            ],
            "u32",
        ),
        (
            "lv",
            &[("task_struct", "thread_pid"), ("pid", "level")],
            "u32",
        ),
    ];
    let children = [
        ("task_struct", "nsproxy"),
        ("nsproxy", "pid_ns_for_children"),
    ];
    let children = follow(&task, &children);
    arguments.add("pns", &children, "x64");
    arguments.add(
        "pin",
        &follow(&children, &[("pid_namespace", "ns.inum")]),
        "u32",
    );
    for (name, path, kind) in of_task {
        arguments.add(name, &follow(&task, path), kind);
    }
    let ids = follow(&task, &[("task_struct", "thread_pid")]);
    let memory = follow(&task, &[("task_struct", "mm")]);
    let file = follow(&memory, &[("mm_struct", "exe_file")]);
    let node = follow(&file, &[("file", "f_inode")]);
    arguments.add("ino", &follow(&node, &[("inode", "i_ino")]), "u64");
    let device = follow(&node, &[("inode", "i_sb"), ("super_block", "s_dev")]);
    arguments.add("dev", &device, "u32");

    if argc > 0 {
        // On the new stack: the number of arguments, and pointers to them.
        let stack = follow(&memory, &[("mm_struct", "start_stack")]);
        arguments.add("ac", &stack.in_user(0), "u64");
        arguments.add("a0", &stack.in_user(8), "x64");
        arguments.add("as", &follow(&memory, &[("mm_struct", "arg_start")]), "x64");
        for index in 0..argc {
            let pointer = u32::try_from(8 + 8 * index).expect("bounded by the setting");
            let string = stack.in_user(pointer).in_user(0);
            arguments.add(&format!("v{index}"), &string, "ustring");
        }
    }

    let one = offsets.size("upid");
    let first = offsets.get("pid", "numbers");
    let (number, namespace) = (offsets.get("upid", "nr"), offsets.get("upid", "ns"));
    for level in 0..LEVELS {
        // Beyond the process's own level is other memory, which is fetched and not looked at.
        let at = first + i64::from(level) * one;
        arguments.add(&format!("p{level}"), &ids.at(at + number), "u32");
        arguments.add(&format!("s{level}"), &ids.at(at + namespace), "x64");
    }
    walk::fetch(arguments, &file, offsets)
}

/// Where all that is in an event.
#[derive(Debug)]
struct Task {
    id: u16,
    pid: Field,
    ppid: Field,
    uid: Field,
    cgroup: Field,
    mounts: Field,
    level: Field,
    /// Own id and namespace at each level.
    ids: Vec<(Field, Field)>,
    /// The PID namespace of its children, and its inode.
    children: (Field, Field),
    inode: Field,
    device: Field,
    arguments: Option<Stack>,
    walk: Walk,
}

/// The arguments.
#[derive(Debug)]
struct Stack {
    count: Field,
    first: Field,
    begin: Field,
    strings: Vec<Field>,
}

impl Task {
    fn of(format: &Format, begin: i64) -> Option<Self> {
        let field = |name: &str| format.field(name);
        let level = |level| Some((field(&format!("p{level}"))?, field(&format!("s{level}"))?));
        Some(Self {
            id: format.id,
            pid: field("pid")?,
            ppid: field("ppid")?,
            uid: field("uid")?,
            cgroup: field("cg")?,
            mounts: field("mns")?,
            level: field("lv")?,
            ids: (0..LEVELS).map_while(level).collect(),
            children: (field("pns")?, field("pin")?),
            inode: field("ino")?,
            device: field("dev")?,
            arguments: field("ac").and_then(|count| {
                Some(Stack {
                    count,
                    first: field("a0")?,
                    begin: field("as")?,
                    strings: (0..)
                        .map_while(|index| field(&format!("v{index}")))
                        .collect(),
                })
            }),
            walk: Walk::of(format, begin)?,
        })
    }
}

impl Stack {
    /// The arguments, and whether there are more.
    fn read(&self, event: &[u8]) -> Option<(Argv, bool)> {
        // The first pointer leads to where the arguments begin, unless the program is a 32-bit one.
        if self.first.number(event)? != self.begin.number(event)? {
            return None;
        }
        let count = usize::try_from(self.count.number(event)?).ok()?;
        let known = self.strings.iter().take(count);
        let strings = known.map(|string| Some(string.string(event)?.into()));
        let cut = self.strings.len() < count;
        Some((Argv::List(strings.collect::<Option<_>>()?), cut))
    }
}

/// The kernel keeps twelve bits of major number above twenty of minor; everybody else has its own encoding.
fn device(kernel: u32) -> u64 {
    libc::makedev(kernel >> 20, kernel & 0xf_ffff)
}

impl Row for Task {
    type Event = Sighting;

    fn decode(&mut self, raw: &[u8]) -> Option<Sighting> {
        if event_id(raw) != Some(self.id) {
            return None;
        }
        let own = self
            .level
            .word(raw)
            .and_then(|level| self.ids.get(level as usize));
        // Its own namespace is its children's too, unless it asked for another one for them.
        let namespace = own.and_then(|(_, namespace)| {
            let (children, inode) = self.children;
            let same = namespace.number(raw)? == children.number(raw)?;
            inode.word(raw).filter(|_| same)
        });
        let (path, path_cut) = self.walk.path(raw).unzip();
        let arguments = self.arguments.as_ref().and_then(|stack| stack.read(raw));
        let (argv, argv_cut) = arguments.unzip();
        Some(Sighting {
            pid: self.pid.word(raw),
            ppid: self.ppid.word(raw),
            uid: self.uid.word(raw),
            ns_pid: own.and_then(|(id, _)| id.word(raw)),
            file: self
                .device
                .word(raw)
                .map(device)
                .zip(self.inode.number(raw)),
            container: ContainerHint {
                cgroup: None,
                cgroup_id: self.cgroup.number(raw),
                mnt_ns: self.mounts.word(raw),
                pid_ns: namespace,
            },
            path,
            argv,
            truncated: path_cut == Some(true) || argv_cut == Some(true),
            ..Sighting::default()
        })
    }

    fn take(
        &mut self,
        events: impl Iterator<Item = (u64, Sighting)>,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        for (time_ns, sighting) in events {
            seam.sighting(Sighting {
                time_ns: Some(time_ns),
                received_ns,
                ..sighting
            })?;
        }
        Ok(())
    }
}
