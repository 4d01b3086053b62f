//! Which of those that remain is recommended, and by which rule.

use std::cmp::Ordering;

use super::{
    Candidate, Outcome, Question, Recommendation,
    judge::{Cause, Judged},
    need::metric,
    scope::Scope,
};
use crate::{
    metric::Polarity,
    order::natural,
    text::{list, plural},
};

/// What came of all candidates.
pub(super) struct Chosen {
    pub outcome: Outcome,
    pub recommendation: Option<Recommendation>,
    pub remain: Vec<Candidate>,
    pub undecided: Vec<Candidate>,
    pub fallen: Vec<Candidate>,
    /// Indices of the judged that remain, the best first.
    pub order: Vec<usize>,
}

/// By which metrics two candidates are told apart, in words too; the first that differs decides.
fn metrics(question: &Question) -> [(&'static str, &'static str); 4] {
    let completeness = ("completeness", "the highest completeness");
    let cost = ("added_per_exec", "the least added cost per exec");
    // Who misses execs does less, and seems cheaper: where nobody asked for completeness, it comes first.
    let asked = question.needs.iter().any(|n| n.metric.id == "completeness");
    let [first, second] = if asked {
        [cost, completeness]
    } else {
        [completeness, cost]
    };
    let path = ("path_accuracy", "the highest path accuracy");
    let latency = ("latency_p99", "the shortest latency (99th percentile)");
    [first, second, path, latency]
}

/// The rule in sentences.
pub(super) fn rule(question: &Question) -> Vec<String> {
    let names = metrics(question).map(|(_, words)| words);
    let mut rule = vec![
        "A candidate remains if every trial of it in scope was completed and meets every need; the worst trial counts, never a mean.".to_owned(),
        "A trial that shows otherwise, a kernel on which it cannot work, or a monitor that died makes it fall. What was not measured, or did not repeat, makes it neither remain nor fall: it is undecided.".to_owned(),
        format!(
            "Of those that remain the recommended one has, in its worst trial, {}: the first that differs decides, and a figure that some trial does not have comes last.",
            names.join(", then ")
        ),
    ];
    if question
        .needs
        .iter()
        .any(|n| n.metric.id == "path_accuracy")
    {
        rule.push("The need path=exact asks for the best class of path that the scenario allows: the canonical path wherever there is one, and no more than the file has where there is none (a memfd).".to_owned());
    }
    if question.needs.iter().any(super::Need::is_of_containers) {
        rule.push(
            "What is asked of the container is asked in container scenarios, and nowhere else."
                .to_owned(),
        );
    }
    rule
}

/// The better one first.
pub(super) fn compare(question: &Question, a: &Judged, b: &Judged) -> Ordering {
    for (id, _) in metrics(question) {
        let order = match (a.whole(id), b.whole(id)) {
            (Some(x), Some(y)) if metric(id).polarity == Polarity::Higher => y.total_cmp(&x),
            (Some(x), Some(y)) => x.total_cmp(&y),
            (x, y) => y.is_some().cmp(&x.is_some()),
        };
        if order.is_ne() {
            return order;
        }
    }
    natural(&a.name, &b.name)
}

/// Sorts candidates and recommends one.
pub(super) fn choose(scope: &Scope<'_>, question: &Question, judged: &[Judged]) -> Chosen {
    let candidate = |judged: &Judged| Candidate {
        name: judged.name.clone(),
        deployment: judged.deployment.clone(),
        figures: judged.figures.clone(),
        objections: judged.objections(scope, question),
    };
    let sorted = |is: &dyn Fn(&Judged) -> bool| -> Vec<usize> {
        let mut all: Vec<usize> = (0..judged.len()).filter(|&at| is(&judged[at])).collect();
        all.sort_by(|&a, &b| compare(question, &judged[a], &judged[b]));
        all
    };
    let candidates = |all: &[usize]| all.iter().map(|&at| candidate(&judged[at])).collect();
    let order = sorted(&Judged::remains);
    let undecided = sorted(&|j| !j.remains() && !j.has_fallen());
    let fallen = sorted(&Judged::has_fallen);
    let is_cost = |cause: Cause| matches!(cause, Cause::Need(at) if question.needs[at].is_cost());
    let only_cost = |j: &Judged| j.has_fallen() && j.raw.iter().all(|raw| is_cost(raw.cause));
    let outcome = if !order.is_empty() {
        Outcome::Recommended
    } else if !undecided.is_empty() {
        Outcome::NotMeasured
    } else if judged.iter().any(only_cost) {
        Outcome::CostExcludesAll
    } else {
        Outcome::NothingMeets
    };
    let names =
        |all: &[usize]| -> Vec<String> { all.iter().map(|&at| judged[at].name.clone()).collect() };
    Chosen {
        outcome,
        recommendation: order.split_first().map(|(&best, rest)| {
            let second = rest.first().map(|&at| &judged[at]);
            recommend(scope, question, &judged[best], second, &names(&undecided))
        }),
        remain: candidates(&order),
        undecided: candidates(&undecided),
        fallen: candidates(&fallen),
        order,
    }
}

fn recommend(
    scope: &Scope<'_>,
    question: &Question,
    best: &Judged,
    second: Option<&Judged>,
    undecided: &[String],
) -> Recommendation {
    let trials: usize = scope.cells(best.backend).map(|c| c.trials.len()).sum();
    let needs = if question.needs.is_empty() && question.without.is_empty() {
        "No needs were named; it"
    } else {
        "It meets every need and"
    };
    let mut why = vec![format!(
        "{needs} completed all of its {} in scope.",
        plural(trials, "trial")
    )];
    let unit = |id: &str| {
        if metric(id).is_difference() {
            format!(" {} per exec", scope.matrix.cost_unit())
        } else {
            String::new()
        }
    };
    let shown = |judged: &Judged, id: &str| {
        let figure = judged.figure(id).expect("every candidate has it");
        match figure.missing {
            0 => format!("{}{}", figure.shown, unit(id)),
            missing => format!(
                "{} (not measured in {})",
                figure.shown,
                plural(missing, "trial")
            ),
        }
    };
    if let Some(second) = second {
        let mut by = metrics(question).into_iter();
        why.push(
            match by.find(|(id, _)| best.whole(id) != second.whole(id)) {
                Some((id, _)) => format!(
                    "By {} it comes before {}, which is next: {} against {}, each at worst.",
                    metric(id).title.to_lowercase(),
                    second.name,
                    shown(best, id),
                    shown(second, id)
                ),
                None => format!("{} is as good by the rule; the name decided.", second.name),
            },
        );
    } else {
        why.push(format!(
            "Nothing else remains. At worst it adds {} and sees {} of the execs.",
            shown(best, "added_per_exec"),
            shown(best, "completeness")
        ));
    }
    if !undecided.is_empty() {
        why.push(format!(
            "{} may be better, and {} undecided: see below why, and what to measure.",
            list(undecided),
            if undecided.len() == 1 { "is" } else { "are" }
        ));
    }
    Recommendation {
        candidate: best.name.clone(),
        why,
    }
}
