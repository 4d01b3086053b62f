//! What is said of one row.

use execlab_model::{
    exit::ExitCode,
    result::{Status, TrialResult},
};

use super::{
    Change, Finding, Group, Input, Parts, Row, Seeds, Verdict,
    cells::{Cell, Pair},
    inputs,
    measure::{MEASURES, Measure},
    policy::{Policy, Resolved, Stance},
    show::or_none,
    spread::{FEWEST, Samples, is_constant},
    words,
};
use crate::{
    compare::{Compared, compare},
    text::clean,
};

/// How the trials of both sides were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Design {
    /// As two runs.
    Separate,
    /// In one run, each seed of the one beside that of the other.
    InTurn,
}

/// What differences of counts and of long sums lose in floating point is no change.
const SLACK: f64 = 1e-9;

/// The code with a number; only codes are ever written into a row.
pub(super) fn code_of(number: u8) -> ExitCode {
    let code = |c: &ExitCode| c.code() == number;
    let found = ExitCode::BY_PRECEDENCE.into_iter().find(code);
    found.unwrap_or(ExitCode::Internal)
}

/// What a verdict ends with.
fn code(verdict: Verdict, policy: &Policy) -> ExitCode {
    let if_fail = |stance: Stance, code| match stance {
        Stance::Fail => code,
        Stance::Warn | Stance::Ok => ExitCode::Ok,
    };
    match verdict {
        Verdict::Unchanged
        | Verdict::Improved
        | Verdict::Ignored
        | Verdict::Suspected
        // Of a figure that regressed, the measure says which code.
        | Verdict::Regressed => ExitCode::Ok,
        Verdict::New => if_fail(policy.missing_baseline, ExitCode::NoBaseline),
        Verdict::Unclear => if_fail(policy.unclear, ExitCode::NoBaseline),
        Verdict::NotComparable => ExitCode::NoBaseline,
        Verdict::Nondeterministic => ExitCode::Nondeterministic,
        Verdict::Disappeared => if_fail(policy.disappeared, ExitCode::Incomplete),
        Verdict::Incomplete => ExitCode::Incomplete,
        Verdict::Lost => ExitCode::GuestLost,
    }
}

/// A row of one run or of both.
pub(super) fn row((base, new): Pair<'_, '_>, policy: &Policy, design: Design) -> Row {
    let cell = base.or(new).expect("a row is of one run at least");
    let name = cell.name();
    let overrides = policy.overrides(&name);
    let mut row = Row {
        cell: name,
        verdict: Verdict::Unchanged,
        exit_code: 0,
        seeds: seeds(base, new),
        status: (base.map(Cell::status), new.map(Cell::status)),
        changed: Vec::new(),
        findings: Vec::new(),
        why: Vec::new(),
        exceptions: overrides.iter().map(|o| clean(&o.reason)).collect(),
    };
    let mut verdicts = Vec::new();
    match (base, new) {
        (Some(base), Some(new)) => {
            row.changed = inputs::changes(base, new, policy);
            verdicts.extend(status(base, new, &mut row));
            verdicts.extend(repeats(base, new, &mut row));
            if row.changed.iter().any(|c| c.refused) {
                verdicts.push((Verdict::NotComparable, ExitCode::NoBaseline));
                row.why.push(refused(&row.changed));
            }
            for measure in MEASURES {
                let limits = policy.resolve(measure, new.any().lab, &overrides);
                let limits = for_images(limits, &row.changed);
                let found = finding(measure, limits, (base, new), policy, design);
                row.findings.extend(found);
            }
            if verdicts.is_empty() {
                let judged = row.findings.iter();
                verdicts.extend(judged.map(|f| (f.verdict, code_of_finding(f, policy))));
            }
        }
        (Some(_), None) => verdicts.push(plain(Verdict::Disappeared, policy)),
        (None, Some(new)) => {
            verdicts.push(plain(Verdict::New, policy));
            verdicts.extend(broken(new, &mut row));
        }
        (None, None) => {}
    }
    if overrides.iter().any(|o| o.ignore) {
        verdicts = vec![(Verdict::Ignored, ExitCode::Ok)];
    }
    for (verdict, code) in verdicts {
        row.verdict = row.verdict.max(verdict);
        row.exit_code = code_of(row.exit_code).and(code).code();
    }
    row
}

/// The limits between guests that were not started from the same image.
fn for_images(mut limits: Resolved, changed: &[Change]) -> Resolved {
    let of_image = |c: &Change| {
        use Input::{BootOptions, GuestImage, Kernel, Machine, Qemu};
        matches!(c.input, Kernel | Qemu | Machine | GuestImage | BootOptions)
    };
    if changed.iter().any(of_image) {
        limits.limit.relative = limits.limit.relative.max(limits.limit.image);
    }
    limits
}

fn plain(verdict: Verdict, policy: &Policy) -> (Verdict, ExitCode) {
    (verdict, code(verdict, policy))
}

fn code_of_finding(finding: &Finding, policy: &Policy) -> ExitCode {
    match finding.verdict {
        Verdict::Regressed => finding.group.exit_code(),
        // A figure that only the new run has lacks no baseline: its row has one.
        Verdict::New => ExitCode::Ok,
        verdict => code(verdict, policy),
    }
}

fn seeds(base: Option<&Cell<'_>>, new: Option<&Cell<'_>>) -> Seeds {
    let trials = |cell: Option<&Cell<'_>>| cell.map_or(0, |c| c.trials.len());
    let common = match (base, new) {
        (Some(base), Some(new)) => pairs(base, new).count(),
        _ => 0,
    };
    Seeds {
        base: trials(base),
        new: trials(new),
        common,
    }
}

/// Trials of the same seed.
fn pairs<'c, 'a>(
    base: &'c Cell<'a>,
    new: &'c Cell<'a>,
) -> impl Iterator<Item = (&'a TrialResult, &'a TrialResult)> + 'c {
    base.trials.iter().filter_map(|one| {
        let other = new.trials.iter().find(|t| t.seed == one.seed)?;
        Some((*one, *other))
    })
}

/// What the row's trials ended as, where that says more than their figures.
fn status(base: &Cell<'_>, new: &Cell<'_>, row: &mut Row) -> Option<(Verdict, ExitCode)> {
    if let Some(broken) = broken(new, row) {
        return Some(broken);
    }
    match (base.status(), new.status()) {
        (Status::Completed, Status::Unsupported) => {
            row.why
                .push(reason("it worked, and is unsupported now", new));
            Some((Verdict::Regressed, ExitCode::AccuracyRegressed))
        }
        (Status::Unsupported, Status::Completed) => {
            row.why
                .push(reason("it was unsupported, and works now", base));
            Some((Verdict::Improved, ExitCode::Ok))
        }
        (Status::Completed | Status::Unsupported, _) => None,
        (status, _) => {
            row.why
                .push(reason(&format!("a trial of the base is {status}"), base));
            Some((Verdict::NotComparable, ExitCode::NoBaseline))
        }
    }
}

fn broken(new: &Cell<'_>, row: &mut Row) -> Option<(Verdict, ExitCode)> {
    let found = match new.status() {
        Status::Completed | Status::Unsupported => return None,
        Status::Lost => (Verdict::Lost, ExitCode::GuestLost),
        Status::BackendFailed | Status::Infra => (Verdict::Incomplete, ExitCode::Incomplete),
    };
    row.why
        .push(reason(&format!("a trial is {}", new.status()), new));
    Some(found)
}

fn reason(what: &str, cell: &Cell<'_>) -> String {
    let worst = |t: &&&TrialResult| t.status == cell.status();
    let trial = cell.trials.iter().find(worst);
    let why = trial.and_then(|t| t.reason.as_deref());
    why.map_or_else(
        || what.to_owned(),
        |why| clean(&format!("{what}: {}", crate::text::shorten(why, 200))),
    )
}

/// Whether what was made from the same inputs is the same.
fn repeats(base: &Cell<'_>, new: &Cell<'_>, row: &mut Row) -> Option<(Verdict, ExitCode)> {
    let mut found = None;
    for (one, other) in pairs(base, new) {
        let exact = one.lab.is_exact() && other.lab.is_exact();
        let same_inputs = exact && !one.digest.is_empty() && one.digest == other.digest;
        if !same_inputs || one.status == Status::Infra || other.status == Status::Infra {
            continue;
        }
        match compare(one, other) {
            Compared::Same => {}
            Compared::Rescored(_) => {
                if !row.changed.iter().any(|c| c.input == Input::Execlab) {
                    row.changed.push(Change {
                        input: Input::Execlab,
                        base: "another build of this version".into(),
                        new: String::new(),
                        refused: false,
                    });
                }
            }
            Compared::Differs(difference) => {
                let difference = clean(&difference.to_string());
                row.why.push(format!(
                    "seed {} was made from the same inputs, and is not the same: {}",
                    one.seed,
                    crate::text::shorten(&difference, 200)
                ));
                found = Some((Verdict::Nondeterministic, ExitCode::Nondeterministic));
                break;
            }
        }
    }
    found
}

fn refused(changes: &[Change]) -> String {
    let refused = changes.iter().filter(|c| c.refused);
    let each = refused.map(|c| {
        let (new, base) = (or_none(&c.new), or_none(&c.base));
        format!("{} is {new}, was {base}", c.input.as_str())
    });
    format!(
        "not compared across: {}",
        each.collect::<Vec<_>>().join("; ")
    )
}

/// Figures of a measure, by seed where both have one.
fn samples(measure: &Measure, base: &Cell<'_>, new: &Cell<'_>, design: Design) -> Option<Samples> {
    let exact = base.any().lab.is_exact() && new.any().lab.is_exact();
    let figures = |cell: &Cell<'_>| -> Vec<f64> {
        cell.trials.iter().filter_map(|t| measure.of(t)).collect()
    };
    let paired: Vec<(f64, f64)> = pairs(base, new)
        .filter_map(|(one, other)| Some((measure.of(one)?, measure.of(other)?)))
        .collect();
    if !paired.is_empty() && (exact || design == Design::InTurn) {
        return Some(Samples::Paired(paired));
    }
    let (base, new) = (figures(base), figures(new));
    (!base.is_empty() && !new.is_empty()).then_some(Samples::Apart(base, new))
}

/// What one measure says; `None` where neither has it, or it is not to be looked at.
fn finding(
    measure: &Measure,
    limits: Resolved,
    (base, new): (&Cell<'_>, &Cell<'_>),
    policy: &Policy,
    design: Design,
) -> Option<Finding> {
    let has = |cell: &Cell<'_>| cell.trials.iter().any(|t| measure.of(t).is_some());
    if !limits.gate || !(has(base) || has(new)) {
        return None;
    }
    let mut found = Finding {
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
    };
    let Some(samples) = samples(measure, base, new, design) else {
        found.verdict = if has(base) {
            Verdict::Disappeared
        } else {
            Verdict::New
        };
        found.words = words::one_sided(measure, found.verdict);
        return Some(found);
    };
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
    beyond(limits, is, &mut found);
    found.words = words::finding(measure, &found, new);
    Some(found)
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

/// A figure that may not be what it is, whatever it was.
fn beyond(limits: Resolved, is: f64, found: &mut Finding) {
    let below = limits.at_least.is_some_and(|least| is < least);
    let above = limits.at_most.is_some_and(|most| is > most);
    if below || above {
        found.verdict = Verdict::Regressed;
    }
}

fn parts(base: &Cell<'_>, new: &Cell<'_>, design: Design) -> Option<Parts> {
    let of = |id: &str| {
        let metric = crate::metric::Metric::by_id(id)?;
        let read = |t: &TrialResult| match metric.of(t)? {
            crate::metric::Reading::Number(n) => Some(n),
            crate::metric::Reading::Word(_) => None,
        };
        let common: Vec<(f64, f64)> = pairs(base, new)
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
