//! The guest's file systems: a table and a loop.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MsFlags, mount},
    unistd::{chdir, chroot},
};

use crate::TrialError;

/// One mount of the guest.
struct Mount {
    kind: &'static str,
    target: &'static str,
    /// Whether a kernel without it is still good for most trials.
    optional: bool,
}

const MOUNTS: &[Mount] = &[
    Mount {
        kind: "proc",
        target: "proc",
        optional: false,
    },
    Mount {
        kind: "sysfs",
        target: "sys",
        optional: false,
    },
    Mount {
        kind: "devtmpfs",
        target: "dev",
        optional: false,
    },
    Mount {
        kind: "cgroup2",
        target: "sys/fs/cgroup",
        optional: false,
    },
    Mount {
        kind: "tracefs",
        target: "sys/kernel/tracing",
        optional: true,
    },
    Mount {
        kind: "bpf",
        target: "sys/fs/bpf",
        optional: true,
    },
    Mount {
        kind: "securityfs",
        target: "sys/kernel/security",
        optional: true,
    },
];

/// Makes a tmpfs the root, takes `carry` along and mounts everything else there.
///
/// The initramfs itself cannot be left by `pivot_root(2)`, which containers need; so the root moves
/// first, as `switch_root(8)` does it.
pub fn switch_root(carry: &[&str]) -> Result<(), TrialError> {
    let new = Path::new("/newroot");
    mount_on("tmpfs", new)?;
    for folder in carry {
        copy_folder(&Path::new("/").join(folder), &new.join(folder))?;
    }
    for Mount {
        kind,
        target,
        optional,
    } in MOUNTS
    {
        match mount_on(kind, &new.join(target)) {
            Err(error) if !optional => return Err(error),
            _ => {}
        }
    }
    for folder in ["tmp", "run", "srv", "var"] {
        make(&new.join(folder))?;
    }
    chdir(new).map_err(TrialError::at("change to the new root"))?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)
        .map_err(TrialError::at("move the new root onto /"))?;
    chroot(".").map_err(TrialError::at("enter the new root"))?;
    chdir("/").map_err(TrialError::at("change to /"))
}

fn mount_on(kind: &str, target: &Path) -> Result<(), TrialError> {
    // Folders below sysfs and the like are the kernel's: there, making them fails where mounting
    // does too, and only the latter tells why.
    let _ = fs::create_dir_all(target);
    mount(
        Some(kind),
        target,
        Some(kind),
        MsFlags::empty(),
        None::<&str>,
    )
    .map_err(TrialError::at(format!(
        "mount {kind} on {}",
        target.display()
    )))
}

fn make(dir: &Path) -> Result<(), TrialError> {
    fs::create_dir_all(dir).map_err(TrialError::at(format!("make {}", dir.display())))
}

/// Moves the files of one flat folder, so that their memory is not held twice.
fn copy_folder(from: &Path, to: &Path) -> Result<(), TrialError> {
    let Ok(entries) = fs::read_dir(from) else {
        return Ok(());
    };
    make(to)?;
    let mut files: Vec<PathBuf> = entries.filter_map(Result::ok).map(|e| e.path()).collect();
    files.sort();
    for file in files {
        let target = to.join(file.file_name().expect("a folder's entries have names"));
        fs::copy(&file, &target).map_err(TrialError::at(format!("copy {}", file.display())))?;
        fs::remove_file(&file).map_err(TrialError::at(format!("remove {}", file.display())))?;
    }
    Ok(())
}
