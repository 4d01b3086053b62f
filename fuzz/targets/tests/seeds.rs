//! The short run: all seeds, and a fixed number of mutations of them, the same each time.

mod mutate;

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use execlab_fuzz_targets::TARGETS;
use mutate::Mutator;

fn fuzz() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the crate lies in the folder of the fuzzers")
}

fn seeds(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("seeds").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |path: PathBuf| (path.clone(), fs::read(path).unwrap());
    files.into_iter().map(read).collect()
}

/// Seeds of which the reader is to say what is wrong with them.
const REFUSED: &[(&str, &str)] = &[
    ("matrix", "hostile"),
    ("matrix", "many-seeds"),
    ("matrix", "no-toml"),
    ("matrix", "nothing"),
    ("matrix", "release"),
    ("matrix", "unknown-keys"),
    ("matrix", "variants"),
    ("matrix", "wrong-names"),
    ("matrix", "wrong-type"),
    ("record", "found-frame-shorter-than-its-ends"),
];

/// Runs one target on everything, and keeps what it finds where a fuzzer would. A seed that no reader takes
/// any more is of a format that is gone, and reaches little: a finding too.
fn run(name: &str) {
    let target = TARGETS.iter().find(|t| t.name == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "no seeds");
    let mut otherwise = Vec::new();
    for (path, seed) in &seeds {
        let taken = catch_unwind(|| (target.run)(seed));
        let taken = taken.unwrap_or_else(|_| panic!("{}", path.display()));
        let file = path.file_name().unwrap().to_str().unwrap();
        if taken == REFUSED.contains(&(name, file)) {
            otherwise.push(format!("{file}: taken {taken}"));
        }
    }
    assert_eq!(otherwise, [""; 0], "seeds that are not read as they were");
    let inputs: Vec<&[u8]> = seeds.iter().map(|(_, seed)| seed.as_slice()).collect();
    let mut mutator = Mutator::new(&inputs);
    for number in 0..target.mutations {
        let input = mutator.next_input();
        if catch_unwind(|| (target.run)(&input)).is_err() {
            let folder = fuzz().join("artifacts").join(name);
            let path = folder.join(format!("mutation-{number}"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(&path, &input).unwrap();
            panic!("mutation {number}, kept in {}", path.display());
        }
    }
}

#[test]
fn accounting() {
    run("accounting");
}

#[test]
fn audit() {
    run("audit");
}

#[test]
fn connector() {
    run("connector");
}

#[test]
fn kernels() {
    run("kernels");
}

#[test]
fn kmod() {
    run("kmod");
}

#[test]
fn matrix() {
    run("matrix");
}

#[test]
fn perf() {
    run("perf");
}

#[test]
fn proc() {
    run("proc");
}

#[test]
fn record() {
    run("record");
}

#[test]
fn results() {
    run("results");
}

#[test]
fn ring() {
    run("ring");
}

#[test]
fn tracefs() {
    run("tracefs");
}

#[test]
fn wires() {
    run("wires");
}

#[test]
fn every_target_has_its_program_its_seeds_and_its_short_run() {
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let entries: BTreeSet<&str> = manifest
        .split("[[bin]]\nname = \"")
        .skip(1)
        .map(|rest| rest.split_once('"').unwrap().0)
        .collect();
    assert_eq!(entries, names, "in fuzz/Cargo.toml");
    let this = include_str!("seeds.rs");
    for name in &names {
        let program = fuzz().join("fuzz_targets").join(format!("{name}.rs"));
        let text = fs::read_to_string(&program).unwrap();
        let call = format!("execlab_fuzz_targets::{name}::run(input)");
        assert!(text.contains(&call), "{}", program.display());
        assert!(this.contains(&format!("run(\"{name}\")")), "{name}");
    }
    let folders = fs::read_dir(fuzz().join("seeds")).unwrap();
    let folders: Vec<String> = folders
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(folders.len(), names.len(), "{folders:?}");
}
