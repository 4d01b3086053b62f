//! `docs/faults.md` is the table; every row has a test and every test a row.

use std::{
    collections::BTreeSet,
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use crate::table::{Fate, Row, SECTIONS};

/// Set to write the document anew.
const UPDATE: &str = "UPDATE_FAULTS";

const HEAD: &str = "\
# Faults

What goes wrong in and around a trial, made for real and checked by a test of the name in the first column
(`harness/tests/faults/`; guests are booted on the kernels in `EXECLAB_TEST_KERNELS`). This file is made from
`harness/tests/faults/table.rs`: `UPDATE_FAULTS=1 cargo test -p execlab-harness --test faults`.

No trial that met a fault is `completed`, but for those that are *healed*: there execlab makes good what was broken, and
the trial was run whole. It says so, but for files of the guest in the cache: those it writes again without a word.
After every fault the test finds that the other trials of the same matrix completed, that the reason holds the evidence
and the guest's serial log is kept, and that nothing is left behind: no process, no temporary folder or file, no line of
`results.jsonl` that is not whole. Where execlab itself is killed (`SIGKILL`) it cannot tidy up: no process outlives it,
but what the last column names lies there until the next run. Only what the host's side broke (`infra`) is tried again.

A fault of a guest is made by a program that takes the place of the guest's monitor, workload or process 1 (`saboteur/`;
it is part of no execlab). Programs that hang are ended by guest time where the guest idles, else by the host's clocks.

";

#[test]
fn the_document_is_the_table() {
    let path = root().join("docs/faults.md");
    let wanted = document();
    if env::var_os(UPDATE).is_some() {
        fs::write(&path, &wanted).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == wanted,
        "{} is not what the table says; {UPDATE}=1 writes it anew",
        path.display()
    );
}

#[test]
fn every_row_has_a_test_and_every_test_a_row() {
    let rows: Vec<&str> = rows().map(|row| row.test).collect();
    let distinct: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(rows.len(), distinct.len(), "a row is there twice");
    let tests = tests_in(&root().join("harness/tests/faults"));
    let tests: BTreeSet<&str> = tests.iter().map(String::as_str).collect();
    assert_eq!(distinct, tests);
    assert!(rows.len() >= 25);
    assert!(rows_are_never_completed());
}

fn rows() -> impl Iterator<Item = &'static Row> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

fn rows_are_never_completed() -> bool {
    rows().all(|row| row.fate != Fate::Line("completed"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The names of all tests below a folder, but for those of this file.
fn tests_in(folder: &Path) -> Vec<String> {
    let mut tests = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests.extend(tests_in(&path));
        } else if !path.ends_with("document.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut lines = text.lines().map(str::trim);
            while let Some(line) = lines.next() {
                if line == "#[test]" {
                    let name = lines.find_map(|line| line.strip_prefix("fn ")).unwrap();
                    tests.push(name.split('(').next().unwrap().to_owned());
                }
            }
        }
    }
    tests
}

fn document() -> String {
    let mut text = HEAD.to_owned();
    for section in SECTIONS {
        let _ = writeln!(text, "## {}\n", section.title);
        text += "| test | fault | how it is made | status | exit code | left behind |\n";
        text += "|---|---|---|---|---|---|\n";
        for row in section.rows {
            let Row {
                test,
                fault,
                made,
                left,
                ..
            } = row;
            let fate = match row.fate {
                Fate::Line(status) => format!("`{status}`"),
                Fate::NoLine => "no line, the run goes on with `--resume`".to_owned(),
                Fate::NotRun => "not run".to_owned(),
                Fate::Healed if row.evidence.is_empty() => {
                    "healed: `completed`, not told".to_owned()
                }
                Fate::Healed => "healed: `completed`, and told".to_owned(),
            };
            let code = match row.code {
                137 => "none (killed)".to_owned(),
                code => code.to_string(),
            };
            let _ = writeln!(
                text,
                "| `{test}` | {fault} | {made} | {fate} | {code} | {left} |"
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}
