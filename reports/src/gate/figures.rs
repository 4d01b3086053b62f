//! What is said of one figure of a row.

use execlab_model::result::TrialResult;

use super::{
    Change, Finding, Group, Input, Parts, Verdict,
    cells::{Cell, by_seed},
    judge::{Design, are_paired},
    measure::Measure,
    policy::{Policy, Resolved, Stance},
    spread::{FEWEST, Samples, is_constant, mean},
    words,
};

/// What differences of counts and of long sums lose in floating point is no change.
const SLACK: f64 = 1e-9;

/// The limits between guests that were not started from the same image.
pub(super) fn for_images(mut limits: Resolved, changed: &[Change]) -> Resolved {
    let of_image = |c: &Change| {
        use Input::{BootOptions, GuestImage, Kernel, Machine, Qemu};
        matches!(c.input, Kernel | Qemu | Machine | GuestImage | BootOptions)
    };
    if changed.iter().any(of_image) {
        limits.limit.relative = limits.limit.relative.max(limits.limit.image);
    }
    limits
}

/// Figures of a measure, by seed where both have one.
fn samples(measure: &Measure, base: &Cell<'_>, new: &Cell<'_>, design: Design) -> Option<Samples> {
    let paired: Vec<(f64, f64)> = by_seed(base, new)
        .filter_map(|(one, other)| Some((measure.of(one)?, measure.of(other)?)))
        .collect();
    if !paired.is_empty() && are_paired(base, new, design) {
        return Some(Samples::Paired(paired));
    }
    let (base, new) = (figures(measure, base), figures(measure, new));
    (!base.is_empty() && !new.is_empty()).then_some(Samples::Apart(base, new))
}

/// What one measure says; `None` where neither has it, or it is not to be looked at.
pub(super) fn finding(
    measure: &Measure,
    limits: Resolved,
    (base, new): (&Cell<'_>, &Cell<'_>),
    policy: &Policy,
    design: Design,
) -> Option<Finding> {
    let Some(samples) = samples(measure, base, new, design) else {
        return one_sided(measure, limits, Some(base), new);
    };
    if !limits.gate {
        return None;
    }
    let mut found = empty(measure);
    let (was, is) = samples.means();
    let difference = is - was;
    found.base = Some(was);
    found.new = Some(is);
    found.difference = Some(difference);
    found.relative = (was != 0.0).then(|| difference / was.abs());
    if measure.id == "added_per_exec" {
        found.parts = parts(base, new, design);
    }
    let share = limits.limit.relative * was.abs().min(is.abs());
    found.limit = share.max(limits.limit.absolute);
    if base.any().lab.is_exact() {
        exact(measure, limits, &samples, policy, &mut found);
    } else {
        sampled(measure, &samples, policy, design, &mut found);
    }
    let beyond = beyond(measure, limits, new);
    if beyond.is_some() {
        found.verdict = Verdict::Regressed;
    }
    found.words = words::finding(measure, &found, new) + &beyond.unwrap_or_default();
    Some(found)
}

/// Of a figure that only one side has; what it has to be whatever it was holds for it too.
pub(super) fn one_sided(
    measure: &Measure,
    limits: Resolved,
    base: Option<&Cell<'_>>,
    new: &Cell<'_>,
) -> Option<Finding> {
    let had = base.is_some_and(|base| !figures(measure, base).is_empty());
    let has = !figures(measure, new).is_empty();
    if !limits.gate || !(had || has) {
        return None;
    }
    let mut found = empty(measure);
    found.verdict = if had {
        Verdict::Disappeared
    } else {
        Verdict::New
    };
    found.words = words::one_sided(measure, found.verdict);
    if let Some(beyond) = beyond(measure, limits, new) {
        found.new = Some(mean(&figures(measure, new)));
        found.verdict = Verdict::Regressed;
        found.words += &beyond;
    }
    Some(found)
}

fn empty(measure: &Measure) -> Finding {
    Finding {
        metric: measure.id.to_owned(),
        group: measure.group,
        verdict: Verdict::Unchanged,
        base: None,
        new: None,
        difference: None,
        relative: None,
        parts: None,
        limit: 0.0,
        noise: None,
        seeds_wanted: None,
        p: None,
        words: String::new(),
    }
}

fn figures(measure: &Measure, cell: &Cell<'_>) -> Vec<f64> {
    cell.trials.iter().filter_map(|t| measure.of(t)).collect()
}

/// In the exact lab: what repeats for every seed needs no statistics, everything else is held against what seeds do.
fn exact(
    measure: &Measure,
    limits: Resolved,
    samples: &Samples,
    policy: &Policy,
    found: &mut Finding,
) {
    let difference = found.difference.unwrap_or_default();
    if measure.group == Group::Accuracy {
        if is_certain(measure, samples) {
            found.noise = Some(0.0);
            found.verdict = change(measure, difference, found.limit);
            return;
        }
        found.limit = found.limit.max(limits.limit.varied);
    }
    let noise = samples.noise(policy.false_alarms, measure.assumed);
    found.noise = Some(noise);
    found.verdict = change(measure, difference, found.limit.max(noise));
    if noise > found.limit && found.verdict == Verdict::Unchanged && difference != 0.0 {
        found.verdict = Verdict::Unclear;
        let seeds = samples.count().max(1) as f64;
        let wanted = seeds * (noise / found.limit.max(f64::MIN_POSITIVE)).powi(2);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of seeds, rounded up"
        )]
        let wanted = wanted.ceil().min(1e6) as u64;
        found.seeds_wanted = Some(wanted.max(FEWEST as u64));
    }
}

/// Whether one exec more or less is a change: where one side never did anything but the best, or where the trials of
/// each side are all alike.
fn is_certain(measure: &Measure, samples: &Samples) -> bool {
    let (base, new) = (samples.of_base(), samples.of_new());
    let flawless = |figures: &[f64]| figures.iter().all(|f| measure.is_ideal(*f));
    let alike = |figures: &[f64]| {
        is_constant(figures) && (figures.len() >= FEWEST || measure.is_pure(figures[0]))
    };
    flawless(&base) || flawless(&new) || (alike(&base) && alike(&new))
}

/// Where time is real: far enough apart for the limits, and too far for chance.
fn sampled(
    measure: &Measure,
    samples: &Samples,
    policy: &Policy,
    design: Design,
    found: &mut Finding,
) {
    let p = samples.permutation();
    found.p = Some(p);
    let few = samples.count() < policy.sampled.boots;
    if few || samples.least() > policy.sampled.false_alarms {
        found.verdict = Verdict::NotComparable;
        return;
    }
    let difference = found.difference.unwrap_or_default();
    found.verdict = change(measure, difference, found.limit);
    if found.verdict == Verdict::Unchanged {
        return;
    }
    if p > policy.sampled.false_alarms {
        found.verdict = Verdict::Unclear;
    } else if found.verdict == Verdict::Regressed
        && design == Design::Separate
        && policy.sampled.separate_runs != Stance::Fail
    {
        found.verdict = Verdict::Suspected;
    }
}

fn change(measure: &Measure, difference: f64, limit: f64) -> Verdict {
    let worse = difference * measure.worse();
    let beyond = limit + SLACK * limit.max(1.0);
    if worse > beyond {
        Verdict::Regressed
    } else if worse < -beyond {
        Verdict::Improved
    } else {
        Verdict::Unchanged
    }
}

/// Words of a figure that may not be what it is, whatever it was: of all seeds, also of those that the base has not.
fn beyond(measure: &Measure, limits: Resolved, new: &Cell<'_>) -> Option<String> {
    let figures = figures(measure, new);
    if figures.is_empty() {
        return None;
    }
    let is = mean(&figures);
    let below = limits.at_least.filter(|least| is < *least);
    let above = limits.at_most.filter(|most| is > *most);
    let wanted = match (below, above) {
        (Some(least), _) => format!("at least {}", measure.unit.print(least)),
        (None, Some(most)) => format!("at most {}", measure.unit.print(most)),
        (None, None) => return None,
    };
    Some(format!(
        "; it is {} and has to be {wanted}",
        measure.unit.print(is)
    ))
}

fn parts(base: &Cell<'_>, new: &Cell<'_>, design: Design) -> Option<Parts> {
    let of = |id: &str| {
        let metric = crate::metric::Metric::by_id(id)?;
        let read = |t: &TrialResult| match metric.of(t)? {
            crate::metric::Reading::Number(n) => Some(n),
            crate::metric::Reading::Word(_) => None,
        };
        let common: Vec<(f64, f64)> = by_seed(base, new)
            .filter_map(|(one, other)| Some((read(one)?, read(other)?)))
            .collect();
        let all = |cell: &Cell<'_>| cell.trials.iter().filter_map(|t| read(t)).collect();
        let paired = base.any().lab.is_exact() || design == Design::InTurn;
        let samples = if common.is_empty() || !paired {
            Samples::Apart(all(base), all(new))
        } else {
            Samples::Paired(common)
        };
        let (was, is) = samples.means();
        (samples.count() > 0).then_some(is - was)
    };
    Some(Parts {
        inline: of("inline_per_exec")?,
        monitor: of("monitor_per_exec")?,
        rest: of("rest_per_exec")?,
    })
}
