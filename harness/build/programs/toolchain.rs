//! What builds the programs of a guest, by name and version.

use std::{env, ffi::OsStr, process::Command};

#[path = "../../../backends/build/clang.rs"]
pub mod clang;

/// Compiler, compiler of the eBPF programs, linker (whose distribution also tells the C library).
pub fn describe() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let (rustc, linker) = (first_line(rustc), first_line("cc"));
    format!("{rustc}, {}, {linker}", clang_version())
}

/// `clang 14.0.6`, of `Debian clang version 14.0.6`.
pub fn clang_version() -> String {
    let line = first_line(clang::program());
    let version = line.split_once("version ").map_or(line.as_str(), |l| l.1);
    let version = version.split(' ').next().unwrap_or(version);
    format!("clang {version}")
}

/// What a program that cannot be run lacks is told by the build that needs it.
fn first_line(program: impl AsRef<OsStr>) -> String {
    Command::new(program)
        .arg("--version")
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}
