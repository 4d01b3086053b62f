//! The decision as one HTML file that needs nothing else, with the look of `report.html`.

use askama::Template;

use super::{Decision, words::Table};

#[derive(Template)]
#[template(path = "decision.html")]
struct Page<'d> {
    style: &'static str,
    verdict: String,
    counts: String,
    facts: Vec<(String, String)>,
    trade_offs: Option<Table>,
    fallen: Option<Table>,
    undecided: Option<Table>,
    changes: Vec<String>,
    decision: &'d Decision,
}

impl Decision {
    /// The page.
    pub fn html(&self) -> String {
        let some = |all: &[super::Candidate]| (!all.is_empty()).then(|| Self::objections(all));
        let page = Page {
            style: include_str!("../../templates/style.css"),
            verdict: self.verdict(),
            counts: self.counts(),
            facts: self.facts(),
            trade_offs: self.trade_offs(),
            fallen: some(&self.fallen),
            undecided: some(&self.undecided),
            changes: self.changes(),
            decision: self,
        };
        page.render().expect("writing to a string does not fail")
    }
}
