//! How the machine is: everything that a backend or the lab could have changed, topic by topic.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use execlab_trial::host::runner::cgroup2_mount;

/// Topics with the lines that stand for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine(BTreeMap<String, Vec<String>>);

impl Machine {
    /// Looks at all of it.
    pub fn look() -> Self {
        let mut topics = BTreeMap::new();
        for backend in execlab_backends::BACKENDS {
            if let Some(remains) = backend.remains() {
                let text = remains.note().expect("it can be told").unwrap_or_default();
                topics.insert(backend.name().to_owned(), lines(&text));
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("every Linux has it");
        topics.insert("mounts".into(), mounts.lines().map(mount).collect());
        let cgroups = cgroup2_mount().expect("the host lab needs it too");
        topics.insert("cgroups".into(), folders(&cgroups));
        topics.insert(
            "tracefs instances".into(),
            names(Path::new("/sys/kernel/tracing/instances")),
        );
        topics.insert("bpf objects".into(), bpf_objects());
        topics.insert("pinned bpf objects".into(), names(Path::new("/sys/fs/bpf")));
        topics.insert("sysctls".into(), sysctls());
        topics.insert("processes".into(), processes());
        topics.insert("sessions".into(), names(Path::new("/run/execlab")));
        for folder in ["/tmp", "/dev/shm", "/run"] {
            let mut ours = names(Path::new(folder));
            // Guests of other runs are none of this lab's.
            ours.retain(|name| name.starts_with("execlab") && !name.starts_with("execlab-guest"));
            topics.insert(format!("files in {folder}"), ours);
        }
        topics.insert("netlink sockets".into(), netlink_sockets());
        Self(topics)
    }

    /// Fails unless the machine is as it was. What others do comes and goes: only what stays counts.
    pub fn assert_unchanged(&self, what: &str) {
        let mut told = Vec::new();
        for _ in 0..40 {
            told = self.differences(&Self::look());
            if told.is_empty() {
                return;
            }
            sleep(Duration::from_millis(250));
        }
        panic!("{what}: the machine is not as it was:\n{}", told.join("\n"));
    }

    /// Lines that stand in one of the two only.
    pub fn differences(&self, now: &Self) -> Vec<String> {
        let mut told = Vec::new();
        for (topic, before) in &self.0 {
            let now = &now.0[topic];
            let only = |one: &[String], other: &[String], sign: &str| {
                // Two mounts, or rules, may have the same line.
                let count =
                    |lines: &[String], line: &String| lines.iter().filter(|l| *l == line).count();
                let missing = one
                    .iter()
                    .filter(|line| count(one, line) > count(other, line));
                let lines: Vec<_> = missing
                    .map(|line| format!("{topic}: {sign}{line}"))
                    .collect();
                lines
            };
            // A process or a socket that is gone was somebody else's.
            if !["processes", "netlink sockets"].contains(&topic.as_str()) {
                told.extend(only(before, now, "-"));
            }
            told.extend(only(now, before, "+"));
        }
        told
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// Target, type and source, without the ids that every mount has anew.
fn mount(line: &str) -> String {
    let (before, after) = line.split_once(" - ").expect("mountinfo has a separator");
    let target = before.split(' ').nth(4).expect("and a target");
    format!("{target} {after}")
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn folders(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        all.push(entry.path().display().to_string());
        all.extend(folders(&entry.path()));
    }
    all.sort();
    all
}

/// Programs, maps and links by their ids: whatever is loaded and stays.
fn bpf_objects() -> Vec<String> {
    let programs = aya::programs::loaded_programs().flatten().map(|program| {
        format!(
            "program {} {}",
            program.id(),
            program.name_as_str().unwrap_or("?")
        )
    });
    let links = aya::programs::loaded_links()
        .flatten()
        .map(|link| format!("link {}", link.id()));
    let maps = aya::maps::loaded_maps()
        .flatten()
        .map(|map| format!("map {} {}", map.id(), map.name_as_str().unwrap_or("?")));
    programs.chain(maps).chain(links).collect()
}

/// What can be set below `/proc/sys`. What the kernel itself changes there all the time is no setting.
fn sysctls() -> Vec<String> {
    const VOLATILE: [&str; 12] = [
        "fs/dentry-state",
        "fs/inode-nr",
        "fs/inode-state",
        "fs/file-nr",
        "fs/aio-nr",
        "fs/quota",
        "kernel/ns_last_pid",
        "kernel/pty/nr",
        "kernel/random",
        "net/netfilter/nf_conntrack_count",
        "kernel/perf_event_max_sample_rate",
        "vm/stat_refresh",
    ];
    fn walk(dir: PathBuf, all: &mut Vec<String>) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path
                .strip_prefix("/proc/sys")
                .expect("it is below")
                .display()
                .to_string();
            if VOLATILE.iter().any(|prefix| name.starts_with(prefix)) {
                continue;
            }
            if path.is_dir() {
                walk(path, all);
            } else if let Ok(value) = fs::read(&path) {
                all.push(format!(
                    "{name} = {}",
                    String::from_utf8_lossy(&value).trim()
                ));
            }
        }
    }
    let mut all = Vec::new();
    walk("/proc/sys".into(), &mut all);
    all.sort();
    all
}

/// Processes of ours, but for guests and other tests that run beside this one.
fn processes() -> Vec<String> {
    let mut all = Vec::new();
    for pid in names(Path::new("/proc")) {
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let ours = [
            "execlab-storm",
            "execlab-monitor",
            "execlab-payload",
            "execlab-host",
        ];
        if ours.contains(&comm.trim()) {
            all.push(format!("{pid} {}", comm.trim()));
        }
    }
    all
}

/// Sockets of the process connector and of audit, but the kernel's own.
fn netlink_sockets() -> Vec<String> {
    const AUDIT: &str = "9";
    const CONNECTOR: &str = "11";
    let text = fs::read_to_string("/proc/net/netlink").unwrap_or_default();
    let mut all = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<_> = line.split_ascii_whitespace().collect();
        if let [_, protocol, port, ..] = fields[..]
            && [AUDIT, CONNECTOR].contains(&protocol)
            && port != "0"
        {
            all.push(format!("protocol {protocol} of {port}"));
        }
    }
    all
}
