//! A task as the probe of [`super::kprobe`] sees it: what is fetched of it, and what an event then says.

use execlab_model::sighting::{Argv, ContainerHint, Sighting};

use super::{
    chain::{Arguments, Chain, Offsets},
    walk::{self, Walk},
    watch::Row,
};
use crate::{
    MonitorError, Seam,
    tracing_fs::format::{Field, Format, event_id},
};

/// How many PID namespaces deep a process's own id is looked for.
const LEVELS: u32 = 4;

/// Structures, each with the member that leads on.
type Path<'a> = &'a [(&'a str, &'a str)];

/// What is to be fetched of the task; see [`walk::fetch`] for what is returned.
///
/// With `names` the kernel is to find the file itself.
pub fn fetch(arguments: &mut Arguments, offsets: &mut Offsets<'_>, argc: u64, names: bool) -> i64 {
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
    let file = if names {
        Chain::named("task->mm->exe_file")
    } else {
        follow(&memory, &[("mm_struct", "exe_file")])
    };
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
pub struct Task {
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
    /// In events of this format; `begin` is what [`fetch`] said.
    pub fn of(format: &Format, begin: i64) -> Option<Self> {
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
    /// How much of what it fetches, for people.
    pub fn reach(&self) -> String {
        let strings = self
            .arguments
            .as_ref()
            .map_or(0, |stack| stack.strings.len());
        let names = self.walk.reach();
        format!("fetches {names:?} names of each mount, and {strings} arguments")
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

    fn notes(&self) -> Vec<String> {
        vec![self.reach()]
    }
}
