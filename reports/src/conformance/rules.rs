//! Claims for many cells at once, as people write them: what is predicted, and what is explained.
//!
//! ```toml
//! [[rule]]
//! backends = ["netlink"]            # without it: all
//! scenarios = ["memfd", "deleted"]  # without it: all
//! kernels = "6.12-"                 # without it: all
//! claims = { path = "exact" }
//! source = "5.2"                    # `why` in an explanation
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    class::{BadClass, Claim, Class},
    facet::Facet,
    kernels::{BadSpan, Span},
};

/// Which cell: of which scenario, backend and series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell<'a> {
    /// Name of the scenario.
    pub scenario: &'a str,
    /// Name of the backend.
    pub backend: &'a str,
    /// Series of the kernel.
    pub kernel: &'a str,
}

/// One claim for each of some facets, for each of some cells.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Names; `None` is all.
    pub backends: Option<Vec<String>>,
    /// Names; `None` is all.
    pub scenarios: Option<Vec<String>>,
    /// Series; `None` is all.
    pub kernels: Option<Span>,
    /// What is claimed.
    pub claims: BTreeMap<Facet, Claim>,
    /// From where, or why.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    backends: Option<Vec<String>>,
    scenarios: Option<Vec<String>>,
    kernels: Option<String>,
    claims: BTreeMap<String, String>,
    #[serde(alias = "source")]
    why: String,
}

/// A rule that says nothing that could be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRule {
    /// A facet or its words.
    #[error(transparent)]
    Class(#[from] BadClass),
    /// Kernels.
    #[error(transparent)]
    Span(#[from] BadSpan),
    /// An empty list, which would hold for nothing.
    #[error("`{0}` is empty")]
    Empty(&'static str),
}

impl Rule {
    pub(super) fn read(raw: RawRule) -> Result<Self, BadRule> {
        let empty = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        for (key, is_empty) in [
            ("backends", empty(&raw.backends)),
            ("scenarios", empty(&raw.scenarios)),
            ("claims", raw.claims.is_empty()),
            ("why", raw.why.trim().is_empty()),
        ] {
            if is_empty {
                return Err(BadRule::Empty(key));
            }
        }
        let claim = |(name, words): (String, String)| {
            let facet = Facet::by_name(&name).ok_or_else(|| BadClass::facet(&name))?;
            Ok((facet, Claim::parse(facet, &words)?))
        };
        Ok(Self {
            backends: raw.backends,
            scenarios: raw.scenarios,
            kernels: raw.kernels.as_deref().map(str::parse).transpose()?,
            claims: raw
                .claims
                .into_iter()
                .map(claim)
                .collect::<Result<_, BadClass>>()?,
            why: raw.why.trim().to_owned(),
        })
    }

    /// Whether it is about this cell.
    pub fn covers(&self, cell: Cell<'_>) -> bool {
        let named = |list: &Option<Vec<String>>, name: &str| {
            list.as_ref().is_none_or(|l| l.iter().any(|n| n == name))
        };
        named(&self.backends, cell.backend)
            && named(&self.scenarios, cell.scenario)
            && self
                .kernels
                .as_ref()
                .is_none_or(|span| span.holds(cell.kernel))
    }

    /// Where it stands in the table, for people.
    pub fn place(&self) -> String {
        let list = |list: &Option<Vec<String>>| {
            list.as_ref()
                .map_or_else(|| "all".to_owned(), |l| l.join(", "))
        };
        let kernels = self.kernels.as_ref().map_or("all", |span| span.as_str());
        format!(
            "{} × {} on {kernels}",
            list(&self.backends),
            list(&self.scenarios)
        )
    }
}

/// What several rules say of a cell, the later ones over the earlier ones.
pub(super) fn over(rules: &[Rule], cell: Cell<'_>, class: Class) -> Class {
    let said = rules.iter().filter(|rule| rule.covers(cell));
    said.flat_map(|rule| &rule.claims)
        .fold(class, |class, (facet, claim)| class.with(*facet, *claim))
}
