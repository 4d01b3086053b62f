//! The files in `conformance/`, as they are committed: whole, and each row predicted or explained.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use execlab_harness::registry;
use execlab_model::workload::Load;
use execlab_reports::conformance::{
    Cell, Facet, Held, NOTHING, NOTHING_TO_SEE, Rule, Span, Table, problems,
};

/// The scenario that every kernel can do and every backend is measured in.
const PLAIN: &str = "absolute";

fn scenarios() -> BTreeSet<String> {
    registry::scenarios().into_iter().map(|s| s.name).collect()
}

fn watchers() -> BTreeSet<String> {
    let names = registry::backends().into_iter().map(|b| b.name);
    names.filter(|name| name != "none").collect()
}

fn kernels() -> BTreeSet<String> {
    registry::kernels().into_iter().collect()
}

#[test]
fn every_row_is_as_predicted_or_explained_and_every_explanation_is_needed() {
    let problems: Vec<String> = problems(Held::committed())
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        problems.is_empty(),
        "conformance/table.toml is refused:\n{}\nSay in conformance/explanations.toml why, in the words of the table",
        problems.join("\n")
    );
}

#[test]
fn the_table_has_every_scenario_backend_and_locked_kernel_and_no_other() {
    let mut wanted = BTreeSet::new();
    let planned: BTreeSet<String> = Held::committed().planned.iter().cloned().collect();
    for scenario in scenarios().difference(&planned) {
        let planned = &Held::committed().scope.planned;
        for backend in watchers().difference(planned) {
            if !Held::committed().scope.holds(backend, scenario) {
                continue;
            }
            for kernel in kernels() {
                wanted.insert(format!("{scenario} × {backend} on {kernel}"));
            }
        }
    }
    let planned = &Held::committed().scope.planned;
    let table = &Held::committed().table;
    let whole = table
        .iter()
        .filter(|(cell, _)| !planned.contains(cell.backend));
    let found = whole.map(|(cell, _)| {
        let Cell {
            scenario,
            backend,
            kernel,
        } = cell;
        format!("{scenario} × {backend} on {kernel}")
    });
    let found: BTreeSet<String> = found.collect();
    let missing: Vec<_> = wanted.difference(&found).collect();
    let idle: Vec<_> = found.difference(&wanted).collect();
    assert!(
        missing.is_empty() && idle.is_empty(),
        "renew the table by `cargo xtask conformance`; it lacks {missing:?}, and has {idle:?} which nobody builds"
    );
}

/// From which kernel on a scenario can be done is a claim of its own: it is refused, with what the kernel said,
/// on every older one, and done on every other.
#[test]
fn a_scenario_is_refused_by_the_kernels_before_its_first_and_by_no_other() {
    let first: BTreeMap<String, Span> = registry::scenarios()
        .into_iter()
        .filter_map(|s| Some((s.name, format!("{}-", s.since?).parse().unwrap())))
        .collect();
    let mut refused = BTreeSet::new();
    for (cell, entry) in Held::committed().table.iter() {
        let Cell {
            scenario,
            backend,
            kernel,
        } = cell;
        let seen = entry.class.of(Facet::Seen).text(Facet::Seen);
        // Others are refused for reasons of their own, such as a container that they do not reach.
        if !Held::committed().scope.everywhere.contains(backend) {
            continue;
        }
        let can = first.get(scenario).is_none_or(|span| span.holds(kernel));
        assert_eq!(seen != "unsupported", can, "{scenario} on {kernel}: {seen}");
        if !can {
            refused.insert(scenario.to_owned());
        }
    }
    let claimed: BTreeSet<String> = first.into_keys().collect();
    assert_eq!(refused, claimed, "no locked kernel is older than the first");
}

/// Whether a backend says of itself that it attaches on a locked kernel.
fn attaches(backend: &str, kernel: &str) -> bool {
    let backend = execlab_backends::find(backend).expect("a backend of the registry");
    let within = |bound: Option<&str>, span: fn(&str) -> String| {
        bound.is_none_or(|series| span(series).parse::<Span>().unwrap().holds(kernel))
    };
    let since = within(backend.portrait().since.series, |series| {
        format!("{series}-")
    });
    since && within(backend.until(), |series| format!("-{series}"))
}

/// From which kernel on a technique works is a claim of its own: it attaches on those, and is refused, with what the
/// kernel said, by every other.
#[test]
fn a_backend_attaches_on_the_kernels_that_it_names_and_on_no_other() {
    for (cell, entry) in Held::committed().table.iter() {
        if cell.scenario != PLAIN {
            continue;
        }
        let seen = entry.class.of(Facet::Seen).text(Facet::Seen);
        assert_eq!(
            seen != "unsupported",
            attaches(cell.backend, cell.kernel),
            "{} on {}: {seen}",
            cell.backend,
            cell.kernel
        );
    }
}

#[test]
fn the_files_of_predictions_are_all_read() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/expected");
    let mut there: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    there.sort();
    assert_eq!(there, Held::families());
}

#[test]
fn every_scenario_has_a_prediction_and_every_prediction_a_scenario() {
    let held = Held::committed();
    let built = scenarios();
    let planned: BTreeSet<String> = held.planned.iter().cloned().collect();
    let known: BTreeSet<String> = built.union(&planned).cloned().collect();
    let predicted: BTreeSet<String> = held.scenarios.keys().cloned().collect();
    let without: Vec<_> = known.difference(&predicted).collect();
    let idle: Vec<_> = predicted.difference(&known).collect();
    assert!(
        without.is_empty() && idle.is_empty(),
        "conformance/expected.toml predicts nothing of {without:?}, and names {idle:?}, which nobody builds or plans"
    );
}

#[test]
fn rules_and_explanations_name_what_there_is() {
    let held = Held::committed();
    let names: BTreeSet<String> = held.scenarios.keys().cloned().collect();
    let backends = watchers();
    for rule in held.predictions.iter().chain(&held.explanations) {
        let Rule {
            backends: of,
            scenarios: on,
            ..
        } = rule;
        for (list, valid) in [(of, &backends), (on, &names)] {
            for name in list.iter().flatten() {
                assert!(
                    valid.contains(name),
                    "{}: {name} (valid: {valid:?})",
                    rule.place()
                );
            }
        }
        if let Some(span) = &rule.kernels {
            let some = kernels().iter().any(|kernel| span.holds(kernel));
            assert!(some, "{} is about no locked kernel", rule.place());
        }
    }
}

#[test]
fn every_facet_of_every_cell_is_predicted() {
    let held = Held::committed();
    for scenario in held.scenarios.keys() {
        for backend in &watchers() {
            if !held.scope.holds(backend, scenario) {
                continue;
            }
            for kernel in &kernels() {
                let cell = Cell {
                    scenario,
                    backend,
                    kernel,
                };
                let class = held.predicted(cell);
                let seen = class.of(Facet::Seen).text(Facet::Seen);
                for facet in Facet::ALL {
                    // Of what is refused nothing else is said, and nothing of sightings where there are none.
                    let idle = match seen.as_str() {
                        "unsupported" => facet != Facet::Seen,
                        "none" | NOTHING_TO_SEE => facet.is_of_sightings(),
                        _ => false,
                    };
                    if idle {
                        continue;
                    }
                    let words = class.of(facet).text(facet);
                    assert_ne!(words, NOTHING, "{facet} of {cell:?}");
                }
            }
        }
    }
}

#[test]
fn a_scenario_is_measured_under_the_load_that_it_asks_for() {
    let held = Held::committed();
    for scenario in registry::scenarios() {
        let (own, name) = (scenario.load.unwrap_or(Load::Closed), scenario.name);
        assert_eq!(
            held.load(&name),
            own,
            "{name}: write it under [loads] in conformance/expected.toml"
        );
    }
    for name in held.loads.keys() {
        assert!(
            held.scenarios.contains_key(name),
            "{name} has no prediction"
        );
    }
}

/// A rule that no cell follows, because later ones stand over it everywhere, says something that nobody
/// reads any more.
#[test]
fn every_prediction_is_some_cells() {
    let held = Held::committed();
    let mut used: BTreeMap<usize, usize> = BTreeMap::new();
    for scenario in held.scenarios.keys() {
        for backend in &watchers() {
            if !held.scope.holds(backend, scenario) {
                continue;
            }
            for kernel in &kernels() {
                let cell = Cell {
                    scenario,
                    backend,
                    kernel,
                };
                for facet in Facet::ALL {
                    let last = held
                        .predictions
                        .iter()
                        .rposition(|rule| rule.covers(cell) && rule.claims.contains_key(&facet));
                    if let Some(last) = last {
                        *used.entry(last).or_default() += 1;
                    }
                }
            }
        }
    }
    for (at, rule) in held.predictions.iter().enumerate() {
        assert!(used.contains_key(&at), "{} ({})", rule.place(), rule.why);
    }
}

#[test]
fn the_table_is_written_as_the_command_writes_it() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../conformance/table.toml");
    let text = fs::read_to_string(path).unwrap();
    assert_eq!(Table::parse(&text).unwrap().toml(), text);
}
