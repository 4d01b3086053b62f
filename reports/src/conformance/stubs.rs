//! Explanations to be filled in: every difference that nobody explained yet, as TOML.

use std::collections::BTreeMap;

use super::{
    class::{Claim, Class},
    document::Conformance,
    facet::Facet,
    held::Held,
    kernels::ranges,
    rules::Cell,
    settle::standing,
    table::{Table, quoted},
};

/// A row with the claims that nobody explained.
type Unexplained<'t> = BTreeMap<(&'t str, String, Vec<(Facet, Claim)>), Vec<&'t str>>;

/// What to add to `explanations.toml` for a run; empty where nothing is missing. Scenarios that differ
/// alike share an explanation. The reason is left empty, and an explanation without one is refused.
pub fn stubs(run: &Conformance, held: &Held) -> String {
    let mut out = String::new();
    for ((backend, kernels, claims), scenarios) in unexplained(&run.table, held) {
        let names: Vec<String> = scenarios.iter().map(|name| quoted(name)).collect();
        let claims = claims.iter().map(|(facet, claim)| {
            let words = quoted(&claim.text(*facet));
            format!("{facet} = {words}")
        });
        out += &format!(
            "[[explanation]]\nbackends = [{}]\nscenarios = [{}]\nkernels = {}\nclaims = {{ {} }}\nwhy = \"\"\n\n",
            quoted(backend),
            names.join(", "),
            quoted(&kernels),
            claims.collect::<Vec<_>>().join(", "),
        );
    }
    out
}

fn unexplained<'t>(table: &'t Table, held: &Held) -> Unexplained<'t> {
    let mut stubs = Unexplained::new();
    for ((scenario, backend), row) in &table.cells {
        let missing = |kernel: &str, class: &Class| {
            let cell = Cell {
                scenario,
                backend,
                kernel,
            };
            let facets = standing(held, cell, class).unexplained;
            facets
                .into_iter()
                .map(|facet| (facet, class.of(facet)))
                .collect::<Vec<_>>()
        };
        let mut by_claims: BTreeMap<Vec<(Facet, Claim)>, Vec<&str>> = BTreeMap::new();
        for (kernel, entry) in row {
            let claims = missing(kernel, &entry.class);
            if !claims.is_empty() {
                by_claims.entry(claims).or_default().push(kernel);
            }
        }
        for (claims, kernels) in by_claims {
            let range = ranges(&table.kernels, |kernel| kernels.contains(&kernel));
            let key = (backend.as_str(), range, claims);
            stubs.entry(key).or_default().push(scenario);
        }
    }
    stubs
}
