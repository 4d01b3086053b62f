//! What is said of a cell, in words: each facet has its own list of them, and no numbers.
//!
//! Counts vary with the compiler that built a monitor, and with seeds; the words are chosen so that
//! they do not, but where the technique itself is a race.

use std::fmt;

use execlab_model::result::{
    ArgvCounts, Completeness, FieldCounts, Honesty, Loss, PathClass, PathCounts, PidCounts, Status,
    TrialResult,
};

/// One of the things that are said of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// Whether execs were seen; or that there was no measurement, and why.
    Seen,
    /// Whether there were sightings without an exec.
    Phantoms,
    /// Whether an exec had several sightings.
    Duplicates,
    /// Whether an exec was seen only after the drain.
    Late,
    /// The classes of the paths of seen execs.
    Path,
    /// How their arguments were reported.
    Argv,
    /// How their process ids were reported.
    Pid,
    /// How their parents were reported.
    Parent,
    /// How their real users were reported.
    User,
    /// How their cgroups and namespaces were reported.
    Container,
    /// Whether the monitor knew what it lost.
    Loss,
}

/// Of a field of a sighting where nothing was seen, and of a loss where nothing was measured.
pub const NOTHING: &str = "-";
/// What [`Facet::Seen`] says of a storm that made no exec.
pub const NOTHING_TO_SEE: &str = "nothing-to-see";

const SEEN: [&str; 6] = [
    "all",
    "some",
    "none",
    NOTHING_TO_SEE,
    Status::Unsupported.as_str(),
    Status::BackendFailed.as_str(),
];
const NO_OR_YES: [&str; 2] = ["no", "yes"];
const PATH: [&str; 11] = [
    NOTHING,
    PathClass::Exact.as_str(),
    PathClass::Host.as_str(),
    PathClass::InRoot.as_str(),
    PathClass::AsGiven.as_str(),
    PathClass::Basename.as_str(),
    PathClass::Interpreter.as_str(),
    PathClass::Stale.as_str(),
    PathClass::Truncated.as_str(),
    PathClass::Wrong.as_str(),
    PathClass::Absent.as_str(),
];
const ARGV: [&str; 6] = [NOTHING, "exact", "truncated", "joined", "wrong", "absent"];
const PID: [&str; 5] = [NOTHING, "host", "in_namespace", "wrong", "absent"];
const FIELD: [&str; 4] = [NOTHING, "right", "wrong", "absent"];
const LOSS: [&str; 6] = [
    NOTHING,
    Honesty::Knew.as_str(),
    Honesty::KnewTooLittle.as_str(),
    Honesty::KnewTooMuch.as_str(),
    Honesty::KnewWithoutANumber.as_str(),
    Honesty::DidNotKnow.as_str(),
];

impl Facet {
    /// All of them, in the order in which they are written. The first decides what the others can be.
    pub const ALL: [Self; 11] = [
        Self::Seen,
        Self::Phantoms,
        Self::Duplicates,
        Self::Late,
        Self::Path,
        Self::Argv,
        Self::Pid,
        Self::Parent,
        Self::User,
        Self::Container,
        Self::Loss,
    ];

    /// The name used in every document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Seen => "seen",
            Self::Phantoms => "phantoms",
            Self::Duplicates => "duplicates",
            Self::Late => "late",
            Self::Path => "path",
            Self::Argv => "argv",
            Self::Pid => "pid",
            Self::Parent => "parent",
            Self::User => "user",
            Self::Container => "container",
            Self::Loss => "loss",
        }
    }

    /// The facet of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.as_str() == name)
    }

    /// Its words, in the order in which they are written.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Seen => &SEEN,
            Self::Phantoms | Self::Duplicates | Self::Late => &NO_OR_YES,
            Self::Path => &PATH,
            Self::Argv => &ARGV,
            Self::Pid => &PID,
            Self::Parent | Self::User | Self::Container => &FIELD,
            Self::Loss => &LOSS,
        }
    }

    /// The word that is left out when a class is written: there is nothing to say.
    pub const fn resting(self) -> &'static str {
        match self {
            Self::Seen => "all",
            Self::Phantoms | Self::Duplicates | Self::Late => "no",
            _ => NOTHING,
        }
    }

    /// The word that tables for people leave out: as good as it can be, whatever the scenario.
    pub const fn best(self) -> &'static str {
        match self {
            Self::Path | Self::Argv => "exact",
            Self::Pid => "host",
            Self::Parent | Self::User | Self::Container => "right",
            Self::Loss => Honesty::Knew.as_str(),
            other => other.resting(),
        }
    }

    /// Whether it is said of seen execs, and so of nothing where none was seen.
    pub const fn is_of_sightings(self) -> bool {
        matches!(
            self,
            Self::Path | Self::Argv | Self::Pid | Self::Parent | Self::User | Self::Container
        )
    }

    /// What one trial shows; `None` where it is no measurement: the guest was lost, or the host's side
    /// broke.
    pub fn measure(self, trial: &TrialResult) -> Option<Vec<&'static str>> {
        match trial.status {
            Status::Lost | Status::Infra => return None,
            Status::Unsupported | Status::BackendFailed => {
                return Some(vec![match self {
                    Self::Seen => trial.status.as_str(),
                    other => other.resting(),
                }]);
            }
            Status::Completed => {}
        }
        let completeness = trial.completeness.as_ref()?;
        let yes = |count: u64| vec![NO_OR_YES[usize::from(count > 0)]];
        Some(match self {
            Self::Seen => vec![seen(trial.truth?.execs, completeness)],
            Self::Phantoms => yes(completeness.phantoms),
            Self::Duplicates => yes(completeness.duplicates),
            Self::Late => yes(trial.late),
            Self::Path => counted(self, &path(trial.path.as_ref()?)),
            Self::Argv => counted(self, &argv(trial.argv.as_ref()?)),
            Self::Pid => counted(self, &pid(trial.pid.as_ref()?)),
            Self::Parent => counted(self, &field(trial.parent.as_ref()?)),
            Self::User => counted(self, &field(trial.credentials.as_ref()?)),
            Self::Container => counted(self, &field(trial.container.as_ref()?)),
            Self::Loss => vec![loss(trial.loss.as_ref()?)],
        })
    }
}

impl fmt::Display for Facet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

fn seen(execs: u64, completeness: &Completeness) -> &'static str {
    match completeness.seen {
        _ if execs == 0 => NOTHING_TO_SEE,
        0 => "none",
        seen if seen >= execs => "all",
        _ => "some",
    }
}

fn loss(loss: &Loss) -> &'static str {
    loss.honesty.as_str()
}

/// The words that have a count, in the facet's order; counts come without the first word.
fn counted(facet: Facet, counts: &[u64]) -> Vec<&'static str> {
    let words = &facet.words()[1..];
    let found: Vec<_> = words
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(word, _)| *word)
        .collect();
    if found.is_empty() {
        vec![NOTHING]
    } else {
        found
    }
}

fn path(counts: &PathCounts) -> Vec<u64> {
    let mut counts = counts.clone();
    PathClass::ALL
        .into_iter()
        .map(|class| *counts.of(class))
        .collect()
}

fn argv(counts: &ArgvCounts) -> [u64; 5] {
    let ArgvCounts {
        exact,
        truncated,
        joined,
        wrong,
        absent,
    } = *counts;
    [exact, truncated, joined, wrong, absent]
}

fn pid(counts: &PidCounts) -> [u64; 4] {
    let PidCounts {
        host,
        in_namespace,
        wrong,
        absent,
    } = *counts;
    [host, in_namespace, wrong, absent]
}

fn field(counts: &FieldCounts) -> [u64; 3] {
    let FieldCounts {
        right,
        wrong,
        absent,
    } = *counts;
    [right, wrong, absent]
}
