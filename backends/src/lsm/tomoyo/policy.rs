//! TOMOYO's policy: what is written into it, switching it on, and putting it back.

use std::{
    fmt::Write as _,
    fs::{self, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, chroot},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::AttachError;

/// The name under which the profile is known as ours.
const COMMENT: &str = "0-COMMENT=execlab";
/// Every process stays in the domain that it is in.
const KEEP_DOMAIN: &str = "keep_domain any from any";
/// The kernel looks whether this is there, and starts it, when it is switched on
/// (`CONFIG_SECURITY_TOMOYO_POLICY_LOADER`).
const LOADER: &str = "sbin/tomoyo-init";
/// It switches itself on when this is executed (`CONFIG_SECURITY_TOMOYO_ACTIVATION_TRIGGER`).
const TRIGGER: &str = "sbin/init";

/// A policy that logs execs. Dropping it makes it one that does nothing.
#[derive(Debug)]
pub struct Policy {
    folder: PathBuf,
    /// Whether every process was told to stay in its domain.
    kept: bool,
}

fn call(what: &Path, text: &str) -> impl FnOnce(io::Error) -> AttachError {
    AttachError::call(format!("write of `{text}` to {}", what.display()))
}

impl Policy {
    /// Writes the policy, and switches TOMOYO on unless this has been done since the last boot. `log` is how many records the
    /// kernel keeps for a reader; `learning` whether it learns from what it sees.
    pub fn set(folder: &Path, log: u64, learning: bool) -> Result<Self, AttachError> {
        let profile = folder.join("profile");
        let before = fs::read_to_string(&profile).map_err(|error| {
            AttachError::Unsupported(format!(
                "read of {}: {error}: TOMOYO is not among the active security modules ({})",
                profile.display(),
                active(folder)
            ))
        })?;
        let ours = before.lines().any(|line| line == COMMENT);
        if !ours && before.lines().any(|line| line.starts_with("0-")) {
            return Err(AttachError::Unsupported(format!(
                "TOMOYO has a policy already: {}",
                before.lines().collect::<Vec<_>>().join("; ")
            )));
        }
        // Once it is switched on it takes orders from programs that it knows, and from no others.
        let manager =
            std::env::current_exe().map_err(AttachError::call("readlink /proc/self/exe"))?;
        let managers = folder.join("manager");
        let known = format!("{}\n", escape(manager.as_os_str().as_bytes()));
        fs::write(&managers, &known).map_err(call(&managers, known.trim_end()))?;
        let this = Self {
            folder: folder.to_owned(),
            kept: !learning,
        };
        let learned = if learning { 2048 } else { 0 };
        let rules = [
            COMMENT.to_owned(),
            format!("0-PREFERENCE={{ max_audit_log={log} max_learning_entry={learned} }}"),
            "0-CONFIG={ mode=disabled grant_log=no reject_log=no }".to_owned(),
            "0-CONFIG::file::execute={ mode=learning grant_log=yes reject_log=yes }".to_owned(),
        ];
        for rule in rules {
            fs::write(&profile, format!("{rule}\n")).map_err(call(&profile, &rule))?;
        }
        if this.kept {
            let exceptions = folder.join("exception_policy");
            let written = fs::write(&exceptions, format!("{KEEP_DOMAIN}\n"));
            written.map_err(call(&exceptions, KEEP_DOMAIN))?;
        }
        if !ours {
            switch_on().map_err(AttachError::call(format!("execution of /{TRIGGER}")))?;
        }
        Ok(this)
    }

    /// The profile as the kernel has it.
    pub fn profile(&self) -> String {
        let text = fs::read_to_string(self.folder.join("profile")).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("0-CONFIG::"));
        lines.collect::<Vec<_>>().join("; ")
    }

    fn put_back(&self) -> io::Result<()> {
        let quiet = "0-CONFIG::file::execute={ mode=disabled grant_log=no reject_log=no }\n";
        fs::write(self.folder.join("profile"), quiet)?;
        if self.kept {
            let no_more = format!("delete {KEEP_DOMAIN}\n");
            fs::write(self.folder.join("exception_policy"), no_more)?;
        }
        Ok(())
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Err(error) = self.put_back() {
            eprintln!("execlab-monitor: tomoyo: the policy is not put back: {error}");
        }
    }
}

/// A path as TOMOYO writes it (`tomoyo_encode2`).
pub fn escape(path: &[u8]) -> String {
    let mut text = String::new();
    for &byte in path {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b'!'..=b'~' => text.push(byte.into()),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(text, "\\{byte:03o}");
            }
        }
    }
    text
}

/// The active security modules, for people.
fn active(folder: &Path) -> String {
    let list = folder.parent().map(|above| above.join("lsm"));
    list.and_then(|list| fs::read_to_string(list).ok())
        .unwrap_or_else(|| "securityfs is not mounted".to_owned())
}

/// A folder that ends with this.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be deleted stays, and harms nobody.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Does once what the boot of a machine with tomoyo-tools does: executes the trigger, while there is a loader. Both are
/// in a root folder of their own, and the trigger is this very program, which only says how it is used. The
/// loader is then started outside that folder: where a machine has one it loads that policy, and elsewhere it is not
/// found, which the kernel takes as an empty policy.
fn switch_on() -> io::Result<()> {
    let root = std::env::temp_dir().join(format!("execlab-tomoyo-{}", std::process::id()));
    let root = Scratch(root);
    for name in [TRIGGER, LOADER] {
        let path = root.0.join(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        fs::copy("/proc/self/exe", &path)?;
        fs::set_permissions(&path, Permissions::from_mode(0o755))?;
    }
    let folder = root.0.clone();
    let mut trigger = Command::new(Path::new("/").join(TRIGGER));
    trigger
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec only `chroot` and `chdir` are called, with a path that was allocated before
    // (they put short paths on the stack).
    unsafe {
        trigger.pre_exec(move || {
            chroot(&folder)?;
            std::env::set_current_dir("/")
        });
    }
    trigger.status().map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(folder: &Path) -> String {
        match Policy::set(folder, 9, true) {
            Err(AttachError::Unsupported(reason)) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_kernel_without_it_and_a_policy_of_others_are_told() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("tomoyo");
        fs::write(root.path().join("lsm"), "capability,yama").unwrap();
        assert!(refused(&folder).contains("(capability,yama)"));
        fs::create_dir(&folder).unwrap();
        let theirs = "PROFILE_VERSION=20150505\n0-COMMENT=theirs\n";
        fs::write(folder.join("profile"), theirs).unwrap();
        assert!(refused(&folder).contains("0-COMMENT=theirs"));
        assert_eq!(fs::read_to_string(folder.join("profile")).unwrap(), theirs);
    }

    #[test]
    fn paths_are_written_as_the_kernel_does() {
        assert_eq!(escape(b"/a b\\c\xff"), "/a\\040b\\\\c\\377");
    }

    #[test]
    fn what_was_asked_for_is_taken_back() {
        let root = tempfile::tempdir().unwrap();
        let read = |name: &str| fs::read_to_string(root.path().join(name)).unwrap();
        // As after an earlier monitor of the same boot, so that nothing is switched on.
        fs::write(root.path().join("profile"), format!("{COMMENT}\n")).unwrap();
        let policy = Policy::set(root.path(), 9, false).unwrap();
        assert!(read("profile").contains("mode=learning grant_log=yes"));
        assert_eq!(read("exception_policy"), "keep_domain any from any\n");
        drop(policy);
        assert!(read("profile").contains("mode=disabled grant_log=no"));
        assert_eq!(
            read("exception_policy"),
            "delete keep_domain any from any\n"
        );
    }
}
