//! What this machine needs before anything can be built or run: a table, and one question each.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::process;

/// One thing that is needed.
struct Need {
    /// What it is for, as in "needed to …".
    what: &'static str,
    /// Debian's package.
    package: &'static str,
    present: fn() -> bool,
}

const NEEDS: &[Need] = &[
    Need {
        what: "run guests",
        package: "qemu-system-x86",
        present: || starts("qemu-system-x86_64"),
    },
    Need {
        what: "compile the eBPF program",
        package: "clang",
        present: || starts("clang"),
    },
    Need {
        what: "strip the eBPF program",
        package: "llvm",
        present: || starts("llvm-strip"),
    },
    Need {
        what: "compile the eBPF program",
        package: "libbpf-dev",
        present: || Path::new("/usr/include/bpf/bpf_helpers.h").exists(),
    },
    Need {
        what: "lint workflows",
        package: "python3-venv",
        present: || runs("python3", &["-c", "import ensurepip, venv"]),
    },
    Need {
        what: "look at reports in a browser",
        package: "chromium",
        present: || starts("chromium"),
    },
    Need {
        what: "link programs",
        package: "gcc",
        present: || starts("cc"),
    },
    Need {
        what: "link static programs",
        package: "libc6-dev",
        present: || {
            [
                "/usr/lib/x86_64-linux-gnu/libc.a",
                "/usr/lib64/libc.a",
                "/usr/lib/libc.a",
            ]
            .iter()
            .any(|path| Path::new(path).exists())
        },
    },
];

/// Installs what is missing where that is possible (Debian, as root), else names all of it.
pub fn make_ready() -> Result<()> {
    let missing = || {
        NEEDS
            .iter()
            .filter(|need| !(need.present)())
            .collect::<Vec<_>>()
    };
    let lacks = missing();
    if lacks.is_empty() {
        return Ok(());
    }
    let packages: Vec<_> = lacks.iter().map(|need| need.package).collect();
    for need in &lacks {
        eprintln!("needed to {}: {}", need.what, need.package);
    }
    let advice = format!("install them: apt-get install {}", packages.join(" "));
    if !nix::unistd::geteuid().is_root() || !starts("apt-get") {
        bail!("this machine lacks {}; {advice}", packages.join(", "));
    }
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        process::run(&mut apt)
    };
    apt(&["update", "-q"])?;
    apt(&[
        &["install", "-y", "-q", "--no-install-recommends"],
        &packages[..],
    ]
    .concat())?;
    if let Some(need) = missing().first() {
        bail!(
            "{} was installed and is still not there; {advice}",
            need.package
        );
    }
    Ok(())
}

fn starts(program: &str) -> bool {
    runs(program, &["--version"])
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .output()
        .is_ok_and(|output| output.status.success())
}
