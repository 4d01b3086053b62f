//! The payloads bring their own entry point; the witness is compiled into the storm.

#[path = "../backends/build/clang.rs"]
mod clang;

use std::{env, path::PathBuf, process::Command};

fn main() {
    for payload in ["execlab-payload", "execlab-payload-bare"] {
        for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie"] {
            println!("cargo::rustc-link-arg-bin={payload}={argument}");
        }
        // Two pages less to map for each exec: no separate segment for notes and headers.
        println!("cargo::rustc-link-arg-bin={payload}=-Wl,--build-id=none,-z,noseparate-code");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={WITNESS}");
    // Set by `harness/build/`: the same name can lead to another clang tomorrow.
    println!("cargo::rerun-if-env-changed=EXECLAB_CLANG_VERSION");
    for variable in clang::VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if let Err(message) = compile_witness() {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
    }
}

const WITNESS: &str = "witness/witness.c";

/// Without a C library, and without anything that tells one checkout from another.
fn compile_witness() -> Result<(), String> {
    let clang = clang::program();
    let object = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("witness.so");
    let output = Command::new(&clang)
        .args(["-target", "x86_64-linux-gnu", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(["-ffreestanding", "-fno-stack-protector", "-fno-asynchronous-unwind-tables"])
        .args(["-fPIC", "-fvisibility=hidden", "-shared", "-nostdlib"])
        .args(["-Wl,--build-id=none,-z,defs,-z,noseparate-code,-s", WITNESS, "-o"])
        .arg(object)
        .output()
        .map_err(|error| {
            format!(
                "cannot run `{clang}` ({error}): the witness of foreign programs is compiled by clang.\n\
                 Install it (Debian, Ubuntu: `apt-get install clang`), or name another one in EXECLAB_CLANG."
            )
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{clang}` could not compile {WITNESS}:\n{said}"))
}
