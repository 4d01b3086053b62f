//! `cargo xtask reproducible`: what goes into a guest depends on its sources alone.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

use crate::{machine, process, programs};

/// Changes that are no backend's but this one's: file, text, what it becomes.
const PLANTS: [(&str, &str, &str); 3] = [
    (
        "backends/src/audit/mod.rs",
        "\"audit rules for execve",
        "\"some other rules for execve",
    ),
    ("harness/src/lib.rs", "//!", "//! Planted."),
    ("reports/src/lib.rs", "//!", "//! Planted."),
];
/// The backend whose file is among them.
const CHANGED: &str = "audit";

/// The bytes of each program, by name.
type Programs = BTreeMap<String, Vec<u8>>;

/// Builds the sources as they are here in two folders, compares; then changes the second and compares
/// again.
pub fn run() -> Result<()> {
    machine::make_ready()?;
    println!("built by {}", programs::toolchain::describe());
    let root = tempfile::tempdir().context("failed to make a folder")?;
    let first = Checkout::new(root.path().join("a"), "target")?;
    // Another length, a space, and a target folder outside of the workspace.
    let second = Checkout::new(root.path().join("another place/b"), "../elsewhere/target")?;

    let from_first = first.build()?;
    let from_second = second.build()?;
    ensure!(
        compare(&from_first, &from_second).is_empty(),
        "two folders gave different programs"
    );
    let here = root.path().as_os_str().as_bytes();
    for (name, bytes) in &from_first {
        ensure!(!holds(bytes, here), "{name} holds the path of its build");
    }

    for (file, text, becomes) in PLANTS {
        second.plant(file, text, becomes)?;
    }
    let differ = compare(&from_first, &second.build()?);
    ensure!(
        differ == [programs::monitor(CHANGED)],
        "a change to {CHANGED}, harness/ and reports/ changed {differ:?}"
    );
    println!("the same from two folders; a change to {CHANGED}, harness/ and reports/ changes one");
    Ok(())
}

/// A copy of the workspace with a target folder of its own.
struct Checkout {
    folder: PathBuf,
    target: PathBuf,
}

impl Checkout {
    /// All files that git knows or would know, as they are now.
    fn new(folder: PathBuf, target: &str) -> Result<Self> {
        let mut git = Command::new("git");
        git.current_dir(process::workspace())
            .args(["ls-files", "-z", "--cached", "--others"])
            .arg("--exclude-standard");
        let listed = git.output().context("failed to start git")?;
        ensure!(listed.status.success(), "git ls-files failed");
        for name in listed.stdout.split(|&b| b == 0).filter(|n| !n.is_empty()) {
            let name = Path::new(OsStr::from_bytes(name));
            let (from, to) = (process::workspace().join(name), folder.join(name));
            if from.is_file() {
                fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
                fs::copy(&from, &to)
                    .with_context(|| format!("failed to copy {}", from.display()))?;
            }
        }
        let target = folder.join(target);
        Ok(Self { folder, target })
    }

    fn build(&self) -> Result<Programs> {
        eprintln!("building in {}", self.folder.display());
        let into = self.target.join("compared");
        fs::create_dir_all(&into)?;
        let built = programs::build(&self.folder, &self.target, &into);
        built.map_err(anyhow::Error::msg)?;
        fs::read_dir(&into)?
            .map(|entry| {
                let entry = entry?;
                let name = entry.file_name().to_string_lossy().into_owned();
                Ok((name, fs::read(entry.path())?))
            })
            .collect()
    }

    fn plant(&self, file: &str, text: &str, becomes: &str) -> Result<()> {
        let path = self.folder.join(file);
        let before = fs::read_to_string(&path)?;
        let after = before.replacen(text, becomes, 1);
        if after == before {
            bail!("{file} does not hold {text} any more: plant something else there");
        }
        fs::write(&path, after)?;
        Ok(())
    }
}

/// Prints both; the names of those that differ.
fn compare(one: &Programs, other: &Programs) -> Vec<String> {
    let mut differ = Vec::new();
    for name in one
        .keys()
        .chain(other.keys().filter(|n| !one.contains_key(*n)))
    {
        let (a, b) = (one.get(name), other.get(name));
        let verdict = if a == b { "same" } else { "differs" };
        println!("{:8} {name:28} {} {}", verdict, short(a), short(b));
        if a != b {
            differ.push(name.clone());
        }
    }
    differ
}

/// The first 8 bytes of the hash.
fn short(bytes: Option<&Vec<u8>>) -> String {
    bytes.map_or_else(
        || "(missing)".to_owned(),
        |bytes| {
            let hash = Sha256::digest(bytes);
            let first = hash[..8].try_into().expect("8 of 32 bytes");
            format!("{:016x}", u64::from_be_bytes(first))
        },
    )
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
