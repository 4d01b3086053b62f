//! All of scoring but the cost: from a record to what is said of it.

use std::collections::BTreeMap;

use execlab_model::{
    Bytes,
    record::{GuestStatus, Record},
    result::{
        ArgvCounts, Completeness, Example, FieldCounts, LabelCounts, Latency, Loss, Memory,
        PathClass, PathCounts, PidCounts, Status, TrialResult, TruthCounts,
    },
    sighting::{Argv, Sighting},
    truth::{Exec, Truth},
    workload::Load,
};

use super::{
    classes::{Classifier, reported_path},
    examples::{Examples, number},
    fields::{self, ArgvClass, FieldClass, PidClass},
    loss::loss,
    matching::{Fate, Joins, Matching, Verdict, match_sightings},
    path::PathVerdict,
    timing::{Latencies, Order},
};

/// Everything in a [`TrialResult`] that follows from its record alone, but the cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// How the trial went.
    pub status: Status,
    /// Why, unless it is `completed`.
    pub reason: Option<String>,
    /// Counts of truth.
    pub truth: TruthCounts,
    /// Execs a second, from the first image's start to the last one's; needs two of them.
    pub achieved_rate: Option<f64>,
    /// By how much an open-loop storm fell behind its schedule at worst, in nanoseconds.
    pub worst_lateness_ns: u64,
    /// What was seen.
    pub completeness: Completeness,
    /// Execs seen only after the drain: neither seen nor missed.
    pub late: u64,
    /// Paths of seen execs.
    pub path: PathCounts,
    /// Strings of calls of seen execs.
    pub given: FieldCounts,
    /// Arguments of seen execs.
    pub argv: ArgvCounts,
    /// Process ids of seen execs.
    pub pid: PidCounts,
    /// Parents of seen execs.
    pub parent: FieldCounts,
    /// Real user ids of seen execs.
    pub credentials: FieldCounts,
    /// Cgroups and namespaces of seen execs.
    pub container: FieldCounts,
    /// Sightings of seen execs that were delivered after one of a later exec.
    pub out_of_order: u64,
    /// Sightings that were joined to an exec although their argv id names something else.
    pub conflicts: u64,
    /// Loss, true and self-reported.
    pub loss: Loss,
    /// Time from the start of the image to the receipt of its sighting; `None` if none was seen.
    pub latency: Option<Latency>,
    /// Memory of the monitor; `None` where it had none.
    pub memory: Option<Memory>,
    /// A few examples of each kind of fault.
    pub examples: Vec<Example>,
    /// What is odd about how sightings were joined. The record's own notes are not repeated here.
    pub notes: Vec<String>,
}

impl Judgement {
    /// Writes itself into the line of its trial; adds to the line's notes.
    ///
    /// Of a baseline only the storm is told: nobody watched, so nothing was missed. Of an
    /// unsupported trial only that.
    pub fn fill(self, line: &mut TrialResult) {
        line.status = self.status;
        line.reason = self.reason;
        if line.status == Status::Unsupported {
            return;
        }
        line.truth = Some(self.truth);
        line.achieved_rate = self.achieved_rate;
        if line.workload.load != Load::Closed {
            line.worst_lateness_ns = Some(self.worst_lateness_ns);
        }
        if !line.is_watched() {
            return;
        }
        line.completeness = Some(self.completeness);
        line.late = self.late;
        line.path = Some(self.path);
        line.given = Some(self.given);
        line.argv = Some(self.argv);
        line.pid = Some(self.pid);
        line.parent = Some(self.parent);
        line.credentials = Some(self.credentials);
        line.container = Some(self.container);
        line.out_of_order = Some(self.out_of_order);
        line.loss = Some(self.loss);
        line.latency = self.latency;
        line.memory = self.memory;
        line.examples = self.examples;
        line.notes.extend(self.notes);
    }
}

/// Judges one record.
///
/// `best` are the path classes that its scenario allows as the best. A monitor that failed is judged
/// all the same: what it did not see it missed.
pub fn judge(record: &Record, best: &[PathClass]) -> Judgement {
    let truth = &record.truth;
    let (status, reason) = match &record.status {
        GuestStatus::Completed => (Status::Completed, None),
        GuestStatus::Unsupported(reason) => (Status::Unsupported, Some(reason.clone())),
        GuestStatus::BackendFailed(reason) => (Status::BackendFailed, Some(reason.clone())),
    };
    let matching = match_sightings(truth, &record.sightings, record.drained_ns);
    let mut tally = Tally::new(record, &matching, best);
    for (at, verdict) in (0_u32..).zip(&matching.verdicts) {
        tally.sighting(at, *verdict);
    }
    for (exec, fate) in truth.execs.iter().zip(&matching.fates) {
        if *fate == Fate::Missed {
            tally.missed(exec);
        }
        if let Some(label) = tally.label(exec) {
            label.execs += 1;
            label.seen += u64::from(matches!(fate, Fate::Seen(_)));
            label.missed += u64::from(*fate == Fate::Missed);
        }
    }
    let Tally {
        completeness,
        late,
        path,
        given,
        argv,
        pid,
        parent,
        credentials,
        container,
        order,
        latencies,
        examples,
        ..
    } = tally;
    Judgement {
        status,
        reason,
        truth: TruthCounts {
            execs: truth.execs.len() as u64,
            attempts: truth.attempts,
            forks: truth.forks,
        },
        achieved_rate: achieved_rate(truth),
        worst_lateness_ns: truth.worst_lateness_ns,
        loss: loss(
            completeness.missed,
            &record.losses,
            (truth.began_ns, truth.finished_ns),
        ),
        completeness,
        late,
        path,
        given,
        argv,
        pid,
        parent,
        credentials,
        container,
        out_of_order: order.out_of_order(),
        conflicts: matching.joins.conflicts,
        latency: latencies.summary(),
        memory: (record.monitor_peak_bytes > 0).then_some(Memory {
            monitor_peak_bytes: record.monitor_peak_bytes,
        }),
        examples: examples.into_vec(),
        notes: notes(&matching.joins),
    }
}

/// Nothing yet, for each label that sites have.
fn labels(truth: &Truth) -> BTreeMap<String, LabelCounts> {
    let labels = truth.sites.iter().map(|site| &site.label);
    let named = labels.filter(|label| !label.is_empty());
    named.map(|l| (l.clone(), LabelCounts::default())).collect()
}

/// Execs a second between the first and the last start of an image.
fn achieved_rate(truth: &Truth) -> Option<f64> {
    let starts = || truth.execs.iter().map(|exec| exec.started_ns);
    let span_ns = starts().max()? - starts().min()?;
    let gaps = truth.execs.len() - 1;
    (span_ns > 0).then(|| gaps as f64 * 1e9 / span_ns as f64)
}

fn notes(joins: &Joins) -> Vec<String> {
    let note = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    [
        note(
            joins.by_ns_pid,
            "sightings without a host pid: joined by in-namespace pid and container",
        ),
        note(
            joins.by_id,
            "sightings without any pid to go by: joined by argv id",
        ),
        note(
            joins.by_path,
            "sightings of a file alone: joined by its path",
        ),
        note(
            joins.conflicts,
            "sightings whose argv id names another exec than their pid and time",
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Counts as they grow.
struct Tally<'a> {
    record: &'a Record,
    matching: &'a Matching,
    best: &'a [PathClass],
    classifier: Classifier<'a>,
    completeness: Completeness,
    late: u64,
    path: PathCounts,
    given: FieldCounts,
    argv: ArgvCounts,
    pid: PidCounts,
    parent: FieldCounts,
    credentials: FieldCounts,
    container: FieldCounts,
    order: Order,
    latencies: Latencies,
    examples: Examples,
}

impl<'a> Tally<'a> {
    fn new(record: &'a Record, matching: &'a Matching, best: &'a [PathClass]) -> Self {
        Self {
            record,
            matching,
            best,
            classifier: Classifier::new(record, matching),
            completeness: Completeness {
                by_label: labels(&record.truth),
                ..Completeness::default()
            },
            late: 0,
            path: PathCounts::default(),
            given: FieldCounts::default(),
            argv: ArgvCounts::default(),
            pid: PidCounts::default(),
            parent: FieldCounts::default(),
            credentials: FieldCounts::default(),
            container: FieldCounts::default(),
            order: Order::default(),
            latencies: Latencies::with_capacity(record.truth.execs.len()),
            examples: Examples::default(),
        }
    }

    /// The counts of an exec's label, if its site has one.
    fn label(&mut self, exec: &Exec) -> Option<&mut LabelCounts> {
        let label = &self.record.truth.site(exec).label;
        self.completeness.by_label.get_mut(label)
    }

    fn sighting(&mut self, at: u32, verdict: Verdict) {
        let record = self.record;
        let sighting = &record.sightings[at as usize];
        match verdict {
            Verdict::Seen(exec) => self.seen(at, sighting, exec),
            Verdict::Late(exec) => {
                self.late += 1;
                let exec = &record.truth.execs[exec as usize];
                self.examples
                    .add("late", exec, || (None, sighting.path.clone()));
            }
            Verdict::Duplicate(_) => self.completeness.duplicates += 1,
            Verdict::Phantom => {
                self.completeness.phantoms += 1;
                let pid = sighting.pid.or(sighting.ns_pid);
                self.examples.add_phantom(pid, sighting.path.as_ref());
            }
            Verdict::Foreign => self.completeness.foreign += 1,
        }
    }

    fn missed(&mut self, exec: &'a Exec) {
        self.completeness.missed += 1;
        let site = self.record.truth.site(exec);
        let path = || (Some(site.frames.exact.clone()), None);
        self.examples.add("missed", exec, path);
    }

    fn seen(&mut self, at: u32, sighting: &Sighting, index: u32) {
        let truth = &self.record.truth;
        let exec = &truth.execs[index as usize];
        let site = truth.site(exec);
        let classes = self.classifier.classes(at, index);
        self.completeness.seen += 1;
        self.latencies.add(exec.started_ns, sighting.received_ns);
        let slot = self.matching.lanes.slot(index);
        self.order.add(slot.from, slot.started);
        self.path(classes.path, exec, sighting);
        *classes.given.count(&mut self.given) += 1;
        self.argv(classes.argv, exec, sighting);
        self.pid(classes.pid, at, exec, sighting);

        *classes.parent.count(&mut self.parent) += 1;
        if classes.parent == FieldClass::Wrong {
            self.examples.add("parent", exec, || {
                (Some(number(exec.parent)), sighting.ppid.map(number))
            });
        }
        *classes.credentials.count(&mut self.credentials) += 1;
        if classes.credentials == FieldClass::Wrong {
            self.examples.add("credentials", exec, || {
                (Some(number(exec.uid)), sighting.uid.map(number))
            });
        }
        *classes.container.count(&mut self.container) += 1;
        if classes.container == FieldClass::Wrong {
            self.examples.add("container", exec, || {
                fields::container_words(sighting, site)
            });
        }
    }

    fn path(&mut self, verdict: PathVerdict, exec: &Exec, sighting: &Sighting) {
        let PathVerdict { class, suffixed } = verdict;
        *self.path.of(class) += 1;
        self.path.suffixed += u64::from(suffixed);
        if self.best.contains(&class) {
            self.path.best += 1;
            if let Some(label) = self.label(exec) {
                label.best_path += 1;
            }
        } else if class != PathClass::Absent {
            let expected = &self.record.truth.site(exec).frames.exact;
            self.examples.add("path", exec, || {
                (Some(expected.clone()), reported_path(sighting).cloned())
            });
        }
    }

    fn argv(&mut self, class: ArgvClass, exec: &Exec, sighting: &Sighting) {
        *class.count(&mut self.argv) += 1;
        if class == ArgvClass::Wrong {
            let truth = &self.record.truth;
            self.examples.add("argv", exec, || {
                let expected = Bytes(fields::joined_argv(truth, exec));
                (Some(expected), sighting.argv.as_ref().map(words))
            });
        }
    }

    fn pid(&mut self, class: PidClass, at: u32, exec: &Exec, sighting: &Sighting) {
        *class.count(&mut self.pid) += 1;
        if class == PidClass::Wrong {
            // Told by the arguments: the pid that the exec they name really has.
            let named = self.classifier.other_by_arguments(at, exec);
            let expected = named.unwrap_or(exec).pid;
            self.examples.add("pid", exec, || {
                (
                    Some(number(expected)),
                    sighting.pid.or(sighting.ns_pid).map(number),
                )
            });
        }
    }
}

/// Arguments as one string, for people.
pub(crate) fn words(argv: &Argv) -> Bytes {
    match argv {
        Argv::Joined(words) => words.clone(),
        Argv::List(list) => {
            let list: Vec<&[u8]> = list.iter().map(Bytes::as_slice).collect();
            Bytes(list.join(&b' '))
        }
    }
}
