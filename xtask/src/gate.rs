//! `cargo xtask gate`: whether `execlab compare` is silent where nothing changed, and finds one per cent.
//!
//! Runs are made that differ in the padding of the guest's image and in their seeds, and in nothing else; from each of two
//! some seeds are drawn and compared. No input of a backend has changed in such a pair, and it has no seed in common.
//! Then every backend is made one per cent dearer.

mod draw;
mod tally;

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use self::{draw::Draw, tally::Tally};
use crate::{kernels, machine, process};

/// Turns of the loop that a burden wastes for each sighting, two instructions each: a hundredth of what the backend
/// added on 7.3 in docs/exact-lab.md, fixed before any of the runs here was made.
const BURDENS: [(&str, u32); 4] = [
    ("netlink", 877),
    ("audit", 856),
    ("ebpf", 89),
    ("ptrace", 927),
];

/// Whether the gate is silent and sharp.
#[derive(Debug, Args)]
pub struct Gate {
    /// Kernel [default: the newest]
    #[arg(long)]
    kernel: Option<String>,
    /// Bytes of padding in the guest's image, one run for each
    #[arg(
        long,
        value_delimiter = ',',
        default_values_t = [0, 100_003, 1_300_021, 2_700_001, 5_500_003, 9_000_011, 17_000_023, 31_000_003]
    )]
    paddings: Vec<u64>,
    /// Seeds of each run; no two runs have one in common
    #[arg(long, default_value_t = 32)]
    seeds: u64,
    /// Seeds of each side of a comparison, drawn from those of its run
    #[arg(long, default_value_t = 16)]
    drawn: usize,
    /// Comparisons of what did not change
    #[arg(long, default_value_t = 1000)]
    comparisons: usize,
    /// Comparisons with what was made dearer, for each other padding
    #[arg(long, default_value_t = 20)]
    planted: usize,
    /// Where runs are kept; those that are there are gone on with, and taken as they are where they are whole
    #[arg(long)]
    dir: Option<PathBuf>,
    /// An `execlab` to use in place of one built from here
    #[arg(long)]
    execlab: Option<PathBuf>,
}

/// A run of one padding.
struct Lines {
    padding: u64,
    lines: Vec<(u64, String)>,
}

impl Gate {
    /// Prints three tables, and fails where there was an alarm, or a planted slowdown was not found with the same seeds
    /// and image.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        let execlab = match &self.execlab {
            Some(path) => path.clone(),
            None => process::execlab(process::Profile::Release)?,
        };
        let kernel = match &self.kernel {
            Some(kernel) => kernel.clone(),
            None => kernels::oldest_and_newest(&execlab)?[1].clone(),
        };
        let home = process::workspace().join("target/gate");
        let dir = self.dir.clone().unwrap_or(home);
        std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let run = |name: String, burdened, padding: u64, first: u64| {
            let to = dir.join(format!("{kernel}-{name}"));
            // What a run wrote may be cut anywhere: execlab itself knows, and ends at once where nothing is missing.
            let mut command = if to.join("plan.json").exists() {
                resumed(&execlab, &to)
            } else {
                let mut command = command(&execlab, &kernel, &matrix(&dir, burdened)?, &to);
                command.args(["--seeds", &format!("{first}..{}", first + self.seeds)]);
                command
            };
            process::output(command.args(["--pad", &padding.to_string()]))?;
            lines(&to, padding)
        };
        let mut runs = Vec::new();
        for (&padding, at) in self.paddings.iter().zip(0..) {
            runs.push(run(padding.to_string(), false, padding, at * self.seeds)?);
        }
        let slow = run("slow".to_owned(), true, self.paddings[0], 0)?;
        let scratch = tempfile::tempdir().context("no temporary folder")?;
        let compare = |base: &[&str], new: &[&str]| {
            let sides = [("base", base), ("new", new)].map(|(name, lines)| {
                let path = scratch.path().join(format!("{name}.jsonl"));
                std::fs::write(&path, lines.concat()).map(|()| path)
            });
            let [base, new] = sides;
            compare(&execlab, &base?, &new?)
        };
        let silent = self.unchanged(&runs, compare)?;
        let not_found = self.dearer(&runs, &slow, compare)?;
        if !silent {
            bail!("there was an alarm where nothing had changed");
        }
        if !not_found.is_empty() {
            bail!(
                "a planted slowdown was not found each time: {}",
                not_found.join(", ")
            );
        }
        Ok(())
    }

    /// Seeds of two paddings against each other.
    fn unchanged(
        &self,
        runs: &[Lines],
        compare: impl Fn(&[&str], &[&str]) -> Result<Value>,
    ) -> Result<bool> {
        let others = |i| {
            (0..runs.len())
                .filter(move |&j| i != j)
                .map(move |j| (i, j))
        };
        let pairs: Vec<(usize, usize)> = (0..runs.len()).flat_map(others).collect();
        if pairs.is_empty() {
            bail!("there has to be more than one padding");
        }
        let mut draw = Draw::new(1);
        let mut tally = Tally::default();
        for &(i, j) in pairs.iter().cycle().take(self.comparisons) {
            let mut some = |run: &Lines| draw.some(&run.seeds(), self.drawn);
            let (base, new) = (some(&runs[i]), some(&runs[j]));
            tally.add(&compare(&runs[i].of(&base), &runs[j].of(&new))?)?;
        }
        println!(
            "nothing changed: {} comparisons of {} seeds with {} others, drawn from {} images with a padding and {} seeds each",
            self.comparisons,
            self.drawn,
            self.drawn,
            runs.len(),
            self.seeds
        );
        tally.print();
        Ok(tally.alarms() == 0)
    }

    /// Every backend made dearer: with the same seeds and image, where it is to be found, and with neither, where the limit
    /// between images is wider than what is planted. Returns the backends in which it was not found each time.
    fn dearer(
        &self,
        runs: &[Lines],
        slow: &Lines,
        compare: impl Fn(&[&str], &[&str]) -> Result<Value>,
    ) -> Result<Vec<&'static str>> {
        let mut draw = Draw::new(2);
        let (mut paired, mut apart) = (Tally::default(), Tally::default());
        for _ in 0..self.planted {
            let same = draw.some(&slow.seeds(), self.drawn);
            paired.add(&compare(&runs[0].of(&same), &slow.of(&same))?)?;
            for run in runs.iter().filter(|r| r.padding != slow.padding) {
                let base = draw.some(&run.seeds(), self.drawn);
                let new = draw.some(&slow.seeds(), self.drawn);
                apart.add(&compare(&run.of(&base), &slow.of(&new))?)?;
            }
        }
        println!("one per cent planted, the same seeds and image:");
        paired.print();
        println!(
            "one per cent planted, other seeds and another image (for information: the limit is wider):"
        );
        apart.print();
        // A hundredth of what ebpf adds is less than its seeds show in any time one would wait.
        let judged = BURDENS
            .iter()
            .map(|(name, _)| *name)
            .filter(|n| *n != "ebpf");
        Ok(judged.filter(|n| !paired.always(n, "regressed")).collect())
    }
}

impl Lines {
    fn seeds(&self) -> Vec<u64> {
        let seeds: BTreeSet<u64> = self.lines.iter().map(|(seed, _)| *seed).collect();
        seeds.into_iter().collect()
    }

    /// The lines of some seeds.
    fn of(&self, seeds: &[u64]) -> Vec<&str> {
        let taken = self.lines.iter().filter(|(seed, _)| seeds.contains(seed));
        taken.map(|(_, line)| line.as_str()).collect()
    }
}

/// A run of what does not change from one to the next.
fn command(execlab: &Path, kernel: &str, matrix: &Path, to: &Path) -> Command {
    let mut command = Command::new(execlab);
    command
        .arg("run")
        .arg(matrix)
        .args(["--kernels", kernel, "--workloads", "relative"])
        .args(["--load", "closed", "--execs", "1000", "--verify=none"])
        .arg("--out")
        .arg(to);
    command
}

/// Writes a matrix file. An argument more is a change too: what is not dearer has a burden of nothing.
fn matrix(dir: &Path, burdened: bool) -> Result<PathBuf> {
    let path = dir.join(if burdened { "slow.toml" } else { "plain.toml" });
    let names = BURDENS.map(|(name, _)| format!("\"{name}+plain\""));
    let mut text = format!("backends = [{}]\n", names.join(", "));
    for (name, turns) in BURDENS {
        let turns = if burdened { turns } else { 0 };
        writeln!(text, "[variants.{name}.plain]\nburden = {turns}")?;
    }
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Goes on with a run where it was cut.
fn resumed(execlab: &Path, to: &Path) -> Command {
    let mut command = Command::new(execlab);
    command.args(["run", "--resume"]).arg(to);
    command
}

/// The lines of a run.
fn lines(dir: &Path, padding: u64) -> Result<Lines> {
    let path = dir.join("results.jsonl");
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let mut lines = Vec::new();
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).context("a result is no JSON")?;
        let seed = value["seed"].as_u64().context("a result has no seed")?;
        lines.push((seed, format!("{line}\n")));
    }
    Ok(Lines { padding, lines })
}

/// What `execlab compare` says; its exit code is in it.
fn compare(execlab: &Path, base: &Path, new: &Path) -> Result<Value> {
    let mut command = Command::new(execlab);
    command.arg("compare").args([base, new]);
    let output = command.args(["--format", "json"]).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        format!("`execlab compare` printed no JSON: {said}")
    })
}
