//! Compiles the programs in `bpf/` for the kernel's virtual machine, where the feature `ebpf` is asked for.

mod clang;
mod preload;

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Output, exit},
};

/// Objects, and the instruction set of each: v2 is what every kernel since 4.14 takes, v3 has the atomic operations of 5.12.
const OBJECTS: &[(&str, &str)] = &[
    ("exec", "v2"),
    ("probes", "v2"),
    ("trampoline", "v2"),
    ("execsnoop", "v2"),
    ("lsm", "v3"),
];
const HEADERS: &[&str] = &["kernel.h", "record.h", "walk.h", "collect.h"];

fn main() {
    // Said in any case: without a word, any file of the package would be a reason to run again.
    println!("cargo::rerun-if-changed=build");
    if env::var_os("CARGO_FEATURE_PRELOAD").is_some() {
        preload::build();
    }
    if env::var_os("CARGO_FEATURE_EBPF").is_none() {
        return;
    }
    for header in HEADERS {
        println!("cargo::rerun-if-changed=bpf/{header}");
    }
    // Set by `harness/build/`, which asks for it: the same name can lead to another clang tomorrow.
    println!("cargo::rerun-if-env-changed=EXECLAB_CLANG_VERSION");
    for variable in clang::VARIABLES {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    let clang = clang::program();
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets it"));
    for (name, instructions) in OBJECTS {
        let source = format!("bpf/{name}.bpf.c");
        println!("cargo::rerun-if-changed={source}");
        let object = out.join(format!("{name}.bpf.o"));
        if let Err(lines) = compile(&clang, &source, instructions, &object) {
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                println!("cargo::error={line}");
            }
            exit(1);
        }
        strip(&clang, &object);
    }
}

/// The error is what to tell the user.
fn compile(clang: &str, source: &str, instructions: &str, object: &Path) -> Result<(), String> {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let output = run(Command::new(clang)
        // `-g` is where the type information comes from.
        .args(["-target", "bpf", "-O2", "-g", "-Wall", "-Wextra", "-Werror"])
        .arg(format!("-mcpu={instructions}"))
        // The same object from every checkout.
        .arg(format!("-ffile-prefix-map={here}="))
        .arg("-c")
        .arg(Path::new(&here).join(source))
        .arg("-o")
        .arg(object));
    let output = output.map_err(|error| {
        format!(
            "cannot run `{clang}` ({error}): the eBPF backend is compiled by clang 12 or newer.\n\
             Install it (Debian, Ubuntu: `apt-get install clang`), or name another one in EXECLAB_CLANG."
        )
    })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(
        if said.contains("bpf/bpf_") && said.contains("file not found") {
            "the headers of libbpf are missing (bpf/bpf_helpers.h, bpf/bpf_core_read.h).\n\
         Install them (Debian, Ubuntu: `apt-get install libbpf-dev`)."
                .to_owned()
        } else if said.contains("unable to create target") || said.contains("unknown target") {
            format!(
                "`{clang}` was built without the BPF target.\n\
             Name another one in EXECLAB_CLANG (Debian's package `clang` has it)."
            )
        } else {
            format!("`{clang}` could not compile {source}:\n{said}")
        },
    )
}

/// Takes the debugging sections out, which nobody reads at run time; the type information stays.
/// Without the tool the object is larger and works as well.
fn strip(clang: &str, object: &Path) {
    // Beside `/opt/llvm/bin/clang-19` stands `/opt/llvm/bin/llvm-strip-19`.
    let clang = Path::new(clang);
    let name = clang.file_name().unwrap_or_default().to_string_lossy();
    let tool = clang.with_file_name(name.replacen("clang", "llvm-strip", 1));
    for tool in [tool, PathBuf::from("llvm-strip")] {
        let done = run(Command::new(tool).arg("-g").arg(object));
        if done.is_ok_and(|output| output.status.success()) {
            return;
        }
    }
}

fn run(command: &mut Command) -> std::io::Result<Output> {
    command.output()
}
