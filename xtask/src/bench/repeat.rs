//! Whether a trial is the same each time.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{folder, runs};
use crate::{kernels, process};

/// In each of four conditions.
const REPETITIONS: usize = 50;

/// 200 repetitions of one trial: idle and under load, one and two at a time; then with an image that
/// was made anew, and cold, twice.
///
/// Names are no inputs of a guest: many variants with the same settings are one trial many times.
pub fn run(execlab: &Path) -> Result<()> {
    let [_, newest] = kernels::oldest_and_newest(execlab)?;
    let many = matrix(REPETITIONS)?;
    let once = matrix(1)?;
    let mut records = BTreeSet::new();
    let mut count = |name: &str, arguments: &[&str]| -> Result<()> {
        let common = ["--kernels", &newest, "--verify=none"];
        let finished = runs::run(execlab, name, &[&common[..], arguments].concat())?;
        let watched = |line: &&Value| runs::text(line, "/backend/name") == "netlink";
        let lines: Vec<_> = finished.lines.iter().filter(watched).collect();
        let record = |line: &&Value| runs::text(line, "/record_sha256").to_owned();
        records.extend(lines.iter().map(record));
        println!(
            "  {} more, {name}: {} distinct record(s) so far",
            lines.len(),
            records.len()
        );
        Ok(())
    };
    println!("one trial, again and again:");
    for jobs in ["1", "2"] {
        count(&format!("repeat-idle-{jobs}"), &[&many, "--jobs", jobs])?;
        under_load(|| count(&format!("repeat-loaded-{jobs}"), &[&many, "--jobs", jobs]))?;
    }
    let fresh = fresh_cache(execlab, &newest)?;
    let fresh = fresh.to_string_lossy();
    count("repeat-image-made-anew", &[&once, "--cache", &fresh])?;
    for run in ["repeat-cold-1", "repeat-cold-2"] {
        count(run, &[&once, "--cold"])?;
    }
    let found: Vec<_> = records.into_iter().collect();
    match found.as_slice() {
        [one] if !one.is_empty() => {
            println!("  one distinct record: {one}");
            Ok(())
        }
        others => bail!("one distinct record was expected, not {others:?}"),
    }
}

fn matrix(times: usize) -> Result<String> {
    let names: Vec<_> = (0..times).map(|n| format!("r{n:03}")).collect();
    let backends: Vec<_> = names.iter().map(|n| format!("\"netlink+{n}\"")).collect();
    let mut text = format!(
        "backends = [{}]\nworkloads = [\"relative\"]\nloads = [\"closed\"]\nexecs = 200\n",
        backends.join(", ")
    );
    for name in names {
        let _ = writeln!(text, "[variants.netlink.{name}]");
    }
    runs::matrix_file(&format!("repeat-{times}"), &text)
}

/// Runs something while as many threads as there are processors do nothing but spin.
fn under_load(work: impl FnOnce() -> Result<()>) -> Result<()> {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let worked = work();
        done.store(true, Ordering::Relaxed);
        worked
    })
}

/// A cache with the same kernels and nothing else.
fn fresh_cache(execlab: &Path, kernel: &str) -> Result<PathBuf> {
    let mut fetch = Command::new(execlab);
    fetch.args(["kernels", "fetch", kernel, "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&process::output(&mut fetch)?)
        .context("`execlab kernels fetch` printed no JSON")?;
    let vmlinux = rows.first().map_or("", |row| runs::text(row, "/vmlinux"));
    let kernels = Path::new(vmlinux).ancestors().nth(2);
    let kernels = kernels.context("`execlab kernels fetch` named no kernel")?;
    let cache = folder("fresh-cache");
    if cache.exists() {
        std::fs::remove_dir_all(&cache)?;
    }
    std::fs::create_dir_all(&cache)?;
    std::os::unix::fs::symlink(kernels, cache.join("kernels"))?;
    Ok(cache)
}
