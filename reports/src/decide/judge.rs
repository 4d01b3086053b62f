//! What speaks for and against each candidate, trial by trial.

use execlab_model::result::{Status, TrialResult};

use super::{
    About, Deployment, Figure, Objection, Question,
    need::{HONESTY, is_of_containers, metric},
    scope::{Place, Scope},
};
use crate::{
    metric::{Metric, Polarity, Reading, Unit},
    text::{clean, list, shorten},
};

/// Metrics that every candidate is shown with, whatever was asked.
pub(super) const SHOWN: [&str; 7] = [
    "completeness",
    "path_accuracy",
    "container",
    "added_per_exec",
    "latency_p99",
    "memory_peak",
    "honesty",
];

/// What is objected to, for counting what would be without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cause {
    /// Index into the properties of the question.
    Property(usize),
    Status,
    /// Index into its needs.
    Need(usize),
    /// It did not come out the same a second time.
    Repeat,
    Absent,
    /// Nobody was measured on a kernel that was asked for.
    Unmeasured,
}

/// One objection of one trial.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    pub cause: Cause,
    pub is_against: bool,
    pub is_unsupported: bool,
    /// Nowhere for what holds everywhere.
    pub place: Option<Place>,
    pub trial: Option<String>,
    pub said: String,
    badness: f64,
}

impl Raw {
    fn new(cause: Cause, is_against: bool, said: String) -> Self {
        Self {
            cause,
            is_against,
            is_unsupported: false,
            place: None,
            trial: None,
            said,
            badness: 0.0,
        }
    }
}

/// A candidate with all that was found.
pub(super) struct Judged {
    pub backend: usize,
    pub name: String,
    pub deployment: Option<Deployment>,
    pub figures: Vec<Figure>,
    pub raw: Vec<Raw>,
}

impl Judged {
    pub(super) fn remains(&self) -> bool {
        self.raw.is_empty()
    }

    pub(super) fn has_fallen(&self) -> bool {
        self.raw.iter().any(|raw| raw.is_against)
    }

    pub(super) fn figure(&self, id: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.metric == id)
    }

    /// The worst number, where every trial has one.
    pub(super) fn whole(&self, id: &str) -> Option<f64> {
        let figure = self.figure(id).filter(|figure| figure.missing == 0)?;
        figure.value
    }

    /// Objections of one cause and kind as one.
    pub(super) fn objections(&self, scope: &Scope<'_>, question: &Question) -> Vec<Objection> {
        let mut keys: Vec<(Cause, bool, bool)> = Vec::new();
        for raw in &self.raw {
            let key = (raw.cause, !raw.is_against, raw.is_unsupported);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys.sort_unstable_by_key(|&(cause, open, unsupported)| (open, cause, unsupported));
        let of_key = |&(cause, open, unsupported): &(Cause, bool, bool)| {
            let all = self.raw.iter().filter(move |raw| {
                (raw.cause, !raw.is_against, raw.is_unsupported) == (cause, open, unsupported)
            });
            let mut worst: Option<&Raw> = None;
            for raw in all.clone() {
                if worst.is_none_or(|known| raw.badness > known.badness) {
                    worst = Some(raw);
                }
            }
            let worst = worst.expect("the key was made of one");
            let mut kernels: Vec<usize> = all
                .clone()
                .filter_map(|raw| Some(raw.place?.kernel))
                .collect();
            kernels.sort_unstable();
            kernels.dedup();
            Objection {
                about: match cause {
                    Cause::Property(_) => About::Deployment,
                    Cause::Status | Cause::Repeat => About::Status,
                    Cause::Need(_) => About::Need,
                    Cause::Absent | Cause::Unmeasured => About::Absent,
                },
                what: match cause {
                    Cause::Status if unsupported => "works on every kernel".to_owned(),
                    Cause::Status => "every trial is completed".to_owned(),
                    Cause::Repeat => "every trial repeats".to_owned(),
                    Cause::Absent => "measured everywhere".to_owned(),
                    Cause::Unmeasured => "measured on every kernel asked for".to_owned(),
                    cause => describe(cause, question),
                },
                is_against: !open,
                said: worst.said.clone(),
                trial: worst.trial.clone(),
                trials: all.filter(|raw| raw.place.is_some()).count(),
                kernels: match cause {
                    Cause::Unmeasured => scope.unmeasured.clone(),
                    _ => kernels.into_iter().map(|k| scope.kernel(k)).collect(),
                },
            }
        };
        keys.iter().map(of_key).collect()
    }
}

/// A need in its grammar, or a property by its name.
pub(super) fn describe(cause: Cause, question: &Question) -> String {
    match cause {
        Cause::Property(at) => format!("without {}", question.without[at].name),
        Cause::Need(at) => question.needs[at].to_string(),
        Cause::Status | Cause::Repeat | Cause::Absent | Cause::Unmeasured => String::new(),
    }
}

/// Every candidate.
pub(super) fn judge(scope: &Scope<'_>, question: &Question) -> Vec<Judged> {
    let judged = |&backend: &usize| {
        let spec = scope.matrix.backends[backend].spec;
        let deployment = question.deployments.get(spec).cloned();
        let mut raw = deployed(deployment.as_ref(), question);
        raw.extend(nowhere_asked(scope, question));
        raw.extend(unmeasured(scope));
        for &place in &scope.places {
            at_place(scope, question, backend, place, &mut raw);
        }
        Judged {
            backend,
            name: scope.name(backend),
            figures: figures(scope, question, backend),
            deployment,
            raw,
        }
    };
    scope.candidates.iter().map(judged).collect()
}

fn deployed(deployment: Option<&Deployment>, question: &Question) -> Vec<Raw> {
    let properties = question.without.iter().enumerate();
    let object = |(at, property): (usize, &super::Property)| match deployment {
        None => Some(Raw::new(
            Cause::Property(at),
            false,
            "nobody said what it asks of those who deploy it".into(),
        )),
        Some(deployment) => deployment
            .properties
            .contains(&property.name)
            .then(|| Raw::new(Cause::Property(at), true, property.about.clone())),
    };
    properties.filter_map(object).collect()
}

/// A need that nothing in scope can say anything of is not met by that.
fn nowhere_asked(scope: &Scope<'_>, question: &Question) -> Vec<Raw> {
    let needs = question.needs.iter().enumerate();
    let no_container = !scope.contained.contains(&true);
    needs
        .filter(|(_, need)| need.is_of_containers() && no_container)
        .map(|(at, _)| {
            let said = "no container scenario is in scope";
            Raw::new(Cause::Need(at), false, said.into())
        })
        .collect()
}

/// On a kernel on which nothing was measured, nobody is known to be good.
fn unmeasured(scope: &Scope<'_>) -> Option<Raw> {
    let said = || format!("no trial was made on {}", list(&scope.unmeasured));
    let is_any = !scope.unmeasured.is_empty();
    is_any.then(|| Raw::new(Cause::Unmeasured, false, said()))
}

fn at_place(
    scope: &Scope<'_>,
    question: &Question,
    backend: usize,
    place: Place,
    raw: &mut Vec<Raw>,
) {
    let mut found = false;
    for trial in trials(scope, backend, place) {
        found = true;
        let mut object = |object: Raw| {
            raw.push(Raw {
                place: Some(place),
                trial: Some(clean(&trial.trial)),
                ..object
            });
        };
        let reason = || {
            let reason = trial.reason.as_deref().unwrap_or("no reason was given");
            format!("{}: {}", trial.status, shorten(&clean(reason), 300))
        };
        if let Some(differing) = scope.differing(trial) {
            let said = clean(&differing.to_string());
            object(Raw::new(Cause::Repeat, false, said));
        }
        match trial.status {
            Status::Unsupported => object(Raw {
                is_unsupported: true,
                ..Raw::new(Cause::Status, true, reason())
            }),
            // The monitor died or hung while it watched: that is a measurement, and no good one.
            Status::BackendFailed => object(Raw::new(Cause::Status, true, reason())),
            Status::Lost | Status::Infra => object(Raw::new(Cause::Status, false, reason())),
            Status::Completed => {
                for (at, need) in question.needs.iter().enumerate() {
                    if need.is_of_containers() && !scope.contained[place.setup] {
                        continue;
                    }
                    let cause = Cause::Need(at);
                    match need.metric.of(trial) {
                        None => object(Raw::new(cause, false, why_absent(need.metric, trial))),
                        Some(reading) if need.is_met(reading) => {}
                        Some(reading) => object(Raw {
                            badness: need.badness(reading),
                            ..Raw::new(cause, true, print(need.metric, reading))
                        }),
                    }
                }
            }
        }
    }
    if !found {
        let said = format!(
            "there is no trial of it in {}, on {}, of seed {}",
            scope.matrix.setups[place.setup].label,
            scope.kernel(place.kernel),
            place.seed
        );
        raw.push(Raw {
            place: Some(place),
            ..Raw::new(Cause::Absent, false, said)
        });
    }
}

/// Of one seed; in several runs there may be several.
fn trials<'s, 'a>(
    scope: &'s Scope<'a>,
    backend: usize,
    place: Place,
) -> impl Iterator<Item = &'a TrialResult> + use<'s, 'a> {
    let at = crate::matrix::At {
        setup: place.setup,
        kernel: place.kernel,
        backend,
    };
    let cell = scope.matrix.cell(at);
    let trials = cell
        .into_iter()
        .flat_map(|cell| cell.trials.iter().copied());
    trials.filter(move |trial| trial.seed == place.seed)
}

fn why_absent(metric: &Metric, trial: &TrialResult) -> String {
    if metric.is_difference() || trial.cost.is_none() && metric.unit == Unit::CostPerExec {
        let note = trial.notes.iter().find(|n| n.starts_with("not compared"));
        let why = note.map_or_else(
            || "there is no baseline".into(),
            |n| shorten(&clean(n), 300),
        );
        return format!("no value: {why}");
    }
    let seen = trial.completeness.as_ref().map_or(0, |c| c.seen);
    if seen == 0 {
        "no value: no exec was seen".into()
    } else {
        "no value".into()
    }
}

/// A reading for people.
pub(super) fn print(metric: &Metric, reading: Reading) -> String {
    match reading {
        Reading::Number(number) => metric.print(number),
        Reading::Word(word) => word.to_owned(),
    }
}

/// What the worst trial shows.
fn figures(scope: &Scope<'_>, question: &Question, backend: usize) -> Vec<Figure> {
    let mut ids: Vec<&str> = SHOWN.to_vec();
    for need in &question.needs {
        if !ids.contains(&need.metric.id) {
            ids.push(need.metric.id);
        }
    }
    let figure = |id: &str| {
        let metric = metric(id);
        let mut worst: Option<(Reading, &TrialResult)> = None;
        let mut missing = 0;
        for trial in readable(scope, backend, metric) {
            match metric
                .of(trial)
                .filter(|_| trial.status == Status::Completed)
            {
                None => missing += 1,
                Some(reading) => {
                    let is_worse =
                        |known: Reading| badness(metric, reading) > badness(metric, known);
                    if worst.is_none_or(|(known, _)| is_worse(known)) {
                        worst = Some((reading, trial));
                    }
                }
            }
        }
        Figure {
            metric: id.to_owned(),
            value: worst.and_then(|(reading, _)| match reading {
                Reading::Number(number) => Some(number),
                Reading::Word(_) => None,
            }),
            shown: worst.map_or_else(|| "n/a".into(), |(reading, _)| print(metric, reading)),
            trial: worst.map(|(_, trial)| clean(&trial.trial)),
            missing,
        }
    };
    ids.into_iter().map(figure).collect()
}

/// The trials of a candidate in which a metric has a meaning.
pub(super) fn readable<'s, 'a>(
    scope: &'s Scope<'a>,
    backend: usize,
    metric: &'static Metric,
) -> impl Iterator<Item = &'a TrialResult> + use<'s, 'a> {
    let cells = scope.cells(backend);
    let cells =
        cells.filter(move |cell| !is_of_containers(metric) || scope.contained[cell.at.setup]);
    cells.flat_map(|cell| cell.trials.iter().copied())
}

/// Of several readings the largest is the worst; a word in the place of a number is worse than all.
fn badness(metric: &Metric, reading: Reading) -> f64 {
    match (reading, metric.polarity) {
        (Reading::Number(number), Polarity::Higher) => -number,
        (Reading::Number(number), _) => number,
        (Reading::Word(word), _) => {
            let place = HONESTY.iter().position(|known| *known == word);
            place.map_or(f64::INFINITY, |place| place as f64)
        }
    }
}
