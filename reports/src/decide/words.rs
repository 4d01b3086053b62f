//! The document as lines and tables, which Markdown and HTML share.

use super::{
    Candidate, Changes, Decision, Figure, LetIn, NeedChange, Objection, Outcome, PlaceChange,
};
use crate::{
    metric::Metric,
    text::{list, plural},
};

/// So many are named where none of them would be recommended.
const MOST: usize = 5;

/// A table before it is written.
pub(super) struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

/// How a heading names a figure.
fn heading(id: &str, unit: &str) -> String {
    // A document of another version may know other metrics.
    let Some(metric) = Metric::by_id(id) else {
        return id.to_owned();
    };
    if metric.is_difference() {
        let title = metric.title.to_lowercase();
        let title = title.trim_end_matches(" per exec");
        format!("{title}, {}", metric.unit.name(unit))
    } else {
        metric.title.to_lowercase()
    }
}

fn shown(figure: &Figure) -> String {
    match (figure.trial.is_some(), figure.missing) {
        (_, 0) | (false, _) => figure.shown.clone(),
        (true, missing) => format!("{} (n/a in {})", figure.shown, plural(missing, "trial")),
    }
}

impl Candidate {
    fn deployed(&self) -> String {
        match &self.deployment {
            None => "unknown".into(),
            Some(d) if d.needs.is_empty() && d.properties.is_empty() => "nothing".into(),
            Some(d) if d.properties.is_empty() => d.needs.join("; "),
            Some(d) => format!("{} ({})", d.properties.join(", "), d.needs.join("; ")),
        }
    }
}

impl Objection {
    /// Kernels are named where the objection is not of a trial alone.
    fn on(&self) -> String {
        if self.kernels.is_empty() {
            "everywhere".into()
        } else {
            self.kernels.join(", ")
        }
    }
}

impl Decision {
    /// The result in one sentence.
    pub(super) fn verdict(&self) -> String {
        match (&self.recommendation, self.outcome) {
            (Some(recommendation), _) => format!("Watch with {}.", recommendation.candidate),
            (None, Outcome::CostExcludesAll) => {
                "Nothing meets these needs: what sees enough costs too much.".into()
            }
            (None, Outcome::NotMeasured) => {
                "Nothing is known to meet these needs, and of something it is not known: measure it first.".into()
            }
            (None, _) => "Nothing that was measured meets these needs.".into(),
        }
    }

    pub(super) fn counts(&self) -> String {
        format!(
            "Of {} in {} (kernel, workload and seed): {} remain, {} fall, {} undecided for want of a measurement.",
            plural(
                self.remain.len() + self.undecided.len() + self.fallen.len(),
                "candidate"
            ),
            plural(self.context.places, "place"),
            self.remain.len(),
            self.fallen.len(),
            self.undecided.len()
        )
    }

    /// Name and value of what was asked and measured.
    pub(super) fn facts(&self) -> Vec<(String, String)> {
        let context = &self.context;
        let or_none = |items: &[String]| {
            if items.is_empty() {
                "none".to_owned()
            } else {
                items.join("; ")
            }
        };
        let without: Vec<String> = context
            .without
            .iter()
            .map(|property| format!("{} ({})", property.name, property.about))
            .collect();
        let mut facts = vec![
            ("Needs".to_owned(), or_none(&context.needs)),
            ("Not acceptable".to_owned(), or_none(&without)),
        ];
        for (name, release, sha256) in &context.kernels {
            facts.push((
                format!("Kernel {name}"),
                format!("{release}, sha256 {sha256}"),
            ));
        }
        facts.push(("Workloads".into(), or_none(&context.workloads)));
        if !context.container_scenarios.is_empty() {
            let all = list(&context.container_scenarios);
            facts.push(("Container scenarios among them".into(), all));
        }
        facts.extend(context.facts.iter().cloned());
        facts.push(("Cost is counted in".into(), context.cost_unit.clone()));
        for source in &context.sources {
            facts.push((
                format!("Results {}", source.name),
                format!(
                    "{}, sha256 {}",
                    plural(source.trials, "line"),
                    source.sha256
                ),
            ));
        }
        facts
    }

    /// The worst of each that remains, or of the undecided where none does.
    pub(super) fn trade_offs(&self) -> Option<Table> {
        let all = if self.remain.is_empty() {
            &self.undecided
        } else {
            &self.remain
        };
        let first = all.first()?;
        let ids = first.figures.iter().map(|figure| figure.metric.as_str());
        let heads = ids.map(|id| heading(id, &self.context.cost_unit));
        Some(Table {
            head: ["candidate".to_owned()]
                .into_iter()
                .chain(heads)
                .chain(["asks of its deployment".to_owned()])
                .collect(),
            rows: all
                .iter()
                .map(|candidate| {
                    let figures = candidate.figures.iter().map(shown);
                    [candidate.name.clone()]
                        .into_iter()
                        .chain(figures)
                        .chain([candidate.deployed()])
                        .collect()
                })
                .collect(),
        })
    }

    /// Each objection against some candidates.
    pub(super) fn objections(candidates: &[Candidate]) -> Table {
        let row = |candidate: &Candidate, objection: &Objection| {
            let more = objection.trials.saturating_sub(1);
            let trial = match (&objection.trial, more) {
                (None, 0) => "none".to_owned(),
                (None, _) => format!("none in {}", plural(objection.trials, "place")),
                (Some(trial), 0) => trial.clone(),
                (Some(trial), more) => format!("{trial} and {more} more"),
            };
            vec![
                candidate.name.clone(),
                objection.what.clone(),
                objection.said.clone(),
                objection.on(),
                trial,
            ]
        };
        let rows = candidates.iter().flat_map(|candidate| {
            let all = candidate.objections.iter();
            all.map(move |objection| row(candidate, objection))
        });
        Table {
            head: ["candidate", "asked for", "measured", "on", "worst trial"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.collect(),
        }
    }

    /// Sentences.
    pub(super) fn changes(&self) -> Vec<String> {
        let Changes {
            needs,
            kernels,
            workloads,
            nearest,
        } = &self.changes;
        let mut lines = Vec::new();
        for change in needs {
            lines.extend(self.need_change(change));
        }
        for (at, change) in kernels.iter().enumerate() {
            lines.extend(place("kernel", change, at == 0 && change.unsupported > 0));
        }
        for change in workloads {
            lines.extend(place("workload", change, false));
        }
        // What lacks a single thing was told already.
        for near in nearest.iter().filter(|_| needs.is_empty()) {
            lines.push(format!(
                "{} lacks: {}.",
                near.candidate,
                near.lacks.join("; ")
            ));
        }
        if lines.is_empty() {
            lines.push("No single need, kernel or workload keeps anything else out: each of those that fell lacks several things.".into());
        }
        lines
    }

    /// One sentence for each that would be recommended, and one for all others.
    fn need_change(&self, change: &NeedChange) -> Vec<String> {
        let instead = |let_in: &LetIn| match &let_in.with {
            Some(with) => format!("With {with} in the place of {}", change.what),
            None if change.what.starts_with("without ") => {
                format!("If \"{}\" were not asked", change.what)
            }
            None => format!("Without the need {}", change.what),
        };
        let cost = |let_in: &LetIn| {
            let cost = let_in.cost.as_ref();
            cost.map_or_else(String::new, |cost| {
                format!(
                    " (at worst it adds {cost} {} per exec)",
                    self.context.cost_unit
                )
            })
        };
        let (wins, others): (Vec<&LetIn>, Vec<&LetIn>) =
            change.lets_in.iter().partition(|let_in| let_in.wins);
        let winning = wins.into_iter().map(|let_in| {
            let name = &let_in.candidate;
            let (instead, cost) = (instead(let_in), cost(let_in));
            format!("{instead}, {name} would remain and be recommended{cost}.")
        });
        let mut lines: Vec<String> = winning.collect();
        if let Some(first) = others.first() {
            let mut names: Vec<String> = others
                .iter()
                .take(MOST)
                .map(|let_in| match &let_in.with {
                    Some(with) => format!("{} ({with})", let_in.candidate),
                    None => let_in.candidate.clone(),
                })
                .collect();
            if others.len() > MOST {
                names.push(format!("{} more", others.len() - MOST));
            }
            let instead = match first.with {
                Some(_) => format!("With {} loosened as far as each needs", change.what),
                None => instead(first),
            };
            lines.push(format!(
                "{instead}, {} would remain too, and not be recommended.",
                list(&names)
            ));
        }
        lines
    }
}

fn place(kind: &str, change: &PlaceChange, is_worst: bool) -> Option<String> {
    let mut parts = Vec::new();
    if is_worst || (kind == "kernel" && change.unsupported > 0) {
        let most = if is_worst {
            ", and no other kernel excludes more"
        } else {
            ""
        };
        parts.push(format!(
            "{} cannot work on it{most}",
            plural(change.unsupported, "candidate")
        ));
    }
    if !change.lets_in.is_empty() {
        parts.push(format!(
            "without it {} would remain too",
            list(&change.lets_in)
        ));
    }
    (!parts.is_empty()).then(|| format!("The {kind} {}: {}.", change.place, parts.join("; ")))
}
