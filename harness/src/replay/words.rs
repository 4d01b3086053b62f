//! Verdicts and classes as timelines and stories name them.

use execlab_model::truth::Outcome;

use super::timeline::Became;
use crate::score::{
    fields::{ArgvClass, FieldClass, PidClass},
    matching::{Fate, Verdict},
};

pub fn became(became: Became) -> &'static str {
    match became {
        Became::NotWatched => "not watched",
        Became::Judged(Fate::Seen(_)) => "seen",
        Became::Judged(Fate::Late(_)) => "late",
        Became::Judged(Fate::Missed) => "missed",
    }
}

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Seen(_) => "seen",
        Verdict::Late(_) => "late",
        Verdict::Duplicate(_) => "duplicate",
        Verdict::Phantom => "phantom",
        Verdict::Foreign => "foreign",
    }
}

pub fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Exited(status) => format!("exited with {status}"),
        Outcome::Killed(signal) => format!("was killed by signal {signal}"),
        Outcome::Unknown => "was never reaped".into(),
    }
}

pub fn field(class: FieldClass) -> &'static str {
    match class {
        FieldClass::Right => "right",
        FieldClass::Wrong => "wrong",
        FieldClass::Absent => "absent",
    }
}

pub fn argv(class: ArgvClass) -> &'static str {
    match class {
        ArgvClass::Exact => "exact",
        ArgvClass::Truncated => "truncated",
        ArgvClass::Joined => "joined",
        ArgvClass::Wrong => "wrong",
        ArgvClass::Absent => "absent",
    }
}

pub fn pid(class: PidClass) -> &'static str {
    match class {
        PidClass::Host => "host",
        PidClass::InNamespace => "in_namespace",
        PidClass::Wrong => "wrong",
        PidClass::Absent => "absent",
    }
}
