//! How each field of the sighting by which an exec was seen compares with the truth: exec by exec what
//! [`judge()`](super::judge()) counts.

use execlab_model::{
    Bytes,
    record::Record,
    sighting::Sighting,
    truth::{Exec, Site},
};

use super::{
    fields::{self, ArgvClass, FieldClass, PidClass},
    matching::{Fate, Matching, match_sightings},
    path::{Names, PathVerdict},
};

/// The classes of one sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classes {
    /// Of its path.
    pub path: PathVerdict,
    /// Of the string of the call.
    pub given: FieldClass,
    /// Of its arguments.
    pub argv: ArgvClass,
    /// Of its process id.
    pub pid: PidClass,
    /// Of the parent's process id.
    pub parent: FieldClass,
    /// Of the real user id.
    pub credentials: FieldClass,
    /// Of cgroup and namespaces.
    pub container: FieldClass,
}

/// Compares sightings with execs; made once for a record.
#[derive(Debug)]
pub struct Classifier<'a> {
    record: &'a Record,
    matching: &'a Matching,
    /// For each site, its execs' names.
    names: Vec<Names<'a>>,
}

impl<'a> Classifier<'a> {
    /// For a record whose sightings are joined.
    pub fn new(record: &'a Record, matching: &'a Matching) -> Self {
        Self {
            record,
            matching,
            names: record.truth.sites.iter().map(Names::new).collect(),
        }
    }

    /// The classes of a sighting as one of an exec; both are named by their indices.
    pub fn classes(&self, sighting: u32, exec: u32) -> Classes {
        let (at, index) = (sighting, exec);
        let truth = &self.record.truth;
        let sighting = &self.record.sightings[at as usize];
        let exec = &truth.execs[index as usize];
        let site = truth.site(exec);
        Classes {
            path: self.path(index, exec, sighting),
            given: fields::given(sighting, site),
            argv: fields::argv(sighting, exec, site),
            pid: fields::pid(sighting, exec, self.other_by_arguments(at, exec)),
            parent: fields::parent(sighting, exec),
            credentials: fields::credentials(sighting, exec),
            container: fields::container(sighting, site),
        }
    }

    /// The exec that a sighting's arguments name, if that is another one.
    pub fn other_by_arguments(&self, sighting: u32, exec: &Exec) -> Option<&'a Exec> {
        let id = self.matching.id(sighting).filter(|&id| id != exec.id)?;
        let named = self.matching.exec_of_id(id)?;
        Some(&self.record.truth.execs[named as usize])
    }

    fn path(&self, index: u32, exec: &Exec, sighting: &Sighting) -> PathVerdict {
        let truth = &self.record.truth;
        let names = &self.names[exec.site as usize];
        names.classify(reported_path(sighting), || {
            let neighbours = self.matching.lanes.neighbours(&truth.execs, index);
            neighbours.map(|n| -> &Site { truth.site(&truth.execs[n as usize]) })
        })
    }
}

/// By what a sighting names the file. A monitor that has only the string of the call still names it by that.
pub fn reported_path(sighting: &Sighting) -> Option<&Bytes> {
    sighting.path.as_ref().or(sighting.given.as_ref())
}

/// What became of every exec and of every sighting of a record.
#[derive(Debug)]
pub struct Verdicts {
    /// Who means whom.
    pub matching: Matching,
    /// For each exec in the order of the truth, how the sighting by which it was seen, in time or late, compares;
    /// `None` for those that were missed.
    pub classes: Vec<Option<Classes>>,
}

/// Judges a record exec by exec, as [`judge()`](super::judge()) does.
pub fn verdicts(record: &Record) -> Verdicts {
    let matching = match_sightings(&record.truth, &record.sightings, record.drained_ns);
    let classifier = Classifier::new(record, &matching);
    let classes = (0_u32..)
        .zip(&matching.fates)
        .map(|(exec, fate)| match *fate {
            Fate::Seen(sighting) | Fate::Late(sighting) => Some(classifier.classes(sighting, exec)),
            Fate::Missed => None,
        })
        .collect();
    Verdicts { matching, classes }
}
