//! The programs of a guest, built by a cargo of their own.
//!
//! They are static and of another profile than the host's programs, which one cargo invocation cannot
//! do; so others run here. Each program is built apart from those that it has nothing to do with, because
//! features are united over what is built together: init, storm and payloads first, then for each backend a
//! monitor that holds that backend alone. A change to one backend so changes one program. As most of a
//! monitor's build is one thread's linking, they are built side by side, in a few lanes that have a target
//! folder each.
//!
//! The same sources, dependencies, compilers and libraries give the same bytes, wherever they lie
//! (`cargo xtask reproducible` proves it). This file is part of the harness's build script and of
//! xtask.

mod payloads;
pub mod toolchain;

use std::{
    env,
    ffi::OsStr,
    fs::{self, File},
    io,
    panic::resume_unwind,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

const TARGET: &str = "x86_64-unknown-linux-gnu";
/// What every trial runs, with the arguments that make cargo build it.
const COMMON: [&str; 7] = [
    "--bins",
    "-p",
    "execlab-trial",
    "-p",
    "execlab-workloads",
    "--features",
    "execlab-workloads/payload",
];
/// The names of the programs that [`COMMON`] gives.
const COMMON_PROGRAMS: [&str; 4] = [
    "execlab-init",
    "execlab-storm",
    "execlab-payload",
    "execlab-payload-bare",
];
/// What runs trials on a host: it knows every backend, because it puts back what any of them changes.
const HOST: [&str; 6] = [
    "--bin",
    HOST_PROGRAM,
    "-p",
    "execlab-trial",
    "--features",
    "host",
];
const HOST_PROGRAM: &str = "execlab-host";
/// Each lane builds the libraries anew.
const LANES: usize = 4;
/// A monitor as cargo calls it, whatever backend it holds.
const MONITOR: &str = "execlab-monitor";

/// Where the monitor of a backend lies in the folder that [`build`] fills.
pub fn monitor(backend: &str) -> String {
    format!("{MONITOR}-{backend}")
}

/// Builds all programs of the workspace in `target_dir` and puts them into `into`; the error is what
/// to tell the user. A file there that is the same already is not touched, so that nothing is built
/// again that carries it.
pub fn build(workspace: &Path, target_dir: &Path, into: &Path) -> Result<(), String> {
    // Every monitor is called the same where cargo puts it: between that and the copy nobody else,
    // such as a build of another profile in the same target folder, may build one.
    let _alone = lock(target_dir).map_err(failed("lock", target_dir))?;
    let built = target_dir.join(TARGET).join("guest");
    cargo(workspace, target_dir, &COMMON)?;
    for program in COMMON_PROGRAMS {
        copy(&built.join(program), &into.join(program))?;
    }
    payloads::build(workspace, target_dir, into)?;
    let host = into.join(HOST_PROGRAM);
    program(workspace, target_dir, &HOST, HOST_PROGRAM, &host)?;
    monitors(workspace, target_dir, into, &backends(workspace)?)
}

/// Builds a monitor for each backend, in as many lanes as there are CPUs, but for more than [`LANES`].
fn monitors(
    workspace: &Path,
    target_dir: &Path,
    into: &Path,
    backends: &[String],
) -> Result<(), String> {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let lanes = cpus.min(LANES);
    let lane = |lane: usize| {
        let target_dir = target_dir.join(format!("lane-{lane}"));
        for backend in backends.iter().skip(lane).step_by(lanes) {
            let arguments = ["--bins", "-p", "execlab-backends", "--no-default-features"];
            let arguments = [&arguments[..], &["--features", backend]].concat();
            let to = into.join(monitor(backend));
            program(workspace, &target_dir, &arguments, MONITOR, &to)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let running: Vec<_> = (0..lanes).map(|n| scope.spawn(move || lane(n))).collect();
        running
            .into_iter()
            .try_for_each(|lane| lane.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Builds one program, with these arguments for cargo, and puts it to `to`.
pub fn program(
    workspace: &Path,
    target_dir: &Path,
    arguments: &[&str],
    name: &str,
    to: &Path,
) -> Result<(), String> {
    cargo(workspace, target_dir, arguments)?;
    copy(&target_dir.join(TARGET).join("guest").join(name), to)
}

/// The names of all backends that watch: the features that `backends/` has by default. A build script
/// could ask the registry itself only if all backends were built once more, for the script; a test
/// compares the two (`harness/src/lab/guest_files.rs`).
pub fn backends(workspace: &Path) -> Result<Vec<String>, String> {
    let manifest = workspace.join("backends/Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(failed("read", &manifest))?;
    let list = text
        .split_once("\ndefault = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .ok_or_else(|| format!("{} has no list `default = […]`", manifest.display()))?;
    // What stands between quotation marks is every second part.
    let names = list.0.split('"').skip(1).step_by(2);
    Ok(names.map(str::to_owned).collect())
}

fn cargo(workspace: &Path, target_dir: &Path, arguments: &[&str]) -> Result<(), String> {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(program);
    cargo
        .current_dir(workspace)
        .args(["build", "--profile", "guest", "--target", TARGET])
        .args(arguments)
        .arg("--target-dir")
        .arg(target_dir)
        // Flags, wrappers and habits of the outer build (clippy's among them) are not the guest's.
        .env_remove("RUSTC_WORKSPACE_WRAPPER")
        .env_remove("RUSTC_WRAPPER")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_BUILD_BUILD_DIR", target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", flags(workspace, target_dir))
        // Another clang compiles the eBPF programs anew.
        .env("EXECLAB_CLANG_VERSION", toolchain::clang_version());
    let output = cargo.output().map_err(failed("start", "cargo"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

/// Static, and no path of this machine stays in a guest program. As cargo separates flags where a path
/// may hold spaces.
fn flags(workspace: &Path, target_dir: &Path) -> String {
    let mut flags = vec!["-Ctarget-feature=+crt-static".to_owned()];
    let mut paths = vec![
        (workspace.to_owned(), "/execlab"),
        (target_dir.to_owned(), "/target"),
    ];
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    if let Some(home) = home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))) {
        // Below this the registry's folder is named after where it was downloaded from.
        let registries = fs::read_dir(home.join("registry/src"))
            .into_iter()
            .flatten();
        paths.extend(
            registries
                .flatten()
                .map(|entry| (entry.path(), "/registry")),
        );
        paths.push((home, "/cargo"));
    }
    let real: Vec<_> = paths
        .iter()
        .filter_map(|(path, to)| Some((path.canonicalize().ok()?, *to)))
        .collect();
    paths.extend(real);
    // The last one that fits is taken, and folders can lie in each other in any way.
    paths.sort_by_key(|(path, _)| path.as_os_str().len());
    paths.dedup();
    flags.extend(
        paths
            .iter()
            .map(|(path, to)| format!("--remap-path-prefix={}={to}", path.display())),
    );
    flags.join("\u{1f}")
}

fn lock(target_dir: &Path) -> io::Result<File> {
    fs::create_dir_all(target_dir)?;
    let file = File::create(target_dir.join("programs.lock"))?;
    file.lock()?;
    Ok(file)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let bytes = fs::read(from).map_err(failed("read", from))?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::write(to, bytes).map_err(failed("write", to))
}

fn failed(what: &str, which: impl AsRef<OsStr>) -> impl FnOnce(io::Error) -> String {
    let context = format!("cannot {what} {}", which.as_ref().display());
    move |error| format!("{context}: {error}")
}
