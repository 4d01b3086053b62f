//! Runs of `execlab`, and their lines.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::folder;
use crate::process;

/// A finished run.
#[derive(Debug)]
pub struct Finished {
    /// Its lines, as they stand in `results.jsonl`.
    pub lines: Vec<Value>,
    /// From the start of the program to its end.
    pub wall: Duration,
}

/// Runs a matrix into a folder of this name, in place of an earlier one.
pub fn run(execlab: &Path, name: &str, arguments: &[&str]) -> Result<Finished> {
    let dir = folder(name);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)
            .with_context(|| format!("cannot remove {}", dir.display()))?;
    }
    let began = Instant::now();
    let mut command = Command::new(execlab);
    // What is shown is how it runs.
    command
        .arg("run")
        .args(arguments)
        .arg("--out")
        .arg(&dir)
        .arg("--no-cache");
    // The report of each run is not what a benchmark shows.
    process::output(&mut command)?;
    let wall = began.elapsed();
    let results = dir.join("results.jsonl");
    let text = std::fs::read_to_string(&results)
        .with_context(|| format!("cannot read {}", results.display()))?;
    let lines = text
        .lines()
        .map(|line| serde_json::from_str(line).context("a result is no JSON"))
        .collect::<Result<_>>()?;
    Ok(Finished { lines, wall })
}

/// Writes a matrix file and says where.
pub fn matrix_file(name: &str, text: &str) -> Result<String> {
    let path = folder(name).with_extension("toml");
    let parent = path.parent().expect("a file in a folder");
    std::fs::create_dir_all(parent)
        .and_then(|()| std::fs::write(&path, text))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_string_lossy().into_owned())
}

/// A text of a line, such as `trial`; empty where it has none.
pub fn text<'a>(line: &'a Value, pointer: &str) -> &'a str {
    line.pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// A number of a line.
pub fn number(line: &Value, pointer: &str) -> Result<f64> {
    line.pointer(pointer)
        .and_then(Value::as_f64)
        .with_context(|| format!("trial {} has no {pointer}", text(line, "/trial")))
}

/// A line without the facts of the host, as text.
pub fn figures(line: &Value) -> String {
    let mut line = line.clone();
    if let Some(object) = line.as_object_mut() {
        object.remove("host");
    }
    line.to_string()
}
