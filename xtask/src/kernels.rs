//! Kernels that can still be had.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// The oldest, one in between, and the newest series of which the archive still has a locked kernel.
pub fn three(execlab: &Path) -> Result<[String; 3]> {
    let [oldest, newest] = oldest_and_newest(execlab)?;
    Ok([oldest, first_available(execlab, "6.1")?, newest])
}

/// The oldest and the newest series of which the archive still has a locked kernel.
pub fn oldest_and_newest(execlab: &Path) -> Result<[String; 2]> {
    let series = series(execlab)?;
    let find = |candidates: &mut dyn Iterator<Item = &String>| {
        let mut last = None;
        for name in candidates {
            match first_available(execlab, name) {
                Ok(release) => return Ok(release),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("the lock holds no kernel")))
    };
    Ok([find(&mut series.iter())?, find(&mut series.iter().rev())?])
}

/// Of every locked series the first kernel that the archive, or the cache, still has; oldest first.
pub fn every_series(execlab: &Path) -> Result<Vec<String>> {
    let series = series(execlab)?;
    series
        .iter()
        .map(|name| first_available(execlab, name))
        .collect()
}

/// Every locked series, oldest first.
fn series(execlab: &Path) -> Result<Vec<String>> {
    let mut list = Command::new(execlab);
    list.args(["list", "kernels", "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&process::output(&mut list)?)
        .context("`execlab list kernels` printed no JSON")?;
    let mut all: Vec<String> = Vec::new();
    for row in &rows {
        let name = row.get("series").and_then(Value::as_str);
        let name = name.context("a listed kernel has no series")?;
        if all.iter().all(|known| known != name) {
            all.push(name.to_owned());
        }
    }
    Ok(all)
}

/// Fetches, of a series, the first locked kernel that the archive still has; its release.
///
/// Versions leave the archive as newer ones come, and a demo or a test does not depend on the very
/// version; a run does, and never does this. Which one it was is said.
fn first_available(execlab: &Path, series: &str) -> Result<String> {
    let mut fetch = Command::new(execlab);
    fetch.args([
        "kernels",
        "fetch",
        "--first-available",
        "--format",
        "json",
        series,
    ]);
    let rows: Vec<Value> = serde_json::from_str(&process::output(&mut fetch)?)
        .context("`execlab kernels fetch` printed no JSON")?;
    let release = rows
        .first()
        .and_then(|row| row.get("release"))
        .and_then(Value::as_str);
    let release = release.context("`execlab kernels fetch` named no release")?;
    eprintln!("kernel {series}: {release}");
    Ok(release.to_owned())
}
