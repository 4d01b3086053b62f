//! What is kept from run to run is damaged.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use execlab_model::result::Status;

use super::{
    alone, cache, damage, newest, private_cache,
    qemu::{KILL, in_the_way},
};
use crate::{
    bench::{Bench, Ran, ended},
    table::row,
};

const TRIAL: &[&str] = &[
    "run",
    "--backends=none",
    "--workloads=absolute",
    "--execs=20",
    "--verify=none",
    "-j1",
];

/// A bench, and a cache of its own in which the kernel's warm image is.
fn warm() -> (Bench, PathBuf) {
    let bench = Bench::with_cache(cache());
    bench
        .run(&[TRIAL, &["--out=warm", &kernel()]].concat())
        .code(0);
    private(bench)
}

fn private(mut bench: Bench) -> (Bench, PathBuf) {
    let cache = private_cache(&bench, &newest());
    bench.use_cache(&cache);
    (bench, cache)
}

fn kernel() -> String {
    format!("--kernels={}", newest())
}

fn run(bench: &Bench, more: &[&str]) -> Command {
    bench.execlab(&[TRIAL, &["--out=o", &kernel()], more].concat())
}

/// All files of a folder of the cache with this ending.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let found: Vec<_> = paths
        .filter(|p| p.to_string_lossy().ends_with(ending))
        .collect();
    assert!(!found.is_empty(), "{ending} in {}", folder.display());
    found
}

fn completed(bench: &Bench) {
    let lines = bench.results("o");
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line.status, Status::Completed, "{:?}", line.reason);
    }
}

#[test]
fn warm_image_damaged() {
    let _alone = alone();
    let (bench, cache) = warm();
    for file in files(&cache.join("warm"), ".state") {
        damage(&file);
    }
    ended(&mut run(&bench, &[])).is(row("warm_image_damaged"));
    completed(&bench);
    bench.nothing_is_left("o");
}

#[test]
fn warm_image_damaged_for_good() {
    let _alone = alone();
    let (bench, cache) = warm();
    for file in files(&cache.join("warm"), ".state") {
        damage(&file);
    }
    // Only what starts from an image is told to wait for one.
    let booting = format!("case \"$*\" in *-incoming*) ;; *) {KILL};; esac");
    let qemu = in_the_way(&bench, &booting);
    let row = row("warm_image_damaged_for_good");
    ended(run(&bench, &[]).env("EXECLAB_QEMU", qemu)).code(row.code);
    let lines = bench.results("o");
    let reason = lines[0].reason.as_deref().unwrap_or_default();
    assert_eq!(lines[0].status, Status::Infra, "{reason}");
    assert!(
        row.evidence.iter().all(|text| reason.contains(text)),
        "{reason}"
    );
    bench.nothing_is_left("o");
}

#[test]
fn warm_image_replaced_in_a_run() {
    let _alone = alone();
    let (bench, cache) = warm();
    let mut child = run(&bench, &["--seeds=4"]);
    let mut child = child
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    bench.wait_for_results("o", 1, &mut child);
    for file in files(&cache.join("warm"), ".state") {
        let half = fs::metadata(&file).unwrap().len() / 2;
        fs::remove_file(&file).unwrap();
        fs::File::create(&file).unwrap().set_len(half).unwrap();
    }
    let ran: Ran = child.wait_with_output().unwrap().into();
    ran.is(row("warm_image_replaced_in_a_run"));
    completed(&bench);
    let lines = bench.results("o");
    let tries = lines.iter().filter(|line| line.host.contains_key("tries"));
    assert_eq!((lines.len(), tries.count()), (4, 1));
    bench.nothing_is_left("o");
}

/// Without a network nothing can be fetched anew.
const NO_NETWORK: &str = "--mirror=http://127.0.0.1:1/debian";

#[test]
fn kernel_damaged() {
    let _alone = alone();
    let (bench, cache) = private(Bench::with_cache(cache()));
    let kernel = files(&cache.join("kernels"), "").remove(0);
    damage(&kernel.join("vmlinux"));
    ended(&mut run(&bench, &[NO_NETWORK])).is(row("kernel_damaged"));
    assert!(!bench.path("o").exists(), "it was never booted");
    bench.nothing_is_left("o");
}

#[test]
fn module_damaged() {
    let _alone = alone();
    let (bench, cache) = private(Bench::with_cache(cache()));
    let kernel = files(&cache.join("kernels"), "").remove(0);
    damage(&kernel.join("modules/kernel/fs/overlayfs/overlay.ko"));
    ended(&mut run(&bench, &[NO_NETWORK])).is(row("module_damaged"));
    assert!(!bench.path("o").exists(), "it was never booted");
    bench.nothing_is_left("o");
}

#[test]
fn initramfs_damaged() {
    let _alone = alone();
    let (bench, cache) = warm();
    let first = ["--out=first", &kernel()];
    bench.run(&[TRIAL, &first].concat()).code(0);
    let file = files(&cache.join("initramfs"), ".cpio").remove(0);
    let whole = fs::read(&file).unwrap();
    damage(&file);
    ended(&mut run(&bench, &[])).is(row("initramfs_damaged"));
    assert_eq!(fs::read(&file).unwrap(), whole, "it was written anew");
    completed(&bench);
    bench.nothing_is_left("o");
}
