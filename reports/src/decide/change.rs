//! What would change the decision: which need, property, kernel or workload alone keeps something out.

use std::collections::BTreeSet;

use super::{
    Changes, LetIn, Near, NeedChange, PlaceChange, Question,
    choose::compare,
    judge::{Cause, Judged, Raw, describe, readable},
    scope::Scope,
};
use crate::metric::Reading;

/// Of those that lack least, so many are named.
const NEAREST: usize = 5;

/// All of it; `order` has those that remain, the best first.
pub(super) fn changes(
    scope: &Scope<'_>,
    question: &Question,
    judged: &[Judged],
    order: &[usize],
) -> Changes {
    let best = order.first().map(|&at| &judged[at]);
    let causes = (0..question.needs.len())
        .map(Cause::Need)
        .chain((0..question.without.len()).map(Cause::Property));
    let needs = causes
        .map(|cause| NeedChange {
            what: describe(cause, question),
            lets_in: lets_in(scope, question, judged, cause, best),
        })
        .filter(|change| !change.lets_in.is_empty());
    let kernels = (0..scope.matrix.kernels.len()).map(|at| {
        place(judged, scope.kernel(at), |raw| {
            raw.place.is_some_and(|p| p.kernel == at)
        })
    });
    let workloads = (0..scope.matrix.setups.len()).map(|at| {
        let label = scope.matrix.setups[at].label.clone();
        place(judged, label, |raw| {
            raw.place.is_some_and(|p| p.setup == at)
        })
    });
    Changes {
        needs: needs.collect(),
        kernels: worst_first(kernels.collect()),
        workloads: worst_first(workloads.collect()),
        nearest: if best.is_some() {
            Vec::new()
        } else {
            nearest(scope, question, judged)
        },
    }
}

fn lets_in<'j>(
    scope: &Scope<'_>,
    question: &Question,
    judged: &'j [Judged],
    cause: Cause,
    best: Option<&'j Judged>,
) -> Vec<LetIn> {
    let is_kept_out = |j: &&Judged| {
        let alone = j.raw.iter().all(|raw| raw.cause == cause);
        // Of what was not measured nobody knows whether it would be let in.
        !j.remains() && alone && j.raw.iter().all(|raw| raw.is_against)
    };
    let mut kept_out: Vec<&'j Judged> = judged.iter().filter(is_kept_out).collect();
    let far = |j: &Judged| match cause {
        Cause::Need(at) => readings(scope, question, j, cause)
            .into_iter()
            .map(|reading| question.needs[at].badness(reading))
            .fold(0.0, f64::max),
        _ => 0.0,
    };
    kept_out.sort_by(|a, b| {
        let order = far(a).total_cmp(&far(b));
        order.then_with(|| compare(question, a, b))
    });
    // What a smaller loosening lets in is there too.
    let mut best = best;
    let let_in = |j: &'j Judged| {
        let wins = best.is_none_or(|best| compare(question, j, best).is_lt());
        if wins {
            best = Some(j);
        }
        let with = match cause {
            Cause::Need(at) => question.needs[at].loosened(&readings(scope, question, j, cause)),
            _ => None,
        };
        let cost = j.figure("added_per_exec").filter(|f| f.value.is_some());
        LetIn {
            candidate: j.name.clone(),
            with: with.map(|need| need.to_string()),
            wins,
            cost: cost.map(|figure| figure.shown.clone()),
        }
    };
    kept_out.into_iter().map(let_in).collect()
}

/// What a candidate shows of a need in all its trials in scope.
fn readings(scope: &Scope<'_>, question: &Question, judged: &Judged, cause: Cause) -> Vec<Reading> {
    let Cause::Need(at) = cause else {
        return Vec::new();
    };
    let metric = question.needs[at].metric;
    readable(scope, judged.backend, metric)
        .filter_map(|trial| metric.of(trial))
        .collect()
}

fn place(judged: &[Judged], place: String, is_here: impl Fn(&Raw) -> bool) -> PlaceChange {
    let any = |is: &dyn Fn(&Raw) -> bool| {
        let has = |j: &&Judged| j.raw.iter().any(|raw| is_here(raw) && is(raw));
        judged.iter().filter(has).count()
    };
    let only_here = |j: &&Judged| !j.remains() && j.raw.iter().all(&is_here);
    PlaceChange {
        against: any(&|raw| raw.is_against),
        unsupported: any(&|raw| raw.is_unsupported),
        lets_in: judged
            .iter()
            .filter(only_here)
            .map(|j| j.name.clone())
            .collect(),
        place,
    }
}

/// Where most cannot work, then what alone keeps most out; those that keep nothing out are left away.
fn worst_first(mut places: Vec<PlaceChange>) -> Vec<PlaceChange> {
    places.retain(|p| p.unsupported > 0 || !p.lets_in.is_empty());
    places.sort_by_key(|p| std::cmp::Reverse((p.unsupported, p.lets_in.len())));
    places
}

fn nearest(scope: &Scope<'_>, question: &Question, judged: &[Judged]) -> Vec<Near> {
    let mut fallen: Vec<(usize, &Judged)> = judged
        .iter()
        .filter(|j| !j.remains())
        .map(|j| {
            let causes: BTreeSet<(Cause, bool)> = j
                .raw
                .iter()
                .map(|raw| (raw.cause, raw.is_against))
                .collect();
            (causes.len(), j)
        })
        .collect();
    fallen.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| compare(question, x, y)));
    fallen
        .into_iter()
        .take(NEAREST)
        .map(|(_, j)| Near {
            candidate: j.name.clone(),
            lacks: j
                .objections(scope, question)
                .into_iter()
                .map(|objection| format!("{}: {}", objection.what, objection.said))
                .collect(),
        })
        .collect()
}
