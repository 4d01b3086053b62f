//! `docs/scenarios.md` and `docs/backends.md` list what the registries hold; `UPDATE_DOCS=1` writes them anew.

use std::{env, fmt::Write, fs, path::PathBuf};

use execlab_harness::registry;

/// Between these lines of the document stand the tables.
const BEGIN: &str = "<!-- from here on made from the registry -->\n";

fn tables() -> String {
    let mut text = String::new();
    let mut family = None;
    for scenario in registry::scenarios() {
        if family != Some(scenario.family) {
            family = Some(scenario.family);
            let mut heading = scenario.family.about().to_owned();
            heading[..1].make_ascii_uppercase();
            write!(
                text,
                "\n## {heading}\n\n| scenario | execs are made | |\n|---|---|---|\n"
            )
            .unwrap();
        }
        let mut remarks = Vec::new();
        remarks.extend(scenario.since.map(|first| format!("from {first} on")));
        remarks.extend(
            scenario
                .load
                .map(|load| format!("load `{load}` unless told otherwise")),
        );
        if scenario.least_execs > 1 {
            remarks.push(format!("at least {} execs", scenario.least_execs));
        }
        if scenario.most_execs < u32::MAX {
            remarks.push(format!("at most {} execs", scenario.most_execs));
        }
        if scenario.only_in_guests.is_some() {
            remarks.push("in guests only".to_owned());
        }
        writeln!(
            text,
            "| `{}` | {} | {} |",
            scenario.name,
            scenario.summary,
            remarks.join("; ")
        )
        .unwrap();
    }
    text
}

#[test]
fn the_list_of_scenarios_is_that_of_the_registry() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/scenarios.md");
    let written = fs::read_to_string(&path).unwrap();
    let (head, found) = written
        .split_once(BEGIN)
        .expect("the line that the tables follow");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{}", tables())).unwrap();
        return;
    }
    assert_eq!(
        found,
        tables(),
        "docs/scenarios.md is out of date: run this test with UPDATE_DOCS=1"
    );
}

#[test]
fn the_list_of_backends_is_that_of_the_registry() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/backends.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, registry::markdown()).unwrap();
        return;
    }
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        registry::markdown(),
        "docs/backends.md is out of date: run this test with UPDATE_DOCS=1"
    );
}
