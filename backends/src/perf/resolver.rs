//! From events to sightings: what `/proc` adds, where it is asked, and what of it may be believed.

use std::{collections::BTreeMap, io};

use execlab_model::{
    Bytes,
    sighting::{Argv, Sighting},
};

use crate::{
    Seam,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs},
    seam::SeamWriteError,
};

/// So many are held back at most while the rings do not get empty.
const MOST: usize = 1024;

/// A sighting that is not handed over yet.
#[derive(Debug)]
struct Held {
    event: Sighting,
    /// What `/proc` said, and when that was known.
    found: Option<(Sighting, u64)>,
}

/// See the module.
#[derive(Debug)]
pub struct Resolver {
    proc: Procfs,
    depth: Depth,
    held: Vec<Held>,
    /// From here on nothing was looked up yet.
    fresh: usize,
    /// The last of `held` for each process.
    latest: BTreeMap<u32, usize>,
    gone: u64,
    superseded: u64,
}

impl Resolver {
    /// Opens what it reads from.
    pub fn open(depth: Depth) -> io::Result<Self> {
        Ok(Self {
            proc: Procfs::open()?,
            depth,
            held: Vec::new(),
            fresh: 0,
            latest: BTreeMap::new(),
            gone: 0,
            superseded: 0,
        })
    }

    /// Takes what an event says.
    pub fn push(&mut self, event: Sighting) {
        let (Some(pid), Depth::Full) = (event.pid, self.depth) else {
            self.held.push(Held { event, found: None });
            return;
        };
        let before = self.latest.insert(pid, self.held.len());
        if let Some(before) = before
            && let Some((_, known_ns)) = self.held[before].found
            && event.time_ns <= Some(known_ns)
        {
            // What was found may be of this exec, or of another process with the number.
            self.held[before].found = None;
            self.superseded += 1;
        }
        self.held.push(Held { event, found: None });
    }

    /// Asks `/proc` about those that are new.
    pub fn look_up(&mut self) {
        let fresh = std::mem::replace(&mut self.fresh, self.held.len());
        if self.depth != Depth::Full {
            return;
        }
        for index in fresh..self.held.len() {
            let Some(pid) = self.held[index].event.pid else {
                continue;
            };
            if self.latest.get(&pid) != Some(&index) {
                self.superseded += 1;
                continue;
            }
            let found = look_up(&mut self.proc, pid);
            self.gone += u64::from(found.is_none());
            self.held[index].found = found.map(|found| (found, monotonic_ns()));
        }
    }

    /// Whether so much is held that it has to go, though the rings are not empty.
    pub fn is_full(&self) -> bool {
        self.held.len() >= MOST
    }

    /// Hands over everything.
    pub fn hand_over(&mut self, seam: &mut Seam) -> Result<(), SeamWriteError> {
        self.latest.clear();
        self.fresh = 0;
        for held in self.held.drain(..) {
            let sighting = match held.found {
                Some((found, _)) => joined(held.event, found),
                None => held.event,
            };
            seam.sighting(sighting)?;
        }
        Ok(())
    }

    /// The events that are held.
    #[cfg(test)]
    pub fn events(&self) -> Vec<Sighting> {
        self.held.iter().map(|held| held.event.clone()).collect()
    }

    /// What is no loss.
    pub fn notes(&self) -> Option<String> {
        (self.depth == Depth::Full).then(|| {
            format!(
                "{} processes were gone when they were looked up; {} images were replaced by a later exec",
                self.gone, self.superseded
            )
        })
    }
}

/// `None` where the process is gone, or another one has its number.
fn look_up(proc: &mut Procfs, pid: u32) -> Option<Sighting> {
    let mut found = Sighting::default();
    let process = proc.process(pid)?;
    process.perishable(proc, Depth::Full, &mut found);
    let stat = process.stat(proc)?;
    if stat.forked_only() {
        return None;
    }
    found.ppid = Some(stat.ppid);
    process.lasting(proc, Depth::Full, &mut found);
    Some(found)
}

/// What the event says stands over what was found later. A path that is but the string of the call gives way to the
/// executed file, unless that is the interpreter of what was called.
fn joined(event: Sighting, found: Sighting) -> Sighting {
    let is_string = event.path == event.given;
    let path = match (event.path, found.path) {
        (Some(given), Some(_)) if is_string && is_argument(&given, found.argv.as_ref()) => {
            Some(given)
        }
        (Some(_), Some(executed)) if is_string => Some(executed),
        (path, executed) => path.or(executed),
    };
    let mut container = found.container;
    container.cgroup_id = event.container.cgroup_id.or(container.cgroup_id);
    container.mnt_ns = event.container.mnt_ns.or(container.mnt_ns);
    container.pid_ns = event.container.pid_ns.or(container.pid_ns);
    Sighting {
        path,
        container,
        ppid: event.ppid.or(found.ppid),
        uid: event.uid.or(found.uid),
        file: event.file.or(found.file),
        ns_pid: found.ns_pid,
        argv: found.argv,
        truncated: event.truncated || found.truncated,
        ..event
    }
}

/// Whether the kernel made the string of the call an argument of an interpreter: its first, or its second where
/// the script has one for it (`fs/binfmt_script.c`, `fs/binfmt_misc.c`).
fn is_argument(given: &Bytes, argv: Option<&Argv>) -> bool {
    match argv {
        Some(Argv::List(argv)) => argv.iter().skip(1).take(2).any(|word| word == given),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pid: u32, time_ns: u64) -> Sighting {
        Sighting {
            pid: Some(pid),
            time_ns: Some(time_ns),
            path: Some("./given".into()),
            given: Some("./given".into()),
            ..Sighting::default()
        }
    }

    fn found(argv: &[&str]) -> Sighting {
        let argv = argv.iter().map(|&word| word.into()).collect();
        Sighting {
            path: Some("/bin/file".into()),
            argv: Some(Argv::List(argv)),
            ppid: Some(1),
            ..Sighting::default()
        }
    }

    #[test]
    fn the_executed_file_stands_over_the_string_of_the_call() {
        let plain = joined(event(5, 6), found(&["given", "x"]));
        assert_eq!(plain.path, Some("/bin/file".into()));
        assert_eq!(plain.given, Some("./given".into()));
        assert_eq!((plain.ppid, plain.time_ns), (Some(1), Some(6)));
        let script = joined(event(5, 6), found(&["/bin/file", "-x", "./given"]));
        assert_eq!(script.path, Some("./given".into()));
        let mapped = Sighting {
            path: Some("/mapped".into()),
            given: None,
            ..event(5, 6)
        };
        let mapped = joined(mapped, found(&["given"]));
        assert_eq!(mapped.path, Some("/mapped".into()));
    }

    #[test]
    fn what_was_found_before_a_later_exec_was_known_is_put_aside() {
        let me = std::process::id();
        let mut resolver = Resolver::open(Depth::Full).unwrap();
        let is_found = |resolver: &Resolver| {
            let held = resolver.held.iter();
            held.map(|held| held.found.is_some()).collect::<Vec<_>>()
        };
        resolver.push(event(me, 5));
        resolver.look_up();
        assert_eq!(is_found(&resolver), [true]);
        resolver.push(event(me, 6));
        resolver.push(event(me, 7));
        resolver.look_up();
        assert_eq!(is_found(&resolver), [false, false, true]);
        // It happened after the lookup: both are right.
        resolver.push(event(me, u64::MAX));
        resolver.look_up();
        assert_eq!(is_found(&resolver), [false, false, true, true]);
    }
}
