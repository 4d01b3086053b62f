//! `cargo xtask conformance`.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::{kernels, machine, process};

/// Renew the conformance table: on every locked series, 20 execs each, the backends and scenarios that `[scope]` of
/// conformance/expected.toml names.
#[derive(Debug, Args)]
pub struct Conformance {
    /// Begin anew where an earlier run was cut off, instead of going on with it
    #[arg(long)]
    fresh: bool,
    /// Put the rows of this finished run in the place of those of the table, instead of running anything
    #[arg(long, value_name = "DIR", conflicts_with = "fresh")]
    from: Option<PathBuf>,
    /// Further arguments for `execlab run`, such as `-j 1`
    #[arg(last = true)]
    extra: Vec<String>,
}

const TABLE: &str = "conformance/table.toml";
impl Conformance {
    /// Runs the matrix, writes the table, and says which rows changed and which are still to be
    /// explained. An unexplained row is an error, and so it is in `cargo xtask test`.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        let execlab = process::execlab(process::Profile::Release)?;
        let (results, table) = match &self.from {
            Some(dir) => (dir.clone(), report(&execlab, dir, "renewed")?),
            None => self.measure(&execlab)?,
        };
        let path = process::workspace().join(TABLE);
        let before = fs::read_to_string(&path).unwrap_or_default();
        let changed = changed(&before, &table);
        fs::write(&path, &table).with_context(|| format!("cannot write {}", path.display()))?;
        if changed.is_empty() {
            eprintln!("{TABLE}: no row changed");
        } else {
            eprintln!("{TABLE}: rows that changed:");
            for line in changed {
                eprintln!("  {line}");
            }
        }
        let missing = report(&execlab, &results, "explanations")?;
        if !missing.is_empty() {
            println!("{missing}");
            bail!(
                "rows differ from what techniques.md predicts and are not explained: add what is printed above to conformance/explanations.toml and say why"
            );
        }
        // An explanation that is no longer needed is refused as well.
        process::run(process::cargo().args([
            "test",
            "--quiet",
            "--package",
            "execlab-harness",
            "--test",
            "conformance",
        ]))
    }

    /// Finished runs of the whole table in one file of results, and their table.
    fn measure(&self, execlab: &Path) -> Result<(PathBuf, String)> {
        let folder = process::workspace().join("target/conformance");
        let results = folder.join("results.jsonl");
        if self.fresh && folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let mut lines = String::new();
        let mut runs = Vec::new();
        for (name, matrix) in matrices(execlab)? {
            let dir = folder.join(name);
            runs.push(dir.clone());
            // How it ended is no matter: what is otherwise than predicted may end it as a defect, and is what the
            // table is for. There is one where every trial has a measurement.
            process::run_or_resume(execlab, &dir, &matrix, &self.extra)?;
            let file = dir.join("results.jsonl");
            lines += &fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
        }
        fs::write(&results, lines)
            .with_context(|| format!("cannot write {}", results.display()))?;
        let table = report(execlab, &results, "toml").context(
            "the runs have gaps; called again this tries again what the host broke, and with `--fresh` it begins anew, as it must where a guest was lost",
        )?;
        // The next call is to begin anew.
        for run in runs {
            fs::remove_dir_all(&run).with_context(|| format!("cannot remove {}", run.display()))?;
        }
        Ok((results, table))
    }
}

/// Where the scope stands.
const EXPECTED: &str = "conformance/expected.toml";

#[derive(Deserialize)]
struct Expected {
    scope: Scope,
}

#[derive(Deserialize)]
struct Scope {
    everywhere: Vec<String>,
    scenarios: Vec<String>,
    #[serde(default)]
    also: BTreeMap<String, Vec<String>>,
}

/// The matrices of the table: on the first kernel of every series that can be had. Nothing is run twice: that exact
/// trials repeat is shown elsewhere.
fn matrices(execlab: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let mut list = Command::new(execlab);
    list.args(["list", "backends", "--format", "json"]);
    let rows: Vec<Value> = serde_json::from_str(&process::output(&mut list)?)
        .context("`execlab list backends` printed no JSON")?;
    let names: Option<Vec<&str>> = rows.iter().map(|row| row.get("name")?.as_str()).collect();
    let mut backends = names.context("a listed backend has no name")?;
    let text = fs::read_to_string(process::workspace().join(EXPECTED))
        .with_context(|| format!("cannot read {EXPECTED}"))?;
    let Expected { scope } =
        toml::from_str(&text).with_context(|| format!("{EXPECTED} has no [scope]"))?;
    backends.retain(|name| *name != "none" && scope.everywhere.iter().all(|one| one != name));
    let kernels = kernels::every_series(execlab)?.join(",");
    let run = |backends: String, scenarios: String| {
        let arguments = [
            ("--kernels", kernels.clone()),
            ("--backends", backends),
            // No load is named: some scenarios are made for their own.
            ("--workloads", scenarios),
            ("--execs", "20".to_owned()),
            ("--seeds", "1".to_owned()),
            ("--lab", "exact".to_owned()),
            // The table says nothing of costs.
            ("--baselines", "false".to_owned()),
        ];
        let arguments = arguments
            .into_iter()
            .flat_map(|(flag, value)| [flag.to_owned(), value]);
        arguments.chain(["--verify=none".to_owned()]).collect()
    };
    let mut matrices = vec![
        (
            "everywhere".to_owned(),
            run(scope.everywhere.join(","), "all".to_owned()),
        ),
        (
            "others".to_owned(),
            run(backends.join(","), scope.scenarios.join(",")),
        ),
    ];
    let also = scope.also.into_iter();
    matrices.extend(
        also.map(|(backend, scenarios)| (backend.clone(), run(backend, scenarios.join(",")))),
    );
    Ok(matrices)
}

fn report(execlab: &Path, results: &Path, format: &str) -> Result<String> {
    process::output(Command::new(execlab).arg("report").arg(results).args([
        "--conformance",
        "--format",
        format,
    ]))
}

/// Lines of a table that are in one of two only, each behind the name of its row.
fn changed(before: &str, now: &str) -> Vec<String> {
    let rows = |text: &str| {
        let mut row = String::new();
        let mut lines = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if line.starts_with('[') {
                line.clone_into(&mut row);
            } else if !line.is_empty() {
                lines.push(format!("{row} {line}"));
            }
        }
        lines
    };
    let (before, now) = (rows(before), rows(now));
    let gone = before.iter().filter(|line| !now.contains(line));
    let come = now.iter().filter(|line| !before.contains(line));
    gone.map(|line| format!("- {line}"))
        .chain(come.map(|line| format!("+ {line}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn a_changed_line_is_told_with_its_row() {
        let before =
            "# a\nschema = 1\n\n[class.a.b]\n\"5.10\" = \"x\"\n\n[class.a.c]\n\"5.10\" = \"x\"\n";
        let now =
            "# b\nschema = 1\n\n[class.a.b]\n\"5.10\" = \"x\"\n\n[class.a.c]\n\"5.10\" = \"y\"\n";
        assert_eq!(
            changed(before, now),
            [
                "- [class.a.c] \"5.10\" = \"x\"",
                "+ [class.a.c] \"5.10\" = \"y\""
            ]
        );
        assert!(changed(now, now).is_empty());
    }
}
