//! Kernels that can still be had.

use std::{path::Path, process::Command};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// Fetches, of each series, the first locked kernel that the archive still has; their releases.
///
/// Which one that was is printed by `execlab` itself. Versions leave the archive as newer ones come,
/// and a demo or a test does not depend on the very version; a run does, and never does this.
pub fn first_available(execlab: &Path, series: &[&str]) -> Result<Vec<String>> {
    let mut fetch = Command::new(execlab);
    fetch
        .args(["kernels", "fetch", "--first-available", "--format", "json"])
        .args(series);
    let rows: Vec<Value> = serde_json::from_str(&process::output(&mut fetch)?)
        .context("`execlab kernels fetch` printed no JSON")?;
    let release = |row: &Value| {
        let release = row.get("release").and_then(Value::as_str);
        release
            .map(str::to_owned)
            .context("a fetched kernel has no release")
    };
    let releases: Vec<_> = rows.iter().map(release).collect::<Result<_>>()?;
    eprintln!("kernels: {}", releases.join(", "));
    Ok(releases)
}
