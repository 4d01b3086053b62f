//! Writes every document of an invented run, or of a real one whose `results.jsonl` is named:
//! `sample realistic|everything|limits|large|empty|FILE DIR [WIDTH]`.

use std::{env, fs, path::PathBuf};

use execlab_reports::{Summary, TerminalOptions, html, junit, markdown, terminal};

#[path = "../tests/fixture/mod.rs"]
mod fixture;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [run, dir, rest @ ..] = args.as_slice() else {
        panic!("usage: sample realistic|everything|limits|large|empty|FILE DIR [WIDTH]");
    };
    let results = match run.as_str() {
        "realistic" => fixture::realistic(),
        "everything" => fixture::everything(),
        "limits" => fixture::large::limits(),
        "large" => fixture::large::run(),
        "empty" => Vec::new(),
        file => fixture::read(file),
    };
    let dir = PathBuf::from(dir);
    let write = |name: &str, text: String| {
        fs::write(dir.join(name), text).unwrap_or_else(|e| panic!("cannot write {name}: {e}"));
    };
    let lines = results
        .iter()
        .map(|t| serde_json::to_string(t).expect("plain data") + "\n");
    write("results.jsonl", lines.collect());
    write("report.html", html(&results, &[]));
    write("report.md", markdown(&results, &[]));
    write("junit.xml", junit(&results, &[]));
    let summary = serde_json::to_string_pretty(&Summary::new(&results, &[]));
    write("summary.json", summary.expect("a summary is plain data"));
    let width = rest
        .first()
        .map_or(100, |w| w.parse().expect("a number of columns"));
    print!(
        "{}",
        terminal(
            &results,
            &[],
            &TerminalOptions {
                width,
                color: rest.len() > 1
            }
        )
    );
}
