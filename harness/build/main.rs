//! Builds what goes into a guest and hands its files to the `execlab` binary, which carries them.

mod programs;

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let workspace = here
        .parent()
        .expect("the harness is a member of a workspace");
    for part in [
        "model",
        "workloads",
        "backends",
        "trial",
        "saboteur",
        "harness/build",
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(part).display());
    }
    for variable in programs::toolchain::clang::VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let toolchain = programs::toolchain::describe();
    println!("cargo::rustc-env=EXECLAB_GUEST_TOOLCHAIN={toolchain}");
    let target = target_folder(&out).join("guest-build");
    let done = programs::build(workspace, &target, &out)
        .and_then(|()| saboteur(workspace, &target, &out))
        .and_then(|()| programs::backends(workspace))
        .and_then(|backends| list_monitors(&backends, &out.join("monitors.rs")));
    if let Err(message) = done {
        // Through `cargo::error`, because it is what a user sees of a failing build script first.
        for line in message.lines() {
            println!("cargo::error={line}");
        }
    }
}

/// For tests that boot guests; no execlab carries it.
fn saboteur(workspace: &Path, target: &Path, out: &Path) -> Result<(), String> {
    if env::var_os("CARGO_FEATURE_GUESTS").is_some() {
        const SABOTEUR: &str = "execlab-saboteur";
        let path = out.join(SABOTEUR);
        programs::program(
            workspace,
            target,
            &["--bins", "-p", SABOTEUR],
            SABOTEUR,
            &path,
        )?;
        println!("cargo::rustc-env=EXECLAB_SABOTEUR={}", path.display());
    }
    Ok(())
}

/// Writes the table that `guest_files.rs` includes: name and bytes of each monitor.
fn list_monitors(backends: &[String], to: &Path) -> Result<(), String> {
    let mut text = String::from("&[\n");
    for backend in backends {
        let file = programs::monitor(backend);
        let _ = writeln!(text, "    ({backend:?}, include_bytes!({file:?})),");
    }
    text.push_str("]\n");
    fs::write(to, text).map_err(|error| format!("cannot write {}: {error}", to.display()))
}

/// The target folder of the outer build: the nearest folder above `OUT_DIR` that cargo has tagged.
fn target_folder(out: &Path) -> &Path {
    let tagged = out
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file());
    tagged.unwrap_or(out)
}
