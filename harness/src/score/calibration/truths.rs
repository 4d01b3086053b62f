//! Truths that never happened but could have.

use std::collections::VecDeque;

use execlab_model::truth::{Exec, Outcome, Planned, Site, Truth};

use super::{random::Random, scenes::Scene};

/// When the first child is due, in nanoseconds; the storm's own processes are older.
pub(super) const BEGAN_NS: u64 = 1_000_000_000;
/// The storm's spawner, which is most execs' parent.
pub(super) const SPAWNER: u32 = 900;
/// The kernel's, which is that of its helpers.
const KTHREADD: u32 = 2;
/// Host pids of execs begin here; no in-namespace pid is as high, so that the two are never confused.
const FIRST_PID: u32 = 1_000_000;

/// What a made-up storm looks like.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// How many execs.
    pub execs: u32,
    /// How many processes live at once: 1 is a closed load.
    pub at_once: u32,
    /// How many different pids there are; fewer than processes means that they are reused. Never
    /// fewer than live at once.
    pub pids: u32,
    /// How many execs one process makes, one after the other; at least 1.
    pub per_process: u32,
    /// In how many containers some of them are made; 0 is none.
    pub containers: u32,
    /// What is executed outside of containers.
    pub scene: Scene,
    /// How many children of the storm never become an exec.
    pub attempts: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            execs: 100,
            at_once: 1,
            pids: u32::MAX,
            per_process: 1,
            containers: 0,
            scene: Scene::Files,
            attempts: 0,
        }
    }
}

/// A truth of a shape, the same for the same seed.
///
/// Execs are in the order of their processes' births; the execs of one process follow each other.
/// An exec is told as precisely as the real log tells it: `spawned_ns` of a process's further exec is
/// when its image was about to call it.
pub fn truth(shape: &Shape, seed: u64) -> Truth {
    let mut random = Random::new(seed, 1);
    let at_once = shape.at_once.max(1);
    let mut pids = Pids::new(shape.pids.max(at_once), FIRST_PID);
    // In a namespace the first process has pid 1, which is the container's init.
    let mut ns_pids = Pids::new(shape.pids.max(at_once).min(30_000 + at_once), 2);
    let sites = shape.scene.sites(shape.containers);
    let mut busy: VecDeque<(u64, u32, u32)> = VecDeque::new();
    let mut execs: Vec<Exec> = Vec::with_capacity(shape.execs as usize);
    let mut now = BEGAN_NS;
    let mut finished_ns = now;
    let mut joined = 0;
    let mut attempts = shape.attempts;
    let mut id = 0;
    while execs.len() < shape.execs as usize {
        // Whoever ended is reaped; where all places are taken the next child waits for one.
        busy.make_contiguous().sort_unstable();
        while let Some(&(ended, pid, ns_pid)) = busy.front() {
            if ended > now && busy.len() < at_once as usize {
                break;
            }
            now = now.max(ended);
            pids.free.push_back(pid);
            ns_pids.free.push_back(ns_pid);
            busy.pop_front();
        }
        now += 1_000 + random.below(20_000);
        if attempts > 0 && random.hits(500) {
            // A child that comes and goes without an exec: an id that no exec has, a pid that moves on.
            attempts -= 1;
            id += 1;
            let pid = pids.take();
            pids.free.push_back(pid);
            now += 1_000 + random.below(20_000);
        }
        let (pid, ns_pid) = (pids.take(), ns_pids.take());
        let mut spawned_ns = now;
        let home = random.index(sites.len());
        // Made by the storm itself, by the kernel, or by an image that is still there.
        let parent = match random.below(8) {
            0 => KTHREADD,
            1 => busy.back().map_or(SPAWNER, |&(_, pid, _)| pid),
            _ => SPAWNER,
        };
        let sites_of_process = reachable(&sites, home);
        for _ in 0..shape.per_process.max(1) {
            if execs.len() == shape.execs as usize {
                break;
            }
            let site = sites_of_process[random.index(sites_of_process.len())];
            let started_ns = spawned_ns + 5_000 + random.below(50_000);
            let lifetime_ns = random.below(4) * 10_000 * u64::from(at_once);
            let ended_ns = started_ns + lifetime_ns + 1_000 + random.below(10_000);
            execs.push(Exec {
                id,
                site: u32::try_from(site).unwrap_or(0),
                pid,
                ns_pid: if sites[site].in_container {
                    ns_pid
                } else {
                    pid
                },
                parent,
                // Root, a user, and root of a user namespace as others see it.
                uid: [0, 1_000, 100_000][id as usize % 3],
                lifetime_ns,
                spawned_ns,
                started_ns,
                ended_ns,
                outcome: Outcome::Exited(0),
            });
            id += 1;
            // The next image is called for at the end of this one's life, and ends it by starting.
            spawned_ns = ended_ns;
        }
        joined += join_processes(&mut execs, pid);
        let ended_ns = execs.last().map_or(now, |exec| exec.ended_ns);
        finished_ns = finished_ns.max(ended_ns);
        busy.push_back((ended_ns, pid, ns_pid));
    }
    let attempts = u64::from(shape.attempts);
    let planned = Planned {
        execs: execs.len() as u64,
        attempts,
        forks: (execs.len() - joined) as u64 + attempts,
        children: (execs.len() - joined) as u64 + attempts,
    };
    Truth {
        sites,
        attempts,
        forks: planned.forks,
        planned,
        storm_pids: vec![SPAWNER, SPAWNER + 1],
        began_ns: BEGAN_NS,
        finished_ns,
        execs,
        ..Truth::default()
    }
}

/// The sites that a process of this one's can execute: it stays in its PID namespace.
fn reachable(sites: &[Site], home: usize) -> Vec<usize> {
    let pid_ns = |at: usize| sites[at].namespaces.pid;
    (0..sites.len())
        .filter(|&at| pid_ns(at) == pid_ns(home))
        .collect()
}

/// An exec of the process that was made last ends when the next image of it starts. How many execs of
/// that process are not its first.
fn join_processes(execs: &mut [Exec], pid: u32) -> usize {
    let mut further = 0;
    for at in (1..execs.len()).rev() {
        let [exec, next] = &mut execs[at - 1..=at] else {
            break;
        };
        if exec.pid != pid || next.pid != pid || exec.ended_ns != next.spawned_ns {
            break;
        }
        exec.ended_ns = next.started_ns;
        // Of some calls it is only known that the image before them ran.
        if next.id.is_multiple_of(2) {
            next.spawned_ns = exec.started_ns;
        }
        further += 1;
    }
    further
}

/// Pids as a kernel gives them: the one that has been free for longest.
struct Pids {
    free: VecDeque<u32>,
    next: u32,
    end: u32,
}

impl Pids {
    fn new(count: u32, first: u32) -> Self {
        Self {
            free: VecDeque::new(),
            next: first,
            end: first.saturating_add(count),
        }
    }

    fn take(&mut self) -> u32 {
        if self.next < self.end {
            self.next += 1;
            return self.next - 1;
        }
        self.free
            .pop_front()
            .expect("there are as many pids as processes at once")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn processes_with_one_pid_never_overlap() {
        for (at_once, pids, per_process) in [(1, 2, 1), (8, 9, 1), (8, 8, 3), (40, 50, 2)] {
            let shape = Shape {
                execs: 500,
                at_once,
                pids,
                per_process,
                containers: 2,
                scene: Scene::Everything,
                attempts: 4,
            };
            let truth = truth(&shape, 7);
            assert_eq!(truth.execs.len(), 500);
            let processes = 500_u64.div_ceil(u64::from(per_process));
            assert_eq!(truth.forks, processes + 4);
            let mut last: HashMap<u32, &Exec> = HashMap::new();
            for exec in &truth.execs {
                assert!(exec.spawned_ns < exec.started_ns && exec.started_ns < exec.ended_ns);
                if let Some(last) = last.insert(exec.pid, exec) {
                    let same_process = last.ended_ns == exec.started_ns;
                    assert!(same_process || last.ended_ns <= exec.spawned_ns);
                    assert!(last.started_ns <= exec.spawned_ns);
                }
            }
            assert!(last.len() <= pids as usize);
        }
    }
}
