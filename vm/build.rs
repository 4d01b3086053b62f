//! Compiles the object that is loaded into QEMU (`turns/turns.c`).

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, exit},
};

const SOURCE: &str = "turns/turns.c";

fn main() {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-env-changed=CC");
    let object = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it")).join("turns.so");
    if let Err(message) = compile(&object) {
        for line in message.lines() {
            println!("cargo::error={line}");
        }
        exit(1);
    }
}

fn compile(object: &Path) -> Result<(), String> {
    let cc = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&cc)
        .args(["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror"])
        .args(["-fPIC", "-ftls-model=initial-exec", "-shared", "-nostdlib"])
        // What it needs is QEMU's own C library, of whichever version.
        .arg("-Wl,--build-id=none,-s")
        .args([SOURCE, "-o"])
        .arg(object)
        .output()
        .map_err(|error| {
            format!("cannot run `{cc}` ({error}): the object that is loaded into QEMU is compiled by it.\n\
                 Install a C compiler (Debian: apt-get install gcc libc6-dev), or name one in CC.")
        })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{cc}` does not compile {SOURCE}:\n{said}"))
}
