//! Compiles the object that is preloaded into programs, where the feature `preload` is asked for.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, exit},
};

use crate::clang;

const SOURCES: [&str; 2] = ["preload/report.c", "preload/calls.c"];
const HEADER: &str = "preload/preload.h";

pub fn build() {
    for source in SOURCES.iter().chain([&HEADER]) {
        println!("cargo::rerun-if-changed={source}");
    }
    // Set by `harness/build/`: the same name can lead to another clang tomorrow.
    println!("cargo::rerun-if-env-changed=EXECLAB_CLANG_VERSION");
    for variable in clang::VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let object = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("preload.so");
    if let Err(message) = compile(&object) {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
        exit(1);
    }
}

/// Without a C library, and without anything that tells one checkout from another.
fn compile(object: &Path) -> Result<(), String> {
    let clang = clang::program();
    let output = Command::new(&clang)
        .args([
            "-target",
            "x86_64-linux-gnu",
            "-std=gnu11",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Werror",
        ])
        .args([
            "-ffreestanding",
            "-fno-stack-protector",
            "-fno-asynchronous-unwind-tables",
            "-fno-ident",
        ])
        .args(["-fPIC", "-fvisibility=hidden", "-shared", "-nostdlib"])
        // `defs`: what it needs of others is weak, or a program without a C library would end for want of it.
        .arg("-Wl,--build-id=none,-z,defs,-z,noseparate-code,-s")
        .args(SOURCES)
        .arg("-o")
        .arg(object)
        .output()
        .map_err(|error| {
            format!(
                "cannot run `{clang}` ({error}): the object that `preload` loads is compiled by clang.\n\
                 Install it (Debian, Ubuntu: `apt-get install clang`), or name another one in EXECLAB_CLANG."
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "`{clang}` could not compile the object of `preload`:\n{said}"
    ))
}
