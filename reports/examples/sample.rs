//! Writes every document of an invented run: `sample realistic|everything|many|empty DIR [WIDTH]`.

use std::{env, fs, path::PathBuf};

use execlab_reports::{Summary, TerminalOptions, html, junit, markdown, terminal};

#[path = "../tests/fixture/mod.rs"]
mod fixture;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [run, dir, rest @ ..] = args.as_slice() else {
        panic!("usage: sample realistic|everything|many|empty DIR [WIDTH]");
    };
    let results = match run.as_str() {
        "realistic" => fixture::realistic(),
        "everything" => fixture::everything(),
        "many" => many(),
        _ => Vec::new(),
    };
    let dir = PathBuf::from(dir);
    let write = |name: &str, text: String| {
        fs::write(dir.join(name), text).unwrap_or_else(|e| panic!("cannot write {name}: {e}"));
    };
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

/// About 10,000 trials: the first matrix with 185 seeds.
fn many() -> Vec<execlab_model::result::TrialResult> {
    let seed = |seed: u64| {
        fixture::realistic().into_iter().map(move |mut trial| {
            trial.seed = seed;
            trial.trial = trial.trial.replace("exact/1", &format!("exact/{seed}"));
            trial
        })
    };
    (1..=185).flat_map(seed).collect()
}
