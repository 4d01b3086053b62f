//! What was found when a machine was looked at: what it has, what it lacks, and what to do about that.

use serde::{Deserialize, Serialize};

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, in a word or two.
    pub what: String,
    /// How it is.
    pub state: State,
    /// What was seen, for people.
    pub evidence: String,
    /// What can be done about it; `None` where nothing has to be.
    pub remedy: Option<String>,
}

/// How a thing is, the worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Good,
    /// Nothing stands in the way, but this is worth knowing.
    Note,
    /// It cannot be told without trying.
    Unknown,
    /// It stands in the way.
    Bad,
}

/// What follows from all that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usable {
    /// Nothing stands in the way.
    Yes,
    /// Something could not be told without trying.
    Unknown,
    /// Something stands in the way.
    No,
}

impl Finding {
    /// As it should be.
    pub fn good(what: impl Into<String>, evidence: impl Into<String>) -> Self {
        Self::new(State::Good, what, evidence, None)
    }

    /// Worth knowing.
    pub fn note(
        what: impl Into<String>,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(State::Note, what, evidence, Some(remedy.into()))
    }

    /// Cannot be told without trying.
    pub fn unknown(
        what: impl Into<String>,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(State::Unknown, what, evidence, Some(remedy.into()))
    }

    /// In the way.
    pub fn bad(
        what: impl Into<String>,
        evidence: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self::new(State::Bad, what, evidence, Some(remedy.into()))
    }

    fn new(
        state: State,
        what: impl Into<String>,
        evidence: impl Into<String>,
        remedy: Option<String>,
    ) -> Self {
        Self {
            what: what.into(),
            state,
            evidence: evidence.into(),
            remedy,
        }
    }
}

impl State {
    /// The word used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Bad => "bad",
        }
    }
}

impl Usable {
    /// What the worst of all findings means. Nothing looked at proves nothing.
    pub fn of(findings: &[Finding]) -> Self {
        match findings.iter().map(|finding| finding.state).max() {
            Some(State::Good | State::Note) => Self::Yes,
            Some(State::Unknown) | None => Self::Unknown,
            Some(State::Bad) => Self::No,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides_and_none_proves_nothing() {
        let good = Finding::good("a", "there");
        let note = Finding::note("b", "slow", "wait");
        let unknown = Finding::unknown("c", "not tried", "try");
        let bad = Finding::bad("d", "absent", "install it");
        assert_eq!(Usable::of(&[]), Usable::Unknown);
        assert_eq!(Usable::of(&[good.clone(), note.clone()]), Usable::Yes);
        assert_eq!(Usable::of(&[unknown.clone(), good]), Usable::Unknown);
        assert_eq!(Usable::of(&[bad, unknown, note]), Usable::No);
    }
}
