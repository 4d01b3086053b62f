//! Programs that are no QEMU, or not the right one: told before anything is run.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    bench::{Bench, ended},
    table::row,
};

const TRIAL: &[&str] = &[
    "run",
    "--kernels=6.1",
    "--backends=netlink",
    "--execs=5",
    "--out=o",
];

fn refused(test: &str, program: impl AsRef<Path>) {
    let bench = Bench::new();
    let mut run = bench.execlab(TRIAL);
    ended(run.env("EXECLAB_QEMU", program.as_ref())).is(row(test));
    assert!(
        !bench.path("o").exists(),
        "a run that never was has no folder"
    );
    bench.nothing_is_left("o");
}

fn script(bench: &Bench, text: &str) -> std::path::PathBuf {
    let path = bench.path("qemu");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

#[test]
fn qemu_missing() {
    refused("qemu_missing", "/nothing/here");
}

#[test]
fn qemu_is_something_else() {
    let bench = Bench::new();
    refused("qemu_is_something_else", script(&bench, "echo 'hello'"));
}

#[test]
fn qemu_too_old() {
    let bench = Bench::new();
    let old = "echo 'QEMU emulator version 4.2.0 (Debian 1:4.2-6)'";
    refused("qemu_too_old", script(&bench, old));
}
