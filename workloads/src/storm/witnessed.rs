//! Joins what witnessed images said of themselves with the children that they descend from.

use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
};

use execlab_model::truth::{Exec, Frames, Outcome, Site, Truth};

use super::{Entry, TruthError};
use crate::{
    scenario::{Place, bytes},
    witness::{Image, path_of},
};

/// The ids of witnessed execs, which no argument carries.
const FIRST_ID: u32 = 0x8000_0000;

/// The file that an image was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Executed {
    /// By all of its names.
    pub frames: Frames,
    /// Its device and inode.
    pub file: (u64, u64),
}

/// Adds the execs of all images since the storm began to its truth. `children` are the ledger's of witnessed
/// ways, `executed` finds files. `strangers` were there before the storm began: what descends from them is none of it.
pub(super) fn join(
    images: &[Image],
    children: &[Entry],
    strangers: &HashSet<u32>,
    place: &Place,
    executed: impl Fn(&Image) -> Option<Executed>,
    truth: &mut Truth,
) -> Result<(), TruthError> {
    let mut images: Vec<_> = images
        .iter()
        .filter(|image| image.started_ns >= truth.began_ns)
        .collect();
    images.sort_by_key(|image| image.started_ns);
    let mut tree = Tree {
        children,
        strangers,
        processes: HashMap::new(),
        execs: Vec::with_capacity(images.len()),
        counts: vec![0; children.len()],
        forks: 0,
    };
    let first_site = truth.sites.len();
    let mut sites: HashMap<Site, usize> = HashMap::new();
    for image in images {
        let found = executed(image).ok_or_else(|| TruthError::Unresolved(image.given.clone()))?;
        let next = sites.len();
        let site = *sites.entry(site(image, found, place)).or_insert(next);
        tree.add(image, number(first_site + site))?;
    }
    tree.is_even()?;
    // The children themselves are counted already.
    let forks = tree.forks - children.len() as u64;
    truth.forks += forks;
    truth.execs.append(&mut tree.execs);
    let mut sites: Vec<_> = sites.into_iter().collect();
    sites.sort_by_key(|(_, at)| *at);
    truth.sites.extend(sites.into_iter().map(|(site, _)| site));
    Ok(())
}

fn site(image: &Image, executed: Executed, place: &Place) -> Site {
    Site {
        label: String::from_utf8_lossy(executed.frames.exact.basename()).into_owned(),
        given: image.given.clone(),
        cwd: image.cwd.clone(),
        frames: executed.frames,
        argv: image.argv.clone(),
        dev: executed.file.0,
        ino: executed.file.1,
        cgroup: place.cgroup.clone(),
        cgroup_id: place.cgroup_id,
        namespaces: place.namespaces,
        in_container: place.in_container,
    }
}

/// The processes that descend from the storm's children, as far as is known by now.
struct Tree<'a> {
    children: &'a [Entry],
    strangers: &'a HashSet<u32>,
    processes: HashMap<u32, Process>,
    execs: Vec<Exec>,
    /// How many images each child and its descendants had.
    counts: Vec<u32>,
    /// How many processes there were, the children among them.
    forks: u64,
}

#[derive(Clone, Copy)]
struct Process {
    /// From which child it descends, as an index.
    child: usize,
    /// Its last image, as an index into the execs; none of one that only forked.
    image: Option<usize>,
    /// It was made later than this.
    since_ns: u64,
}

impl Tree<'_> {
    /// Adds the next image in the order of time.
    fn add(&mut self, image: &Image, site: u32) -> Result<(), TruthError> {
        let process = self
            .process(image)
            .ok_or(TruthError::Unattributed(image.pid))?;
        let child = &self.children[process.child];
        let at = self.execs.len();
        let mut spawned_ns = process.since_ns;
        if let Some(before) = process.image {
            // The next image of a process ends the one before, and is made while that one runs.
            let before = &mut self.execs[before];
            (before.ended_ns, before.outcome) = (image.started_ns, Outcome::Unknown);
            spawned_ns = before.started_ns;
        }
        self.execs.push(Exec {
            id: FIRST_ID + number(at),
            site,
            pid: image.pid,
            ns_pid: image.pid,
            parent: image.ppid,
            uid: image.uid,
            lifetime_ns: 0,
            spawned_ns,
            started_ns: image.started_ns,
            // Of descendants it is known only that the child waits for them.
            ended_ns: child.reaped_ns,
            outcome: if image.pid == child.pid {
                child.outcome
            } else {
                Outcome::Unknown
            },
        });
        self.counts[process.child] += 1;
        let image_now = Some(at);
        self.processes.insert(
            image.pid,
            Process {
                image: image_now,
                ..process
            },
        );
        Ok(())
    }

    /// What is known of an image's process before it.
    fn process(&mut self, image: &Image) -> Option<Process> {
        let alive =
            |child: &Entry| (child.spawned_ns..=child.reaped_ns).contains(&image.started_ns);
        let known = |pid: u32| {
            let process = self.processes.get(&pid).copied();
            process.filter(|process| alive(&self.children[process.child]))
        };
        if let Some(itself) = known(image.pid) {
            return Some(itself);
        }
        self.forks += 1;
        let is_it = |child: &Entry| child.pid == image.pid && alive(child);
        if let Some(child) = self.children.iter().position(is_it) {
            let since_ns = self.children[child].spawned_ns;
            let image = None;
            return Some(Process {
                child,
                image,
                since_ns,
            });
        }
        if let Some(parent) = known(image.ppid) {
            let since_ns = match parent.image {
                Some(image) => self.execs[image].started_ns,
                None => parent.since_ns,
            };
            let image = None;
            return Some(Process {
                image,
                since_ns,
                ..parent
            });
        }
        if self.strangers.contains(&image.ppid) {
            return None;
        }
        // A descendant whose parent never called exec. With one child at a time there is no doubt whose.
        let mut those = (0..self.children.len()).filter(|&n| alive(&self.children[n]));
        let (child, None) = (those.next()?, those.next()) else {
            return None;
        };
        let between = Process {
            child,
            image: None,
            since_ns: self.children[child].spawned_ns,
        };
        // One whose parent ended is the first process's.
        if image.ppid > 1 {
            self.forks += 1;
            self.processes.insert(image.ppid, between);
        }
        Some(between)
    }

    /// Children of one way do the same, so that a record that is missing shows.
    fn is_even(&self) -> Result<(), TruthError> {
        let mut first: HashMap<u32, u32> = HashMap::new();
        for (child, &images) in self.children.iter().zip(&self.counts) {
            let expected = *first.entry(child.way).or_insert(images);
            if images == 0 || images != expected {
                let id = child.id;
                return Err(TruthError::Uneven {
                    id,
                    images,
                    expected,
                });
            }
        }
        Ok(())
    }
}

fn number(n: usize) -> u32 {
    u32::try_from(n).expect("some thousand")
}

/// The file that an image was made of: by the string that was given, or the script that it was given for.
/// Looks where this process is, so it has to be where the programs were.
pub(crate) fn executed(image: &Image) -> Option<Executed> {
    let joined = path_of(&image.cwd).join(path_of(&image.given));
    let real = joined.canonicalize().ok()?;
    let stat = real.metadata().ok()?;
    let exact = bytes(&real);
    let is_script = exact != image.path;
    if is_script && !fs::read(&real).ok()?.starts_with(b"#!") {
        return None;
    }
    Some(Executed {
        frames: Frames {
            interpreter: is_script.then(|| image.path.clone()),
            exact,
            ..Frames::default()
        },
        file: (stat.dev(), stat.ino()),
    })
}

#[cfg(test)]
mod tests {
    use execlab_model::{Bytes, truth::Namespaces};

    use super::*;

    /// Two children, of one way, that ran one after the other.
    fn children() -> [Entry; 2] {
        [(1, 100, 10, 50), (2, 200, 60, 90)].map(|(id, pid, spawned_ns, reaped_ns)| Entry {
            id,
            way: 0,
            pid,
            lifetime_ns: 0,
            spawned_ns,
            reaped_ns,
            outcome: Outcome::Exited(0),
        })
    }

    fn image(pid: u32, ppid: u32, started_ns: u64, given: &str) -> Image {
        Image {
            pid,
            ppid,
            started_ns,
            given: given.into(),
            path: given.into(),
            argv: vec![given.into()],
            ..Image::default()
        }
    }

    fn joined(images: &[Image]) -> Result<Truth, TruthError> {
        let place = Place {
            namespaces: Namespaces::default(),
            cgroup: "/own".into(),
            cgroup_id: 7,
            in_container: false,
        };
        let executed = |image: &Image| {
            let exact = image.path.clone();
            let frames = Frames {
                exact,
                ..Frames::default()
            };
            (image.given != Bytes::from("/gone")).then_some(Executed {
                frames,
                file: (1, 2),
            })
        };
        let mut truth = Truth {
            began_ns: 5,
            forks: 2,
            ..Truth::default()
        };
        let strangers = HashSet::from([2, 77]);
        join(
            images,
            &children(),
            &strangers,
            &place,
            executed,
            &mut truth,
        )
        .map(|()| truth)
    }

    #[test]
    fn images_follow_each_other_and_descend_from_their_child() {
        let truth = joined(&[
            // Before the storm began.
            image(99, 1, 4, "/bin/probe"),
            image(100, 1, 11, "/bin/sh"),
            // Forked by 100; becomes another program.
            image(101, 100, 20, "/bin/sh"),
            image(101, 100, 25, "/bin/sed"),
            // Of 102, which only forked.
            image(103, 102, 30, "/bin/tr"),
            image(200, 1, 61, "/bin/sh"),
            image(201, 200, 62, "/bin/sh"),
            image(201, 200, 63, "/bin/sed"),
            image(203, 202, 64, "/bin/tr"),
        ])
        .unwrap();
        let execs: Vec<_> = truth
            .execs
            .iter()
            .take(4)
            .map(|e| {
                (
                    e.pid,
                    e.parent,
                    e.spawned_ns,
                    e.started_ns,
                    e.ended_ns,
                    e.outcome,
                )
            })
            .collect();
        let (unknown, ended) = (Outcome::Unknown, Outcome::Exited(0));
        let expected = [
            (100, 1, 10, 11, 50, ended),
            (101, 100, 11, 20, 25, unknown),
            (101, 100, 20, 25, 50, unknown),
            (103, 102, 10, 30, 50, unknown),
        ];
        assert_eq!(execs, expected);
        assert_eq!((truth.forks, truth.execs.len()), (8, 8));
        let labels: Vec<_> = truth.sites.iter().map(|site| site.label.as_str()).collect();
        assert_eq!(labels, ["sh", "sed", "tr"]);
        let sites: Vec<_> = truth.execs.iter().map(|exec| exec.site).collect();
        assert_eq!(sites, [0, 0, 1, 2, 0, 0, 1, 2]);
    }

    #[test]
    fn what_is_missing_or_belongs_to_nobody_is_told() {
        let whole = [image(100, 1, 11, "/bin/sh"), image(200, 1, 61, "/bin/sh")];
        assert!(joined(&whole).is_ok());
        let missing = joined(&whole[..1]);
        let uneven = |images| TruthError::Uneven {
            id: 2,
            images,
            expected: 1,
        };
        assert_eq!(missing, Err(uneven(0)));
        let more = [&whole[..], &[image(201, 200, 62, "/bin/sed")]].concat();
        assert_eq!(joined(&more), Err(uneven(2)));
        let late = [&whole[..], &[image(300, 1, 95, "/bin/sh")]].concat();
        assert_eq!(joined(&late), Err(TruthError::Unattributed(300)));
        let strange = [&whole[..], &[image(201, 77, 62, "/bin/sed")]].concat();
        assert_eq!(joined(&strange), Err(TruthError::Unattributed(201)));
        let gone = [&whole[..], &[image(201, 200, 62, "/gone")]].concat();
        assert_eq!(joined(&gone), Err(TruthError::Unresolved("/gone".into())));
    }

    #[test]
    fn a_script_is_told_by_what_it_is_given_as() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        fs::write(dir.join("script"), "#!/bin/sh\n").unwrap();
        fs::write(dir.join("data"), "no program").unwrap();
        let shell = bytes(&fs::canonicalize("/bin/sh").unwrap());
        let image = |given: &str| Image {
            path: shell.clone(),
            cwd: bytes(&dir),
            given: given.into(),
            ..Image::default()
        };
        let script = executed(&image("./script")).unwrap().frames;
        assert_eq!(script.exact, bytes(&dir.join("script")));
        assert_eq!(script.interpreter.as_ref(), Some(&shell));
        let binary = executed(&image("/bin/sh")).unwrap().frames;
        assert_eq!((binary.exact, binary.interpreter), (shell.clone(), None));
        assert_eq!(executed(&image("data")), None);
        assert_eq!(executed(&image("missing")), None);
    }
}
