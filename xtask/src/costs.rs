//! `cargo xtask costs`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::{kernels, machine, process};

/// Renew docs/costs.md: every backend, as it comes and tuned, on every locked series.
#[derive(Debug, Args)]
pub struct Costs {
    /// Begin anew where an earlier run was cut off, instead of going on with it
    #[arg(long)]
    fresh: bool,
    /// Make the page from these finished runs (execs one after the other, and bursts) instead of running anything
    #[arg(long, value_name = "DIR", num_args = 2, conflicts_with = "fresh")]
    from: Option<Vec<PathBuf>>,
    /// Further arguments for `execlab run`, such as `-j 1`
    #[arg(last = true)]
    extra: Vec<String>,
}

const PAGE: &str = "docs/costs.md";
const EXECS: u32 = 100;
const SEEDS: u32 = 3;
const BURST: u32 = 1024;
const DEFAULT: &str = "default";
const TUNED: &str = "tuned";

impl Costs {
    /// Runs both matrices and writes the page.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        let execlab = process::execlab(process::Profile::Release)?;
        let rows = rows(&execlab)?;
        let (closed, burst) = match &self.from {
            Some(dirs) => (dirs[0].clone(), dirs[1].clone()),
            None => self.measure(&execlab, &rows)?,
        };
        let lines = |dir: &Path| -> Result<Vec<Value>> {
            let file = dir.join("results.jsonl");
            let text = fs::read_to_string(&file)
                .with_context(|| format!("cannot read {}", file.display()))?;
            text.lines()
                .map(|line| serde_json::from_str(line).context("a line of results is no JSON"))
                .collect()
        };
        let page = page(&rows, &lines(&closed)?, &lines(&burst)?)?;
        let path = process::workspace().join(PAGE);
        fs::write(&path, page).with_context(|| format!("cannot write {}", path.display()))?;
        if self.from.is_none() {
            // The next call is to begin anew.
            for run in [&closed, &burst] {
                fs::remove_dir_all(run)
                    .with_context(|| format!("cannot remove {}", run.display()))?;
            }
        }
        Ok(())
    }

    fn measure(&self, execlab: &Path, rows: &[Row]) -> Result<(PathBuf, PathBuf)> {
        let folder = process::workspace().join("target/costs");
        if self.fresh && folder.exists() {
            fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let backends: Vec<String> = rows
            .iter()
            .flat_map(|row| [row.name.clone(), format!("{}+{TUNED}", row.name)])
            .collect();
        let kernels = kernels::every_series(execlab)?;
        let ends = [kernels.first(), kernels.last()];
        let ends: Vec<String> = ends.into_iter().flatten().cloned().collect();
        let go = |name: &str, kernels: &[String], rest: &[&str]| -> Result<PathBuf> {
            let dir = folder.join(name);
            let mut run = Command::new(execlab);
            run.current_dir(process::workspace()).arg("run");
            if dir.exists() {
                run.arg("--resume").arg(&dir);
            } else {
                run.arg("--out").arg(&dir);
                run.args(["--backends", &backends.join(",")]);
                run.args(["--kernels", &kernels.join(",")]);
                run.args(["--workloads", "absolute", "--lab", "exact", "--verify=none"]);
                run.args(rest);
            }
            run.args(["--format", "json"])
                .args(&self.extra)
                .stdout(Stdio::null());
            eprintln!("$ {run:?}");
            let status = run.status().context("failed to start execlab")?;
            if !status.success() {
                bail!("the run in {} ended with {status}", dir.display());
            }
            Ok(dir)
        };
        let (execs, seeds) = (EXECS.to_string(), SEEDS.to_string());
        let burst = BURST.to_string();
        let load = format!("burst:{BURST}");
        let closed = go("closed", &kernels, &["--execs", &execs, "--seeds", &seeds])?;
        let bursts = go("burst", &ends, &["--execs", &burst, "--load", &load])?;
        Ok((closed, bursts))
    }
}

/// A backend, as `execlab list backends` has it.
#[derive(Debug, Deserialize)]
struct Row {
    name: String,
    family: String,
}

/// All that watch, in the order of the registry.
fn rows(execlab: &Path) -> Result<Vec<Row>> {
    let mut list = Command::new(execlab);
    list.args(["list", "backends", "--format", "json"]);
    let rows: Vec<Row> = serde_json::from_str(&process::output(&mut list)?)
        .context("`execlab list backends` printed something else than its rows")?;
    Ok(rows.into_iter().filter(|row| row.name != "none").collect())
}

/// Backend, variant, kernel.
type Key = (String, String, String);

/// One thing of each trial of a cell.
fn cells(lines: &[Value], of: impl Fn(&Value) -> Option<f64>) -> BTreeMap<Key, Vec<f64>> {
    let mut cells: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for line in lines {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let key = (
            text(&line["backend"]["name"]),
            text(&line["backend"]["variant"]),
            text(&line["kernel"]["name"]),
        );
        if line["status"] == "completed"
            && let Some(value) = of(line)
        {
            cells.entry(key).or_default().push(value);
        }
    }
    cells
}

fn page(rows: &[Row], closed: &[Value], bursts: &[Value]) -> Result<String> {
    let added = cells(closed, |line| line["cost"]["added_per_exec"].as_f64());
    let kernels = kernels_of(closed);
    let first = closed.first().context("the run has no results")?;
    let releases: BTreeSet<&str> = closed
        .iter()
        .filter_map(|line| line["kernel"]["release"].as_str())
        .collect();
    let releases: Vec<&str> = releases.into_iter().collect();
    let qemu = first["provenance"]["qemu"].as_str().unwrap_or("unknown");
    let mut text = format!(
        "# Costs\n\n\
         <!-- Written by `cargo xtask costs`. -->\n\n\
         What each backend adds to an exec, in guest instructions, against the baseline of the same kernel, workload and \
         seed: scenario `absolute`, load `closed`, {EXECS} execs, {SEEDS} seeds, lab `exact` ({qemu}, TCG, one `qemu64` CPU). \
         The median of the seeds; behind it half of their range. `dearer` marks where the tuned variant costs more than the \
         default one by more than both ranges; what is in bold is the cheapest of its family there; `-` is a kernel on which it does \
         not attach. Kernels: {}.\n\n\
         [Backends](backends.md) has the settings of both variants; the description of each says what is bought for what it \
         costs more than the cheapest of its family.\n\n",
        releases.join(", ")
    );
    let _ = writeln!(
        text,
        "| family | backend | variant | {} |",
        kernels.join(" | ")
    );
    let _ = writeln!(text, "|---|---|---|{}", "---:|".repeat(kernels.len()));
    let least = cheapest(rows, &added);
    for Row { name, family } in rows {
        for variant in [DEFAULT, TUNED] {
            let cell = |kernel: &String| {
                let of =
                    |variant: &str| added.get(&(name.clone(), variant.to_owned(), kernel.clone()));
                let Some(values) = of(variant) else {
                    return "-".to_owned();
                };
                let (middle, spread) = middle(values);
                let dearer = variant == TUNED
                    && of(DEFAULT).is_some_and(|default| {
                        let (other, wide) = self::middle(default);
                        middle - other > spread + wide
                    });
                let dearer = if dearer { " dearer" } else { "" };
                let cost = format!("{} ± {}", grouped(middle), grouped(spread));
                let is_least = least.get(&(family.as_str(), kernel.as_str())) == Some(&middle);
                let bold = if is_least { "**" } else { "" };
                format!("{bold}{cost}{bold}{dearer}")
            };
            let row: Vec<String> = kernels.iter().map(cell).collect();
            let _ = writeln!(
                text,
                "| {family} | `{name}` | {variant} | {} |",
                row.join(" | ")
            );
        }
    }
    text += &burst_section(bursts, rows);
    Ok(text)
}

/// What bursts make of both variants: what was seen, and whether the rest is known.
fn burst_section(lines: &[Value], rows: &[Row]) -> String {
    let seen = cells(lines, |line| line["completeness"]["seen"].as_f64());
    let added = cells(lines, |line| line["cost"]["added_per_exec"].as_f64());
    let said = cells(lines, |line| line["loss"]["self_reported"].as_f64());
    let kernels = kernels_of(lines);
    let mut text = format!(
        "\n## Under a burst\n\nThe same scenario, {BURST} execs at once, one seed: how many were seen, how many the backend itself \
         says that it lost (`?`: it does not know, or not the number), and what it adds to an exec. `fewer` and \
         `dearer` mark where the tuned variant saw less or cost more than the default one.\n\n| backend | variant | {} |\n|---|---|{}\n",
        kernels.join(" | "),
        "---|".repeat(kernels.len())
    );
    for Row { name, .. } in rows {
        for variant in [DEFAULT, TUNED] {
            let cell = |kernel: &String| {
                let key = |variant: &str| (name.clone(), variant.to_owned(), kernel.clone());
                let one = |of: &BTreeMap<Key, Vec<f64>>, variant: &str| {
                    of.get(&key(variant))
                        .and_then(|values| values.first().copied())
                };
                let Some(count) = one(&seen, variant) else {
                    return "-".to_owned();
                };
                let fewer =
                    variant == TUNED && one(&seen, DEFAULT).is_some_and(|other| count < other);
                let fewer = if fewer { " fewer" } else { "" };
                let said = one(&said, variant).map_or_else(|| "?".to_owned(), grouped);
                let cost = one(&added, variant);
                let dearer = variant == TUNED
                    && cost
                        .zip(one(&added, DEFAULT))
                        .is_some_and(|(tuned, default)| tuned > default);
                let dearer = if dearer { " dearer" } else { "" };
                let cost = cost.map_or_else(String::new, grouped);
                format!("{}{fewer}; says {said}; {cost}{dearer}", grouped(count))
            };
            let row: Vec<String> = kernels.iter().map(cell).collect();
            let _ = writeln!(text, "| `{name}` | {variant} | {} |", row.join(" | "));
        }
    }
    text
}

/// The least of all medians of a family on a kernel, whatever the variant.
fn cheapest<'a>(
    rows: &'a [Row],
    added: &'a BTreeMap<Key, Vec<f64>>,
) -> BTreeMap<(&'a str, &'a str), f64> {
    let mut least = BTreeMap::new();
    for ((name, _, kernel), values) in added {
        if let Some(row) = rows.iter().find(|row| row.name == *name) {
            let (middle, _) = middle(values);
            let known = least
                .entry((row.family.as_str(), kernel.as_str()))
                .or_insert(middle);
            *known = f64::min(*known, middle);
        }
    }
    least
}

/// In the order of the plan, which is the oldest first.
fn kernels_of(lines: &[Value]) -> Vec<String> {
    let mut kernels: Vec<String> = Vec::new();
    for line in lines {
        let name = line["kernel"]["name"].as_str().unwrap_or_default();
        if !kernels.iter().any(|known| known == name) {
            kernels.push(name.to_owned());
        }
    }
    // Results come as trials end; series order by their numbers.
    kernels.sort_by_key(|name| {
        name.split('.')
            .map(|part| part.parse::<u32>().unwrap_or(u32::MAX))
            .collect::<Vec<_>>()
    });
    kernels
}

/// The median, and half of the range.
fn middle(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
    (sorted[sorted.len() / 2], (last - first) / 2.0)
}

/// A whole number with commas between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    let negative = value < 0.0 && out != "0";
    if negative { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(kernel: &str, variant: &str, added: f64) -> Value {
        json!({
            "status": "completed",
            "backend": {"name": "x", "variant": variant},
            "kernel": {"name": kernel, "release": format!("{kernel}.0")},
            "provenance": {"qemu": "QEMU 7"},
            "cost": {"added_per_exec": added},
            "completeness": {"seen": 9},
            "loss": {"self_reported": null},
        })
    }

    #[test]
    fn numbers_have_commas_and_signs() {
        let all = [0.2, -0.4, 999.0, 1000.0, -1_234_567.4].map(grouped);
        assert_eq!(all, ["0", "0", "999", "1,000", "-1,234,567"]);
    }

    #[test]
    fn medians_stand_with_half_of_their_range_and_what_is_dearer_is_marked() {
        let mut closed = vec![line("6.12", "tuned", 3000.0), line("5.10", "default", 7.0)];
        closed.extend([100.0, 120.0, 110.0].map(|added| line("6.12", "default", added)));
        let rows = [Row {
            name: "x".into(),
            family: "letters".into(),
        }];
        let bursts = [
            line("5.10", "default", 1.0),
            line("5.10", "tuned", 2.0),
            line("7.3", "tuned", 2.0),
        ];
        let page = page(&rows, &closed, &bursts).unwrap();
        let rows: Vec<_> = page.lines().filter(|l| l.contains("| `x`")).collect();
        assert_eq!(
            rows,
            [
                "| letters | `x` | default | **7 ± 0** | **110 ± 10** |",
                "| letters | `x` | tuned | - | 3,000 ± 0 dearer |",
                "| `x` | default | 9; says ?; 1 | - |",
                "| `x` | tuned | 9; says ?; 2 dearer | 9; says ?; 2 |",
            ]
        );
    }
}
