//! Payloads that cargo does not build: one of 32 bits, and one that is linked when it starts, with the linker
//! that does it.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use super::{TARGET, copy, failed, toolchain::clang};

const COMPAT: &str = "execlab-payload-32";
const DYNAMIC: &str = "execlab-payload-dynamic";
const LINKER: &str = "execlab-linker";

/// Builds all of them in `target_dir` and puts them into `into`; the error is what to tell the user.
pub fn build(workspace: &Path, target_dir: &Path, into: &Path) -> Result<(), String> {
    let dir = target_dir.join("payloads");
    fs::create_dir_all(&dir).map_err(failed("make", &dir))?;
    compat(workspace, &dir.join(COMPAT))?;
    dynamic(workspace, &dir.join(DYNAMIC))?;
    for program in [COMPAT, DYNAMIC] {
        copy(&dir.join(program), &into.join(program))?;
    }
    copy(&linker()?, &into.join(LINKER))
}

/// No path of this machine is in it: the source is named from the workspace, and nothing is there for a
/// debugger.
fn compat(workspace: &Path, to: &Path) -> Result<(), String> {
    let mut clang = Command::new(clang::program());
    clang
        .current_dir(workspace)
        .args(["-m32", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-Werror"])
        .args(["-ffreestanding", "-fno-builtin", "-fno-stack-protector"])
        .args(["-fno-pic", "-fno-ident", "-fno-asynchronous-unwind-tables"])
        .args(["-nostdlib", "-static"])
        .arg("-Wl,--build-id=none,-z,noseparate-code,-s")
        .args(["workloads/payload/compat.c", "-o"])
        .arg(to);
    run(&mut clang)
}

/// The same source as the payload's, linked as programs usually are. By the compiler itself: for cargo, what
/// goes into a guest is static.
fn dynamic(workspace: &Path, to: &Path) -> Result<(), String> {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc
        .current_dir(workspace)
        .args(["--edition", "2024", "--crate-type", "bin"])
        .args(["--crate-name", "execlab_payload_dynamic"])
        .args(["--target", TARGET])
        .args(["-Copt-level=2", "-Ccodegen-units=1", "-Cpanic=abort"])
        .args(["-Cstrip=symbols", "-Clink-arg=-nostartfiles"])
        .args(["-Clink-arg=-nostdlib", "-Clink-arg=-Wl,--build-id=none"])
        .args(["workloads/payload/payload.rs", "-o"])
        .arg(to);
    run(&mut rustc)
}

/// Where the C library's linker is on this machine, by the compiler whose library is in the other programs.
fn linker() -> Result<PathBuf, String> {
    let mut cc = Command::new("cc");
    cc.arg("-print-file-name=ld-linux-x86-64.so.2");
    let output = cc.output().map_err(failed("start", "cc"))?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim_end());
    if path.is_absolute() {
        Ok(path)
    } else {
        Err(
            "cc does not know the C library's linker, ld-linux-x86-64.so.2.\n\
             Install the C library for programs (Debian, Ubuntu: `apt-get install libc6-dev`)."
                .to_owned(),
        )
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let program: OsString = command.get_program().into();
    let output = command.output().map_err(failed("start", &program))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
