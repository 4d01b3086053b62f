//! What is found, in words.

use execlab_model::result::Lab;

use super::{Design, Finding, Gate, Parts, Seeds, Verdict, cells::Cell, measure::Measure};
use crate::{
    metric::Unit,
    number::{signed, thousands},
    text::plural,
};

/// Of a figure that both sides have.
pub(super) fn finding(measure: &Measure, found: &Finding, cell: &Cell<'_>) -> String {
    let (Some(base), Some(new), Some(difference)) = (found.base, found.new, found.difference)
    else {
        return String::new();
    };
    let print = |value: f64| measure.unit.print(value);
    let mut words = match measure.unit {
        Unit::AddedCostPerExec | Unit::AddedCostPerSecond => {
            let lab = cell.any().lab;
            let unit = measure.unit.name(lab.cost_unit());
            format!("{} {unit}", signed(difference))
        }
        Unit::Share => {
            let execs: f64 = cell
                .trials
                .iter()
                .map(|t| f64::from(t.workload.execs))
                .sum();
            let of = (difference * execs).round();
            format!(
                "{} → {}: {} of {} execs",
                print(base),
                print(new),
                if of == 0.0 {
                    "less than one".into()
                } else {
                    signed(of)
                },
                thousands(execs)
            )
        }
        _ => format!("{} → {}", print(base), print(new)),
    };
    if let Some(relative) = found.relative.filter(|_| measure.unit != Unit::Share) {
        words += &format!(" ({}%)", signed(100.0 * relative));
    }
    if let Some(parts) = found.parts {
        words += &format!(": {}", self::parts(&parts));
    }
    match found.verdict {
        Verdict::Unclear => words += &unclear(measure, found),
        Verdict::NotComparable => words += &format!("; too few boots ({})", cell.trials.len()),
        Verdict::Suspected => words += "; the runs were not made in turn",
        _ => {}
    }
    words
}

fn unclear(measure: &Measure, found: &Finding) -> String {
    // A size has no sign, whatever a difference of this unit would be printed with.
    let size = |value: f64| measure.unit.print(value).trim_start_matches('+').to_owned();
    match (found.noise, found.seeds_wanted, found.p) {
        (Some(noise), Some(wanted), _) => format!(
            "; cannot be told apart at this size: seeds alone make up to {}, the limit is {}; take about {}",
            size(noise),
            size(found.limit),
            plural(usize::try_from(wanted).unwrap_or(usize::MAX), "seed")
        ),
        (_, _, Some(p)) => {
            format!("; chance does as much in {p:.3} of all arrangements: take more boots")
        }
        _ => String::new(),
    }
}

/// `inline +3, monitor +184, rest 0`.
pub(super) fn parts(parts: &Parts) -> String {
    format!(
        "inline {}, monitor {}, rest {}",
        signed(parts.inline),
        signed(parts.monitor),
        signed(parts.rest)
    )
}

/// Of a figure that only one side has.
pub(super) fn one_sided(measure: &Measure, verdict: Verdict) -> String {
    let title = measure.title;
    if verdict == Verdict::Disappeared {
        format!("the base has a figure of {title}, the new run has none")
    } else {
        format!("the new run has a figure of {title}, the base has none")
    }
}

/// Of seeds that only the base has, where there are others; `None` where all are there, or none was asked for again.
pub(super) fn missing(seeds: Seeds) -> Option<String> {
    let some = seeds.common > 0 && seeds.common < seeds.base;
    some.then(|| {
        format!(
            "of the base's {} the new run has {}, and nothing else is compared",
            plural(seeds.base, "seed"),
            seeds.common
        )
    })
}

/// What holds for the whole comparison.
pub(super) fn notes(gate: &Gate, design: Design) -> Vec<String> {
    let mut notes = Vec::new();
    let labs = || gate.base.labs.iter().chain(&gate.new.labs);
    if labs().any(|lab| lab.is_exact()) {
        notes.push(
            "In the exact lab a figure repeats to the digit for the same inputs, and another seed or one changed byte shifts it a little. \
             A change is told where it is larger than the limit and than what the seeds of the row make by themselves (seen from)."
                .to_owned(),
        );
        let image = |c: &super::Change| c.input == super::Input::GuestImage;
        if gate.rows.iter().any(|r| r.changed.iter().any(image)) {
            notes.push(
                "The guests were started from another image. That shifts all seeds of a row together, so that more seeds do not show it, and wider limits hold (`image` in the policy)."
                    .to_owned(),
            );
        }
    }
    let sampled: Vec<&Lab> = labs().filter(|lab| !lab.is_exact()).collect();
    if !sampled.is_empty() {
        notes.push(match design {
            Design::InTurn => "The trials were run in turn, each seed of the one beside that of the other: signs of their differences were permuted.".into(),
            Design::Separate => "The two were not run in turn. A machine drifts, and a change between two runs may be the machine's: it is suspected, and not judged, unless the policy says so (`sampled.separate_runs`). \
                 `compare RUN --ab A,B` compares two variants of one run, which are run in turn."
                .into(),
        });
    }
    let unclear = gate.counts.get(&Verdict::Unclear).copied().unwrap_or(0);
    if unclear > 0 {
        notes.push(format!(
            "Of {} it cannot be told with so many seeds whether a figure changed by more than its limit: take more seeds, more execs, or a wider limit.",
            plural(unclear, "row")
        ));
    }
    notes
}
