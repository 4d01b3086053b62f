//! `perf-sideband`: what perf tells beside its events, and no event at all.
//!
//! A `dummy` event (3.12) never happens, but the kernel writes into its ring what a profiler needs to make
//! sense of samples. An exec is a COMM record with the bit `PERF_RECORD_MISC_COMM_EXEC` (3.16;
//! `perf_event_comm` in `begin_new_exec`), and the first MMAP2 record of that process behind it that names a
//! file is its image: the program is mapped before its loader (`load_elf_binary`). The path is `d_path` of
//! the mapped file at that time, from the root of the process, so no lookup is needed and nothing races. FORK
//! records give the parent, NAMESPACES records (4.12) mount and PID namespace of each new process, and of one
//! that changes them. No tracepoint is used, so nothing of tracefs is needed. Parents and namespaces of
//! processes that are older than the monitor are read from `/proc` once.
//!
//! What it cannot see, beside what the family cannot ([`super`]): the string of the call (COMM has its last component,
//! 15 bytes), a script (its interpreter is mapped), a path outside of a chroot, a path beyond 4,095 bytes
//! (`//toolong`), the cgroup (`lookup=full` asks `/proc`). An exec that fails after the point of no return has its COMM
//! record too; it is reported by its name alone when the process ends. The parent is the one at the fork.
//!
//! # Cost
//!
//! Four to five records a process, most of which are of no exec: more than the one of `perf-exec`, the cheapest of the
//! family. What is bought is an exact path at the price of no program in the kernel, and no lookup. The records of an
//! exec come one by one, so a reader that is woken for each (default) runs several times in its middle, and a lookup
//! from there would find no arguments yet. Tuned, it is woken for 64 KiB of them: it sees the same for much less, up to
//! 50 ms later.

use std::collections::BTreeMap;

use execlab_model::sighting::{ContainerHint, LossUnit, Sighting};

use super::{
    LOSS_SIGNALS, NEEDS, OFFERS, SETTINGS_OF_RECORDS,
    monitor::{Reader, Reading},
    record::{Record, What},
    resolver::Resolver,
    rings::Event,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    clock::monotonic_ns,
    procfs_lookup::{Listing, Procfs, Scan},
};

/// What the kernel writes where a path has no room in a page.
const TOO_LONG: &[u8] = b"//toolong";
/// Longest name of a process, in bytes.
const NAME: usize = 15;

/// See the module.
#[derive(Debug)]
pub struct Sideband;

impl Backend for Sideband {
    fn name(&self) -> &'static str {
        "perf-sideband"
    }

    fn about(&self) -> &'static str {
        "perf's COMM and MMAP2 records of execs, with FORK and NAMESPACES for parents and containers"
    }

    fn program(&self) -> &'static str {
        "perf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Perf,
            mechanism: "records of new names and mappings beside an event that never happens",
            needs: NEEDS,
            since: Since {
                release: "4.12 (NAMESPACES records; COMM with the exec bit: 3.16)",
                series: None,
            },
            loss_signals: LOSS_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS_OF_RECORDS
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let failed = AttachError::call("getdents64 of /proc");
        let known = older_processes().map_err(failed)?;
        let evidence = vec![
            "a dummy event with comm_exec, mmap2, task and namespaces".into(),
            format!("{} processes known at attach", known.len()),
        ];
        let reader = Images {
            processes: known,
            begun: BTreeMap::new(),
        };
        let events = [Event::Sideband];
        Reading::attach(&events, reader, LossUnit::Record, evidence, settings)
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[])
    }
}

/// What is known of a process from records of before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    parent: Option<u32>,
    mount: Option<u32>,
    pids: Option<u32>,
    /// How many threads it has, where all were seen to begin. The first one may end before the others, and
    /// another that calls exec then has its id.
    threads: Option<u32>,
}

fn older_processes() -> std::io::Result<BTreeMap<u32, Known>> {
    let mut listing = Listing::open()?;
    listing.scan(Scan::Full)?;
    let mut proc = Procfs::open()?;
    let known = listing.found.iter().filter_map(|&(pid, _)| {
        let process = proc.process(pid)?;
        let parent = process.stat(&mut proc)?.ppid;
        let container = process.container(&mut proc);
        let known = Known {
            parent: Some(parent),
            mount: container.mnt_ns,
            pids: container.pid_ns,
            threads: None,
        };
        Some((pid, known))
    });
    Ok(known.collect())
}

/// An exec whose image was not mapped yet.
#[derive(Debug)]
struct Begun {
    time_ns: u64,
    name: Vec<u8>,
}

/// See the module.
#[derive(Debug)]
struct Images {
    processes: BTreeMap<u32, Known>,
    begun: BTreeMap<u32, Begun>,
}

impl Reader for Images {
    fn take(&mut self, record: Record, out: &mut Resolver) {
        match record.what {
            What::Comm { exec: true, name } => {
                self.give_up(record.pid, out);
                let begun = Begun {
                    time_ns: record.time_ns,
                    name,
                };
                self.begun.insert(record.pid, begun);
            }
            What::Mmap { file, path } if path.starts_with(b"/") && path != b"//anon" => {
                if let Some(begun) = self.begun.remove(&record.pid) {
                    let (major, minor, inode) = file;
                    let mut sighting = self.sighting(record.pid, begun.time_ns);
                    if path != TOO_LONG {
                        sighting.path = Some(path.into());
                        sighting.file = Some((libc::makedev(major, minor), inode));
                    }
                    out.push(sighting);
                }
            }
            What::Fork { pid, parent, tid } if pid == tid => {
                let known = self.processes.get(&parent).copied().unwrap_or_default();
                let child = Known {
                    parent: Some(parent),
                    threads: Some(1),
                    ..known
                };
                self.processes.insert(pid, child);
            }
            What::Fork { pid, .. } => {
                let threads = self
                    .processes
                    .get_mut(&pid)
                    .and_then(|p| p.threads.as_mut());
                if let Some(threads) = threads {
                    *threads += 1;
                }
            }
            What::Exit { pid } => {
                let threads = self
                    .processes
                    .get_mut(&pid)
                    .and_then(|p| p.threads.as_mut());
                if let Some(threads) = threads {
                    *threads = threads.saturating_sub(1);
                    if *threads == 0 {
                        self.give_up(pid, out);
                        self.processes.remove(&pid);
                    }
                }
            }
            What::Namespaces { pid, mount, pids } => {
                let known = self.processes.entry(pid).or_default();
                known.mount = Some(mount);
                known.pids = Some(pids);
            }
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Resolver) {
        for pid in self.begun.keys().copied().collect::<Vec<_>>() {
            self.give_up(pid, out);
        }
    }
}

impl Images {
    fn sighting(&self, pid: u32, time_ns: u64) -> Sighting {
        let known = self.processes.get(&pid).copied().unwrap_or_default();
        Sighting {
            pid: Some(pid),
            ppid: known.parent,
            time_ns: Some(time_ns),
            received_ns: monotonic_ns(),
            container: ContainerHint {
                mnt_ns: known.mount,
                pid_ns: known.pids,
                ..ContainerHint::default()
            },
            ..Sighting::default()
        }
    }

    /// No image is to come any more: its record was lost, or the exec failed late. The name is what there is.
    fn give_up(&mut self, pid: u32, out: &mut Resolver) {
        if let Some(begun) = self.begun.remove(&pid) {
            let sighting = self.sighting(pid, begun.time_ns);
            out.push(Sighting {
                truncated: begun.name.len() >= NAME,
                path: (!begun.name.is_empty()).then(|| begun.name.into()),
                ..sighting
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::procfs_lookup::Depth;

    fn sightings(records: Vec<(u64, u32, What)>) -> Vec<Sighting> {
        let mut images = Images {
            processes: BTreeMap::new(),
            begun: BTreeMap::new(),
        };
        let mut out = Resolver::open(Depth::Nothing).unwrap();
        for (time_ns, pid, what) in records {
            let record = Record {
                time_ns,
                pid,
                tid: pid,
                what,
            };
            images.take(record, &mut out);
        }
        images.finish(&mut out);
        out.events()
    }

    fn comm(exec: bool) -> What {
        let name = b"name".to_vec();
        What::Comm { exec, name }
    }

    fn mmap(path: &[u8]) -> What {
        let path = path.to_vec();
        What::Mmap {
            file: (8, 1, 77),
            path,
        }
    }

    fn fork(pid: u32, parent: u32, tid: u32) -> What {
        What::Fork { pid, parent, tid }
    }

    #[test]
    fn an_exec_is_a_new_name_and_the_first_file_behind_it() {
        let namespaces = What::Namespaces {
            pid: 7,
            mount: 70,
            pids: 71,
        };
        let got = sightings(vec![
            (1, 5, fork(7, 5, 7)),
            (2, 5, namespaces),
            (3, 7, comm(false)),
            (4, 7, mmap(b"/no/exec")),
            (5, 7, comm(true)),
            (6, 7, mmap(b"[vdso]")),
            (7, 8, mmap(b"/of/another")),
            (8, 7, mmap(b"/bin/program")),
            (9, 7, mmap(b"/lib/ld.so")),
        ]);
        assert_eq!(got.len(), 1);
        assert_eq!(got[0].path, Some("/bin/program".into()));
        assert_eq!((got[0].pid, got[0].ppid), (Some(7), Some(5)));
        assert_eq!(got[0].time_ns, Some(5));
        assert_eq!(got[0].container.mnt_ns, Some(70));
        assert_eq!(got[0].container.pid_ns, Some(71));
    }

    #[test]
    fn an_exec_whose_file_never_comes_has_its_name() {
        let got = sightings(vec![
            (1, 7, comm(true)),
            (2, 7, What::Exit { pid: 7 }),
            (4, 8, comm(true)),
            (5, 9, comm(true)),
            (6, 9, mmap(TOO_LONG)),
        ]);
        // Of a process that is older than the monitor no exit is known to be the last.
        let told: Vec<_> = got.iter().map(|s| (s.pid, s.path.clone())).collect();
        let name = || Some("name".into());
        assert_eq!(
            told,
            [(Some(9), None), (Some(7), name()), (Some(8), name())]
        );
    }

    #[test]
    fn the_end_of_a_first_thread_is_not_that_of_its_process() {
        let got = sightings(vec![
            (1, 5, fork(7, 5, 7)),
            (2, 7, fork(7, 7, 8)),
            (3, 7, What::Exit { pid: 7 }),
            (4, 7, comm(true)),
            (5, 7, mmap(b"/bin/program")),
            (6, 7, comm(true)),
            (7, 7, What::Exit { pid: 7 }),
            (8, 7, comm(true)),
        ]);
        let told: Vec<_> = got.iter().map(|s| (s.ppid, s.path.clone())).collect();
        let name = || Some("name".into());
        assert_eq!(
            told,
            [
                (Some(5), Some("/bin/program".into())),
                (Some(5), name()),
                (None, name())
            ]
        );
    }

    #[test]
    fn a_child_is_in_the_namespaces_of_its_parent_and_a_thread_is_no_child() {
        let namespaces = What::Namespaces {
            pid: 5,
            mount: 50,
            pids: 51,
        };
        let got = sightings(vec![
            (1, 5, namespaces),
            (2, 5, fork(7, 5, 7)),
            (3, 7, fork(7, 7, 8)),
            (4, 7, comm(true)),
            (5, 7, mmap(b"/bin/program")),
        ]);
        assert_eq!(got[0].ppid, Some(5));
        assert_eq!(got[0].container.mnt_ns, Some(50));
    }
}
