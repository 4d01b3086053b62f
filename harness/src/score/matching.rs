//! Joins sightings to execs by pid *and* time (DESIGN §5).
//!
//! Pids are reused, one process may exec several times, and sightings come late, twice, or in any
//! order. So all sightings of one pid are judged together, against all execs of that pid:
//!
//! 1. *Admission.* A sighting with a source time is admitted to the execs whose event window
//!    (`spawned_ns` to `started_ns`) its time may lie in, tolerance included; if there are none, to
//!    those in whose life it may lie (a polling monitor sees the process some time after its exec).
//!    A sighting without one is admitted to every exec of the pid that was made before its receipt.
//! 2. *Check.* An argv id that names one of the admitted execs settles which of them is meant. An id
//!    that names any other exec changes nothing: it is a conflict, and counted.
//! 3. *Assignment.* As many execs as possible are joined to a sighting of their own, so that neither
//!    reordering nor delay makes a miss out of what was reported. Without a source time later
//!    sightings mean later execs, and the latest possible ones.
//! 4. What is left over is a duplicate of an exec that it was admitted to. The one received first is
//!    the sighting by which the exec was seen.
//! 5. What was admitted nowhere is a phantom if it is attributed to the storm, else
//!    foreign.
//!
//! A sighting without any process id and without arguments is joined to an exec of the file that its path names, by the
//! same rules: whoever reports each file once is so right about one exec of it. What names the interpreter of a script is a
//! duplicate where an exec was seen by the script itself: both are reports of one exec.
//!
//! What was received after the drain is joined last and to what is left: an exec that has only such
//! sightings is late, neither seen nor missed. Each sighting has exactly one [`Verdict`], so
//! `seen + duplicates + late + phantoms + foreign = sightings` and `seen + late + missed = execs`.

mod assign;
mod attribution;
mod table;
#[cfg(test)]
mod tests;
pub mod timeline;

use execlab_model::{
    Bytes,
    sighting::{Argv, Sighting},
    truth::{FIRST_CANARY_ID, Site, Truth, parse_id_argument},
};

use assign::Assigner;
use attribution::Storm;
use timeline::{Containers, Ids, Lanes, Paths};

/// No index: the last `u32` is never one, because ids of execs end well below it.
const NONE: u32 = u32::MAX;

/// What became of one sighting. The number is an index into `Truth::execs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The sighting by which this exec was seen.
    Seen(u32),
    /// The sighting by which this exec was seen, but only after the drain.
    Late(u32),
    /// A further sighting of this exec.
    Duplicate(u32),
    /// Attributed to the storm, but there was no such exec.
    Phantom,
    /// Of something else on the machine.
    Foreign,
}

/// What became of one exec. The number is an index into the sightings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Seen, by this sighting.
    Seen(u32),
    /// Seen only after the drain, by this sighting.
    Late(u32),
    /// Never seen.
    Missed,
}

/// How sightings were joined, where it was not by a host pid alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Joins {
    /// By an in-namespace pid and the container that came with it.
    pub by_ns_pid: u64,
    /// By argv id, for want of any pid.
    pub by_id: u64,
    /// By the path of the executed file, for want of anything else.
    pub by_path: u64,
    /// Joined, but the argv id names something else.
    pub conflicts: u64,
}

/// Who means whom.
#[derive(Debug)]
pub struct Matching {
    /// For each sighting, in their order.
    pub verdicts: Vec<Verdict>,
    /// For each exec, in the order of `Truth::execs`.
    pub fates: Vec<Fate>,
    /// How it was done.
    pub joins: Joins,
    /// The execs of each pid in the order of time.
    pub lanes: Lanes,
    /// For each sighting the id in its arguments, or [`NONE`].
    ids: Vec<u32>,
    known: Ids,
}

impl Matching {
    /// The index of the exec with an id.
    pub fn exec_of_id(&self, id: u32) -> Option<u32> {
        self.known.exec(id)
    }

    /// The argv id of a sighting, if it has one.
    pub fn id(&self, sighting: u32) -> Option<u32> {
        Some(self.ids[sighting as usize]).filter(|&id| id != NONE)
    }
}

/// Joins sightings to execs; see the module.
///
/// `sightings` are as in `Record::sightings`, in the order in which the monitor said them; what was
/// received after `drained_ns` is late.
pub fn match_sightings(truth: &Truth, sightings: &[Sighting], drained_ns: u64) -> Matching {
    let known = Ids::new(&truth.execs);
    let lanes = Lanes::by_pid(&truth.execs);
    let mut joins = Joins::default();
    let mut assigner = Assigner::new(truth.execs.len(), sightings.len(), drained_ns);

    // By host pid: nearly always everything.
    let mut ids = Vec::with_capacity(sightings.len());
    let mut rest = Vec::new();
    for (at, sighting) in index(sightings) {
        let id = id_of(sighting).unwrap_or(NONE);
        ids.push(id);
        let lane = sighting.pid.and_then(|pid| lanes.of(u64::from(pid)));
        let named = || known.exec(id);
        if !lane.is_some_and(|lane| assigner.offer(&lanes, lane, (at, sighting), named(), false)) {
            rest.push(at);
        }
    }
    assigner.settle(&lanes);

    // By the pid in the exec's own namespace, whether or not the monitor knows that it is one.
    let mut left = Vec::new();
    if !rest.is_empty() {
        let containers = Containers::new(&truth.sites);
        let keys = |at: u32| {
            let named = known.exec(ids[at as usize]);
            let named = named.map(|exec| &truth.execs[exec as usize]);
            containers.keys(truth, &sightings[at as usize], named)
        };
        let nested = Lanes::by_ns_pid(truth, &rest.iter().flat_map(|&at| keys(at)).collect());
        for at in rest {
            let sighting = &sightings[at as usize];
            let named = known.exec(ids[at as usize]);
            let joined = keys(at).into_iter().any(|key| {
                let lane = nested.of(key);
                lane.is_some_and(|l| assigner.offer(&nested, l, (at, sighting), named, false))
            });
            if joined {
                joins.by_ns_pid += 1;
            } else {
                left.push(at);
            }
        }
        assigner.settle(&nested);
    }

    // By argv id, only where there is no pid to go by.
    let mut strangers = Vec::new();
    for at in left {
        let sighting = &sightings[at as usize];
        let nameless = sighting.pid.is_none()
            && (sighting.ns_pid.is_none() || !attribution::offers(&sighting.container));
        let named = known.exec(ids[at as usize]).filter(|_| nameless);
        let lane = named.and_then(|e| lanes.of(u64::from(truth.execs[e as usize].pid)));
        if lane.is_some_and(|lane| assigner.offer(&lanes, lane, (at, sighting), named, true)) {
            joins.by_id += 1;
        } else {
            strangers.push(at);
        }
    }
    assigner.settle(&lanes);

    let mut files = Files {
        truth,
        sightings,
        assigner: &mut assigner,
        joins: &mut joins,
    };
    let strangers = files.join(strangers, |site| Some(&site.frames.exact), false);
    let strangers = files.join(strangers, |site| site.frames.interpreter.as_ref(), true);
    let mut verdicts = assigner.verdicts();
    if !strangers.is_empty() {
        let storm = Storm::new(truth, &lanes);
        for at in strangers {
            let id = Some(ids[at as usize]).filter(|&id| id != NONE);
            if storm.is_blamed_by(&sightings[at as usize], id) {
                verdicts[at as usize] = Verdict::Phantom;
            }
        }
    }
    let mut fates = vec![Fate::Missed; truth.execs.len()];
    for ((at, verdict), &id) in (0_u32..).zip(&verdicts).zip(&ids) {
        let exec = match *verdict {
            Verdict::Seen(exec) => {
                fates[exec as usize] = Fate::Seen(at);
                exec
            }
            Verdict::Late(exec) => {
                fates[exec as usize] = Fate::Late(at);
                exec
            }
            Verdict::Duplicate(exec) => exec,
            Verdict::Phantom | Verdict::Foreign => continue,
        };
        joins.conflicts += u64::from(id != NONE && id != truth.execs[exec as usize].id);
    }
    Matching {
        verdicts,
        fates,
        joins,
        lanes,
        ids,
        known,
    }
}

/// Joins what says nothing of any process.
struct Files<'a> {
    truth: &'a Truth,
    sightings: &'a [Sighting],
    assigner: &'a mut Assigner,
    joins: &'a mut Joins,
}

impl<'a> Files<'a> {
    /// Joins sightings to execs of the file that they name, by one of a site's paths; what is left. With `again`, what may be of
    /// an exec that was seen already is a further sighting of that one.
    fn join(
        &mut self,
        mut strangers: Vec<u32>,
        path: fn(&Site) -> Option<&Bytes>,
        again: bool,
    ) -> Vec<u32> {
        let sightings = self.sightings;
        let named = |at: u32| -> Option<&'a Bytes> {
            let sighting = &sightings[at as usize];
            let nameless =
                sighting.pid.is_none() && sighting.ns_pid.is_none() && sighting.argv.is_none();
            sighting.path.as_ref().filter(|_| nameless)
        };
        let mut paths = Paths::default();
        for path in strangers.iter().filter_map(|&at| named(at)) {
            paths.add(path);
        }
        let lanes = Lanes::by_path(self.truth, &paths, path);
        let lane = |at: u32| lanes.of(paths.key(named(at)?)?);
        let before = strangers.len();
        if again {
            strangers.retain(|&at| {
                let sighting = (at, &sightings[at as usize]);
                !lane(at).is_some_and(|lane| self.assigner.repeat(&lanes, lane, sighting))
            });
        }
        strangers.retain(|&at| {
            let sighting = (at, &sightings[at as usize]);
            !lane(at).is_some_and(|l| self.assigner.offer(&lanes, l, sighting, None, false))
        });
        self.assigner.settle(&lanes);
        self.joins.by_path += (before - strangers.len()) as u64;
        strangers
    }
}

/// Sightings with their indices.
fn index(sightings: &[Sighting]) -> impl Iterator<Item = (u32, &Sighting)> {
    (0..table::narrow(sightings.len())).zip(sightings)
}

/// The exec id in the arguments of a sighting: an argument of its own, or a word of a joined string.
pub(super) fn id_of(sighting: &Sighting) -> Option<u32> {
    match sighting.argv.as_ref()? {
        Argv::List(arguments) => arguments
            .iter()
            .find_map(|argument| parse_id_argument(argument.as_slice()))
            // A list of one may be a joined string as well.
            .or_else(|| match arguments.as_slice() {
                [only] => id_in_words(only.as_slice()),
                _ => None,
            }),
        Argv::Joined(words) => id_in_words(words.as_slice()),
    }
}

fn id_in_words(words: &[u8]) -> Option<u32> {
    words
        .split(|&b| b == b' ' || b == 0)
        .find_map(parse_id_argument)
}

/// Whether an id belongs to a canary that nobody took out.
fn is_canary(id: u32) -> bool {
    id >= FIRST_CANARY_ID
}
