//! Builds what goes into a guest and hands its files to the `execlab` binary, which carries them.
//!
//! The guest's programs are static and of another profile than the host's, which one cargo
//! invocation cannot do; so a second one runs here, with a target folder of its own beside the first
//! one's build folders.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "x86_64-unknown-linux-gnu";
const PACKAGES: [&str; 3] = ["execlab-trial", "execlab-workloads", "execlab-backends"];
/// Program, and the variable through which `guest_files.rs` finds it.
const PROGRAMS: [(&str, &str); 5] = [
    ("execlab-init", "EXECLAB_GUEST_INIT"),
    ("execlab-storm", "EXECLAB_GUEST_STORM"),
    ("execlab-monitor", "EXECLAB_GUEST_MONITOR"),
    ("execlab-payload", "EXECLAB_GUEST_PAYLOAD"),
    ("execlab-payload-bare", "EXECLAB_GUEST_PAYLOAD_BARE"),
];

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
        "Cargo.toml",
        "Cargo.lock",
    ] {
        println!("cargo::rerun-if-changed={}", workspace.join(part).display());
    }
    println!("cargo::rerun-if-changed=build.rs");

    let target_dir = target_folder().join("guest-build");
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets it"));
    cargo
        .current_dir(workspace)
        .args(["build", "--profile", "guest", "--target", TARGET, "--bins"])
        .args(["--features", "execlab-workloads/payload"])
        .args(PACKAGES.iter().flat_map(|package| ["-p", package]))
        .arg("--target-dir")
        .arg(&target_dir)
        // Flags and wrappers of the outer build (clippy's among them) are not the guest's.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC_WRAPPER")
        .env("CARGO_ENCODED_RUSTFLAGS", guest_flags(workspace));
    let built = cargo.output().expect("cargo can be started");
    if !built.status.success() {
        // Through `cargo::error`, because it is what a user sees of a failing build script first.
        for line in String::from_utf8_lossy(&built.stderr).lines() {
            println!("cargo::error={line}");
        }
        return;
    }
    for (program, variable) in PROGRAMS {
        let file = target_dir.join(TARGET).join("guest").join(program);
        println!("cargo::rustc-env={variable}={}", file.display());
    }
}

/// Static, and the same from every checkout: no path of this machine stays in a guest program.
fn guest_flags(workspace: &Path) -> String {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=/execlab", workspace.display()),
    ];
    flags.extend(home.map(|home| format!("--remap-path-prefix={}=/cargo", home.display())));
    // As cargo separates them where a path may hold spaces.
    flags.join("\u{1f}")
}

/// The target folder of the outer build: the nearest folder above `OUT_DIR` that cargo has tagged.
fn target_folder() -> PathBuf {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    let tagged = out
        .ancestors()
        .find(|dir| dir.join("CACHEDIR.TAG").is_file());
    tagged.unwrap_or(&out).to_owned()
}
