//! What is said of one row.

use execlab_model::{
    exit::ExitCode,
    result::{Status, TrialResult},
};

use super::{
    Change, Finding, Group, Input, Row, Seeds, Verdict,
    cells::{Cell, Pair, by_seed},
    figures, inputs,
    measure::MEASURES,
    policy::{Policy, Stance},
    show::or_none,
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
                let limits = figures::for_images(limits, &row.changed);
                let found = figures::finding(measure, limits, (base, new), policy, design);
                row.findings.extend(found);
            }
            if verdicts.is_empty() {
                verdicts.extend(of_figures(&row, policy));
            }
            if are_paired(base, new, design)
                && let Some(missing) = words::missing(row.seeds)
            {
                verdicts.push(plain(Verdict::Disappeared, policy));
                row.why.push(missing);
            }
        }
        (Some(_), None) => verdicts.push(plain(Verdict::Disappeared, policy)),
        (None, Some(new)) => {
            verdicts.push(plain(Verdict::New, policy));
            verdicts.extend(broken(new, &mut row));
            for measure in MEASURES {
                let limits = policy.resolve(measure, new.any().lab, &overrides);
                // Of what is new there is nothing else to say.
                let found = figures::one_sided(measure, limits, None, new);
                let beyond = found.filter(|f| f.verdict == Verdict::Regressed);
                row.findings.extend(beyond);
            }
            verdicts.extend(of_figures(&row, policy));
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

fn plain(verdict: Verdict, policy: &Policy) -> (Verdict, ExitCode) {
    (verdict, code(verdict, policy))
}

/// What the figures of a row make of it.
fn of_figures<'r>(
    row: &'r Row,
    policy: &'r Policy,
) -> impl Iterator<Item = (Verdict, ExitCode)> + 'r {
    let each = row.findings.iter();
    each.map(|f| (f.verdict, code_of_finding(row, f, policy)))
}

/// What a figure would end the command with, where its row is judged by figures.
pub(super) fn code_of_finding(row: &Row, finding: &Finding, policy: &Policy) -> ExitCode {
    let completed = row.status == (Some(Status::Completed), Some(Status::Completed));
    let code = code(finding.verdict, policy);
    match finding.verdict {
        Verdict::Regressed => finding.group.exit_code(),
        // A figure that only the new run has lacks no baseline: its row has one.
        Verdict::New => ExitCode::Ok,
        // Of execs that are not seen there are no paths: nothing of the run is missing.
        Verdict::Disappeared
            if completed && finding.group == Group::Accuracy && code != ExitCode::Ok =>
        {
            ExitCode::AccuracyRegressed
        }
        _ => code,
    }
}

/// Whether the figures of a row say what is to be said of it, but for [`beside_figures`].
pub(super) fn by_figures(row: &Row) -> bool {
    let missing = words::missing(row.seeds);
    row.verdict != Verdict::Ignored
        && row.status.1.is_some()
        && row.why.iter().all(|why| Some(why) == missing.as_ref())
}

/// What is said of a row that is judged by its figures, and by none of them.
pub(super) fn beside_figures(row: &Row, policy: &Policy) -> (Verdict, ExitCode) {
    if row.status.0.is_none() {
        plain(Verdict::New, policy)
    } else if row.why.is_empty() {
        (Verdict::Unchanged, ExitCode::Ok)
    } else {
        plain(Verdict::Disappeared, policy)
    }
}

/// Whether only trials of one seed are held against each other.
pub(super) fn are_paired(base: &Cell<'_>, new: &Cell<'_>, design: Design) -> bool {
    let exact = base.any().lab.is_exact() && new.any().lab.is_exact();
    exact || design == Design::InTurn
}

fn seeds(base: Option<&Cell<'_>>, new: Option<&Cell<'_>>) -> Seeds {
    let trials = |cell: Option<&Cell<'_>>| cell.map_or(0, |c| c.trials.len());
    let common = match (base, new) {
        (Some(base), Some(new)) => by_seed(base, new).count(),
        _ => 0,
    };
    Seeds {
        base: trials(base),
        new: trials(new),
        common,
    }
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
    for (one, other) in by_seed(base, new) {
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
