//! Sightings with a note of what each of them is worth, and how faults change both.

use execlab_model::{
    result::PathClass,
    sighting::{Argv, Sighting},
    truth::{Exec, Truth},
};

use super::{
    arguments::change_argv,
    change::{late_container, ns_pid, omit, place_of, polled, swap_container, ticks},
    fault::{Fault, Permille},
    paths::{add_given, change_path, right},
    random::Random,
    scenes::has_id,
};
use crate::score::fields::{ArgvClass, FieldClass, PidClass};

/// A sighting and what it is worth.
#[derive(Debug, Clone)]
pub(super) struct Plant {
    pub sighting: Sighting,
    pub about: About,
}

/// What a sighting is about.
#[derive(Debug, Clone)]
pub(super) enum About {
    Exec(Worth),
    Phantom,
    Foreign,
}

/// What a sighting of an exec is worth.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worth {
    /// Index of the exec.
    pub exec: u32,
    pub path: PathClass,
    pub suffixed: bool,
    pub given: FieldClass,
    /// Whether a fault was planted in the path.
    pub path_is_faulty: bool,
    /// Whether its arguments carry an id when they are whole.
    pub carries_id: bool,
    pub argv: ArgvClass,
    pub pid: PidClass,
    pub parent: FieldClass,
    pub credentials: FieldClass,
    pub container: FieldClass,
    /// Whether its argv id names another exec.
    pub conflict: bool,
}

impl Worth {
    /// Whether the argv id can be read and is this exec's.
    pub fn has_id(&self) -> bool {
        self.carries_id && matches!(self.argv, ArgvClass::Exact | ArgvClass::Joined)
    }
}

/// Whether a source's time alone says which exec of a pid is meant.
pub(super) fn is_timed(sighting: &Sighting) -> bool {
    sighting.time_ns.is_some() && sighting.time_tolerance_ns == 0
}

/// The sightings of one truth.
pub(super) struct Plants<'a> {
    pub truth: &'a Truth,
    pub drained_ns: u64,
    pub list: Vec<Plant>,
}

impl<'a> Plants<'a> {
    /// Every exec seen once, at once and right.
    pub fn perfect(truth: &'a Truth, drained_ns: u64) -> Self {
        let list = (0_u32..).zip(&truth.execs);
        let mut new = Self {
            truth,
            drained_ns,
            list: list.map(|(at, exec)| perfect(truth, at, exec)).collect(),
        };
        new.sort();
        new
    }

    /// Puts all in the order of receipt.
    pub fn sort(&mut self) {
        self.list.sort_by_key(|plant| plant.sighting.received_ns);
    }

    pub fn apply(&mut self, fault: Fault, random: &mut Random) {
        match fault {
            Fault::Drop(share) => self.list.retain(|_| !random.hits(share)),
            Fault::DropWindow(from, until) => self.drop_window(from, until),
            Fault::Duplicate(share, by_ns) => {
                let mut again = self.list.clone();
                again.retain(|plant| matches!(plant.about, About::Exec(_)) && random.hits(share));
                for plant in &mut again {
                    plant.sighting.received_ns += by_ns;
                }
                self.list.extend(again);
                self.sort();
            }
            Fault::Delay(share, by_ns) => {
                self.some(share, random, |_, sighting, _| {
                    sighting.received_ns += by_ns;
                });
                self.sort();
            }
            Fault::Late(share) => {
                let by_ns = self.drained_ns;
                self.some(share, random, |_, sighting, _| {
                    sighting.received_ns += by_ns;
                });
                self.sort();
            }
            Fault::Reorder(block) => self.reorder(block.max(1), random),
            Fault::SwapPids(share) => self.swap_pids(share, random),
            Fault::Path(share, how) => self.some(share, random, |truth, sighting, worth| {
                change_path(truth, how, sighting, worth);
            }),
            Fault::Given(share, how) => self.some(share, random, |truth, sighting, worth| {
                add_given(truth, how, sighting, worth);
            }),
            Fault::Argv(share, how) => self.some(share, random, |_, sighting, worth| {
                change_argv(how, sighting, worth);
            }),
            Fault::Omit(share, field) => self.some(share, random, |truth, sighting, worth| {
                omit(truth, field, sighting, worth);
            }),
            Fault::WrongParent(share) => self.some(share, random, |_, sighting, worth| {
                sighting.ppid = Some(1);
                worth.parent = FieldClass::Wrong;
            }),
            Fault::WrongUser(share) => self.some(share, random, |_, sighting, worth| {
                sighting.uid = Some(65_534);
                worth.credentials = FieldClass::Wrong;
            }),
            Fault::SwapContainer(share) => self.some(share, random, swap_container),
            Fault::LateContainer(share) => self.some(share, random, late_container),
            Fault::NsPid(share, how) => self.some(share, random, |truth, sighting, worth| {
                ns_pid(&truth.execs[worth.exec as usize], how, sighting, worth);
            }),
            Fault::ThreadId(share) => self.lose_pids(share, random),
            Fault::Ticks(share, tick_ns) => self.some(share, random, |_, sighting, worth| {
                ticks(tick_ns, sighting, worth);
            }),
            Fault::Polled(share) => self.some(share, random, |truth, sighting, worth| {
                polled(truth, sighting, worth);
            }),
            Fault::Phantoms(count, sign) => self.invent_phantoms(count, sign, random),
            Fault::Foreign(count) => self.invent_foreign(count, random),
            Fault::Neighbours(count) => self.invent_neighbours(count, random),
            Fault::Canaries(count) => self.invent_canaries(count, random),
            Fault::SetUp(count) => self.invent_set_up(count, random),
            Fault::Loss(_) => {}
        }
    }

    /// Changes a share of the sightings of execs.
    fn some(
        &mut self,
        share: Permille,
        random: &mut Random,
        change: impl Fn(&Truth, &mut Sighting, &mut Worth),
    ) {
        for plant in &mut self.list {
            if let About::Exec(worth) = &mut plant.about
                && random.hits(share)
            {
                change(self.truth, &mut plant.sighting, worth);
            }
        }
    }

    fn drop_window(&mut self, from: Permille, until: Permille) {
        let truth = self.truth;
        let span = truth.finished_ns - truth.began_ns;
        let at = |share: Permille| truth.began_ns + span / 1_000 * u64::from(share);
        let window = at(from)..at(until);
        self.list.retain(|plant| match &plant.about {
            About::Exec(worth) => !window.contains(&truth.execs[worth.exec as usize].started_ns),
            About::Phantom | About::Foreign => true,
        });
    }

    fn reorder(&mut self, block: usize, random: &mut Random) {
        for block in self.list.chunks_mut(block) {
            let released = block
                .iter()
                .map(|p| p.sighting.received_ns)
                .max()
                .unwrap_or(0);
            // Fisher and Yates: every order is as likely as any other.
            for at in (1..block.len()).rev() {
                block.swap(at, random.index(at + 1));
            }
            for plant in block {
                plant.sighting.received_ns = released;
            }
        }
    }
}

fn perfect(truth: &Truth, at: u32, exec: &Exec) -> Plant {
    let site = truth.site(exec);
    let time_ns = exec.spawned_ns.midpoint(exec.started_ns);
    let (path, suffixed) = right(site);
    Plant {
        sighting: Sighting {
            pid: Some(exec.pid),
            ns_pid: None,
            ppid: Some(exec.parent),
            uid: Some(exec.uid),
            time_ns: Some(time_ns),
            time_tolerance_ns: 0,
            received_ns: exec.started_ns + 100 + u64::from(exec.id % 7) * 50,
            path: Some(path),
            given: None,
            argv: Some(Argv::List(truth.argv(exec))),
            truncated: false,
            file: Some((site.dev, site.ino)),
            container: place_of(site),
        },
        about: About::Exec(Worth {
            exec: at,
            path: PathClass::Exact,
            suffixed,
            given: FieldClass::Absent,
            path_is_faulty: false,
            carries_id: has_id(site),
            argv: ArgvClass::Exact,
            pid: PidClass::Host,
            parent: FieldClass::Right,
            credentials: FieldClass::Right,
            container: FieldClass::Right,
            conflict: false,
        }),
    }
}
