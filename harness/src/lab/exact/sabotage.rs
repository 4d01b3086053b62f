//! Programs put into guests in place of their own, for tests of execlab itself.
//!
//! A rule is `PLACE=PROGRAM:FAULT@TEXT`: in trials whose id contains TEXT, the file PROGRAM takes a place,
//! with a newline and FAULT behind its last byte, by which it knows what to do. Rules are separated by
//! `;`. What is put there is an input of the trial like any other, so its digest is another one.

use std::{fs, str::FromStr, time::Duration};

use execlab_vm::guest::Hurry;

use crate::plan::TrialSpec;

/// What a program says on the console before it hangs, and how long it is given then.
pub(super) const HURRY: Hurry = Hurry {
    word: "saboteur: hangs here",
    left: Duration::from_secs(1),
};

/// Where a program is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// What watches.
    Monitor,
    /// Process 1. It does not settle and does not stand still, so such a guest always boots.
    Init,
}

#[derive(Debug, Clone)]
struct Rule {
    place: Place,
    /// With the fault behind it.
    program: Vec<u8>,
    trial: String,
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Sabotage(Vec<Rule>);

/// A rule that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot follow the rule `{rule}` of --sabotage: {why}")]
pub struct BadSabotage {
    rule: String,
    why: String,
}

impl FromStr for Sabotage {
    type Err = BadSabotage;

    fn from_str(rules: &str) -> Result<Self, BadSabotage> {
        let rules = rules.split(';').filter(|rule| !rule.is_empty());
        rules.map(rule).collect::<Result<_, _>>().map(Self)
    }
}

fn rule(text: &str) -> Result<Rule, BadSabotage> {
    let bad = |why: String| BadSabotage {
        rule: text.to_owned(),
        why,
    };
    let parts = || {
        let (place, rest) = text.split_once('=')?;
        let (rest, trial) = rest.rsplit_once('@')?;
        let (program, fault) = rest.rsplit_once(':')?;
        Some((place, program, fault, trial))
    };
    let (place, program, fault, trial) =
        parts().ok_or_else(|| bad("it is not PLACE=PROGRAM:FAULT@TEXT".into()))?;
    let place = match place {
        "monitor" => Place::Monitor,
        "init" => Place::Init,
        other => return Err(bad(format!("there is no place `{other}`"))),
    };
    let mut bytes = fs::read(program).map_err(|error| bad(format!("{program}: {error}")))?;
    bytes.push(b'\n');
    bytes.extend_from_slice(fault.as_bytes());
    Ok(Rule {
        place,
        program: bytes,
        trial: trial.to_owned(),
    })
}

impl Sabotage {
    /// Which of the rules puts something in the place of a trial's process 1.
    pub(super) fn of_init(&self, trial: &TrialSpec) -> Option<usize> {
        self.find(trial, Place::Init)
    }

    /// The program of a rule.
    pub(super) fn program(&self, rule: usize) -> &[u8] {
        &self.0[rule].program
    }

    /// What takes the place of a trial's monitor.
    pub(super) fn monitor(&self, trial: &TrialSpec) -> Option<&[u8]> {
        self.find(trial, Place::Monitor)
            .map(|rule| self.program(rule))
    }

    /// Whether nothing is put anywhere.
    pub(super) fn is_none(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, trial: &TrialSpec, place: Place) -> Option<usize> {
        let fits = |rule: &Rule| rule.place == place && trial.id.contains(&rule.trial);
        self.0.iter().position(fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_read_with_their_programs() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("a:b@c");
        fs::write(&program, "ELF").unwrap();
        let program = program.to_str().unwrap();
        let rules = format!("monitor={program}:dies@+x/;init={program}:hangs@+y/");
        let Sabotage(rules) = rules.parse().unwrap();
        assert_eq!(rules[0].program, b"ELF\ndies");
        assert_eq!(
            (rules[1].place, rules[1].trial.as_str()),
            (Place::Init, "+y/")
        );
        assert!("".parse::<Sabotage>().unwrap().is_none());
    }

    #[test]
    fn what_is_wrong_with_a_rule_is_told() {
        for (rule, why) in [
            ("monitor", "PLACE=PROGRAM:FAULT@TEXT"),
            ("kernel=/:x@y", "no place `kernel`"),
            ("init=/nothing/here:x@y", "/nothing/here: No such file"),
        ] {
            let error = rule.parse::<Sabotage>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
