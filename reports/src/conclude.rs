//! What to conclude: a few sentences computed from the results.

mod cost;

use execlab_model::result::Status;

use crate::{
    matrix::{At, Cell, Matrix, Role, is_silent},
    metric::Metric,
    number,
    text::{list, plural},
};

/// Three to five sentences, plain text without anything hostile.
pub fn conclude(matrix: &Matrix<'_>) -> Vec<String> {
    let backends = of_backends(matrix);
    if matrix.cells().next().is_none() {
        return vec!["There are no results, so nothing can be concluded.".into()];
    }
    if backends.is_empty() {
        return vec!["Only the baseline was run, so nothing was watched and nothing can be concluded about backends.".into()];
    }
    [
        vec![completeness(&backends)],
        cost::cost(matrix, &backends),
        loss(matrix, &backends).into_iter().collect(),
        silence(&backends).into_iter().collect(),
        vec![without_result(matrix)],
    ]
    .concat()
}

/// One backend's cells.
struct OfBackend<'m, 'a> {
    label: &'m str,
    all: usize,
    scored: Vec<&'m Cell<'a>>,
}

impl OfBackend<'_, '_> {
    /// The worst seed of the worst cell, and where.
    fn worst(&self, id: &str) -> Option<(f64, At)> {
        self.scored
            .iter()
            .filter_map(|c| Some((figure(c, id)?.min, c.at)))
            .min_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Whether a monitor died or hung: what it saw until then recommends nobody.
    fn failed(&self) -> bool {
        let trials = || self.scored.iter().flat_map(|c| &c.trials);
        trials().any(|t| t.status == Status::BackendFailed)
    }

    fn all_of(&self, id: &str) -> bool {
        self.worst(id).is_some_and(|(worst, _)| worst >= 1.0)
    }

    fn mean(&self, id: &str) -> Option<f64> {
        let means: Vec<f64> = self
            .scored
            .iter()
            .filter_map(|c| Some(figure(c, id)?.mean))
            .collect();
        (!means.is_empty()).then(|| means.iter().sum::<f64>() / means.len() as f64)
    }

    /// The name, and in how many cells it has a result if not in all.
    fn named(&self) -> String {
        if self.scored.len() == self.all {
            self.label.to_owned()
        } else {
            format!(
                "{} (a result in only {} of {} cells)",
                self.label,
                self.scored.len(),
                self.all
            )
        }
    }
}

fn figure(cell: &Cell<'_>, id: &str) -> Option<crate::matrix::Spread> {
    cell.figure(Metric::by_id(id).expect("a metric of the table"))
        .numbers
}

fn of_backends<'m, 'a>(matrix: &'m Matrix<'a>) -> Vec<OfBackend<'m, 'a>> {
    let all = matrix
        .backends
        .iter()
        .enumerate()
        .filter(|(_, b)| b.role == Role::Watcher);
    all.map(|(at, backend)| {
        let cells: Vec<_> = matrix.watched().filter(|c| c.at.backend == at).collect();
        OfBackend {
            label: &backend.brief,
            all: cells.len(),
            scored: cells.into_iter().filter(|c| c.is_scored()).collect(),
        }
    })
    .collect()
}

fn whole<'b, 'm, 'a>(backends: &'b [OfBackend<'m, 'a>]) -> Vec<&'b OfBackend<'m, 'a>> {
    backends
        .iter()
        .filter(|b| b.all_of("completeness") && !b.failed())
        .collect()
}

fn completeness(backends: &[OfBackend<'_, '_>]) -> String {
    let complete = whole(backends);
    let (right, astray): (Vec<_>, Vec<_>) =
        complete.iter().partition(|b| b.all_of("path_accuracy"));
    let named = |of: &[_]| some(of, OfBackend::named);
    let paths = |of: &[_]| {
        some(of, |b: &OfBackend<'_, '_>| {
            let worst = b.worst("path_accuracy").map_or(0.0, |(share, _)| share);
            format!(
                "{} (right paths down to {})",
                b.named(),
                number::share(worst)
            )
        })
    };
    match (right.as_slice(), astray.as_slice()) {
        ([], []) => {
            let best = backends
                .iter()
                .filter_map(|b| Some((b.mean("completeness")?, b)))
                .filter(|(mean, _)| *mean > 0.0)
                .max_by(|a, b| a.0.total_cmp(&b.0));
            match best {
                None if backends.iter().any(|b| b.mean("completeness").is_some()) => {
                    "No backend saw anything, so there is nothing to choose from.".into()
                }
                None => "No backend has a result, so there is nothing to choose from.".into(),
                Some((mean, best)) => format!(
                    "No backend saw every exec{}. The most complete is {}, with {} on average{}.",
                    if best.failed() {
                        " and lasted to the end"
                    } else {
                        ""
                    },
                    best.named(),
                    number::share(mean),
                    best.worst("completeness")
                        .filter(|(worst, _)| *worst < mean)
                        .map_or_else(String::new, |(worst, _)| format!(
                            " and {} at worst",
                            number::share(worst)
                        ))
                ),
            }
        }
        (right, []) => format!(
            "Every exec seen, with the best possible path, in every cell with a result: {}.",
            named(right)
        ),
        ([], astray) => {
            format!(
                "Every exec seen, but not always with the best possible path: {}.",
                paths(astray)
            )
        }
        (right, astray) => format!(
            "Every exec seen, with the best possible path, in every cell with a result: {}. Every exec seen, but not always with the best path: {}.",
            named(right),
            paths(astray)
        ),
    }
}

/// All of few; of many how many there are and the first three: those with the most results, and of these the
/// cheapest.
fn some<'m, 'a>(of: &[&&OfBackend<'m, 'a>], say: impl Fn(&OfBackend<'m, 'a>) -> String) -> String {
    const FEW: usize = 6;
    if of.len() <= FEW {
        return list(&of.iter().map(|b| say(b)).collect::<Vec<_>>());
    }
    let mut sorted = of.to_vec();
    let rank = |b: &OfBackend<'_, '_>| {
        let gaps = b.all - b.scored.len();
        (gaps, b.mean("added_percent").unwrap_or(f64::INFINITY))
    };
    sorted.sort_by(|a, b| {
        let ((gaps, cost), (other_gaps, other_cost)) = (rank(a), rank(b));
        gaps.cmp(&other_gaps).then(cost.total_cmp(&other_cost))
    });
    let first: Vec<String> = sorted[..3].iter().map(|b| say(b)).collect();
    format!("{} backends, among them {}", of.len(), list(&first))
}

fn loss(matrix: &Matrix<'_>, backends: &[OfBackend<'_, '_>]) -> Option<String> {
    let mut losers: Vec<(f64, String)> = Vec::new();
    for backend in backends {
        let cells = backend.scored.iter().filter_map(|c| figure(c, "true_loss"));
        let lossy = cells.filter(|n| n.max > 0.0).count();
        let Some((worst, at)) = backend.worst("completeness").filter(|_| lossy > 0) else {
            continue;
        };
        let place = matrix.name(at);
        let of = backend.scored.len();
        losers.push((
            worst,
            format!(
                "{} in {lossy} of {} (down to {} in {place})",
                backend.label,
                plural(of, "cell"),
                number::share(worst)
            ),
        ));
    }
    if losers.is_empty() {
        let scored = backends.iter().any(|b| !b.scored.is_empty());
        return scored.then(|| "No backend missed an exec in any cell with a result.".into());
    }
    losers.sort_by(|a, b| a.0.total_cmp(&b.0));
    Some(format!(
        "Execs were missed by {}.",
        few(losers.into_iter().map(|(_, text)| text))
    ))
}

fn silence(backends: &[OfBackend<'_, '_>]) -> Option<String> {
    let honesty = Metric::by_id("honesty").expect("a metric of the table");
    let lossy = |c: &&&Cell<'_>| figure(c, "true_loss").is_some_and(|n| n.max > 0.0);
    if !backends.iter().any(|b| b.scored.iter().any(|c| lossy(&c))) {
        return None;
    }
    let silent = backends.iter().filter_map(|b| {
        let cells = b
            .scored
            .iter()
            .filter(|c| c.figure(honesty).words.keys().any(|word| is_silent(word)));
        let count = cells.count();
        (count > 0).then(|| format!("{} in {}", b.label, plural(count, "cell")))
    });
    let silent: Vec<String> = silent.collect();
    Some(if silent.is_empty() {
        "Every backend that lost execs said so.".into()
    } else {
        format!(
            "Lost execs and did not say so, or not of all: {}. What these report must not be taken for all that happened.",
            few(silent.into_iter())
        )
    })
}

fn without_result(matrix: &Matrix<'_>) -> String {
    let count = |status| {
        matrix
            .cells()
            .flat_map(|c| &c.trials)
            .filter(|t| t.status == status)
            .count()
    };
    let bad: Vec<String> = Status::ALL[1..]
        .iter()
        .map(|&status| (status, count(status)))
        .filter(|(_, count)| *count > 0)
        .map(|(status, count)| format!("{} {status}", number::thousands(count as f64)))
        .collect();
    if bad.is_empty() {
        return "Every trial was completed.".into();
    }
    let all: usize = matrix.cells().map(|c| c.trials.len()).sum();
    format!(
        "Not completed, of {}: {}. See the reasons; where nothing was measured, nothing follows.",
        plural(all, "trial"),
        list(&bad)
    )
}

/// The first three, and how many more.
fn few(items: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = items.collect();
    let more = all.len().saturating_sub(3);
    if more > 0 {
        all.truncate(3);
        return format!("{} and {more} more", all.join(", "));
    }
    list(&all)
}
