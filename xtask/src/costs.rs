//! `cargo xtask costs`.

mod cell;
mod page;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use self::{cell::Line, page::page};
use crate::{kernels, machine, process};

/// Renew docs/costs.md: every backend, as it comes and tuned, on every locked series.
#[derive(Debug, Args)]
pub struct Costs {
    /// Begin anew where an earlier run was cut off, instead of going on with it
    #[arg(long)]
    fresh: bool,
    /// Make the page from these finished runs instead of running anything; of a trial that is in several of them the last
    /// stands
    #[arg(long, value_name = "DIR", num_args = 1.., conflicts_with = "fresh")]
    from: Option<Vec<PathBuf>>,
    /// Further arguments for `execlab run`, such as `-j 1`
    #[arg(last = true)]
    extra: Vec<String>,
}

const PAGE: &str = "docs/costs.md";
const EXECS: u32 = 100;
const SEEDS: u32 = 3;
const BURST: u32 = 1024;
/// What all execute that can watch it, and what is executed for those that need a dynamic linker.
const PLAIN: &str = "absolute";
const LINKED: &str = "dynamic";
const DEFAULT: &str = "default";
const TUNED: &str = "tuned";

impl Costs {
    /// Runs the matrices and writes the page.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        // What only lists its rows need not be fast.
        let profile = match self.from {
            Some(_) => process::Profile::Dev,
            None => process::Profile::Release,
        };
        let execlab = process::execlab(profile)?;
        let rows = rows(&execlab)?;
        let runs = match &self.from {
            Some(dirs) => dirs.clone(),
            None => self.measure(&execlab, &rows)?,
        };
        let page = page(&rows, &lines(&runs)?)?;
        let path = process::workspace().join(PAGE);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        if self.from.is_none() {
            // The next call is to begin anew.
            for run in &runs {
                fs::remove_dir_all(run)
                    .with_context(|| format!("cannot remove {}", run.display()))?;
            }
        }
        Ok(())
    }

    /// Loads of their own, and those backends apart that need a program with a dynamic linker to watch.
    fn measure(&self, execlab: &Path, rows: &[Row]) -> Result<Vec<PathBuf>> {
        let folder = process::workspace().join("target/costs");
        if self.fresh && folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let kernels = kernels::every_series(execlab)?;
        let ends = [kernels.first(), kernels.last()];
        let ends: Vec<String> = ends.into_iter().flatten().cloned().collect();
        let (execs, seeds) = (EXECS.to_string(), SEEDS.to_string());
        let (burst, load) = (BURST.to_string(), format!("burst:{BURST}"));
        let loads: [(&str, &[String], &[&str]); 2] = [
            ("closed", &kernels, &["--execs", &execs, "--seeds", &seeds]),
            ("burst", &ends, &["--execs", &burst, "--load", &load]),
        ];
        let mut runs = Vec::new();
        for scenario in [PLAIN, LINKED] {
            let watching = rows.iter().filter(|row| row.scenario() == scenario);
            let backends: Vec<String> = watching
                .flat_map(|row| [row.name.clone(), format!("{}+{TUNED}", row.name)])
                .collect();
            for (name, kernels, rest) in loads {
                let dir = folder.join(format!("{scenario}-{name}"));
                let mut matrix = vec!["--backends".to_owned(), backends.join(",")];
                matrix.extend(["--kernels".to_owned(), kernels.join(",")]);
                matrix.extend(["--workloads", scenario].map(str::to_owned));
                matrix.extend(["--lab", "exact", "--verify=none"].map(str::to_owned));
                matrix.extend(rest.iter().map(|&word| word.to_owned()));
                let status = process::run_or_resume(execlab, &dir, &matrix, &self.extra)?;
                if !status.success() {
                    bail!("the run in {} ended with {status}", dir.display());
                }
                runs.push(dir);
            }
        }
        Ok(runs)
    }
}

/// What the runs measured, each trial once.
fn lines(runs: &[PathBuf]) -> Result<Vec<Line>> {
    let mut lines = BTreeMap::new();
    for dir in runs {
        let file = dir.join("results.jsonl");
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        for line in text.lines() {
            let line: Line = serde_json::from_str(line)
                .with_context(|| format!("{} has a line that is no result", file.display()))?;
            lines.insert(line.trial.clone(), line);
        }
    }
    Ok(lines.into_values().collect())
}

/// A backend, as `execlab list backends` has it.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    family: String,
}

impl Row {
    /// What it is measured with.
    fn scenario(&self) -> &'static str {
        if self.family == "libc" { LINKED } else { PLAIN }
    }
}

/// All that watch, in the order of the registry.
fn rows(execlab: &Path) -> Result<Vec<Row>> {
    let mut list = Command::new(execlab);
    list.args(["list", "backends", "--format", "json"]);
    let rows: Vec<Row> = serde_json::from_str(&process::output(&mut list)?)
        .context("`execlab list backends` printed something else than its rows")?;
    Ok(rows.into_iter().filter(|row| row.name != "none").collect())
}
