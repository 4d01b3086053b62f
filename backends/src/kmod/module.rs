//! A module in the kernel, for as long as it is wanted.

use std::{
    env,
    ffi::CString,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    str::FromStr,
};

use nix::{
    errno::Errno,
    kmod::{DeleteModuleFlags, ModuleInitFlags, delete_module, finit_module},
};

use crate::AttachError;

/// Where whoever built the modules for this kernel has put them, if not into [`FOLDER`].
pub const FOLDER_VARIABLE: &str = "EXECLAB_MODULES";

/// Where they are in a guest: `NAME.ko`, or where it could not be built `NAME.why` with the reason.
const FOLDER: &str = "/lib/execlab";

/// A loaded module; dropping it takes it out of the kernel.
#[derive(Debug)]
pub(super) struct Module {
    name: &'static str,
}

impl Module {
    /// Loads the module of that name with these parameters.
    pub(super) fn load(name: &'static str, parameters: &str) -> Result<Self, AttachError> {
        let folder = env::var_os(FOLDER_VARIABLE).map_or_else(|| FOLDER.into(), PathBuf::from);
        let (path, file) = open(&folder, name)?;
        let words = CString::new(parameters).expect("numbers and words");
        match finit_module(&file, &words, ModuleInitFlags::empty()) {
            Ok(()) => Ok(Self { name }),
            Err(errno) => Err(refused(&path, parameters, errno)),
        }
    }

    /// A parameter's value as it is now.
    pub(super) fn parameter<T: FromStr>(&self, name: &str) -> io::Result<T> {
        let path = format!("/sys/module/{}/parameters/{name}", self.name);
        let text = fs::read_to_string(path)?;
        text.trim()
            .parse()
            .map_err(|_| io::Error::other(format!("`{}` is no number", text.trim())))
    }

    /// Its device.
    pub(super) fn device(&self) -> PathBuf {
        Path::new("/dev").join(self.name)
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        if let Err(error) = unload(self.name) {
            eprintln!("execlab-monitor: delete_module({}): {error}", self.name);
        }
    }
}

/// Takes a module out of the kernel. Fails where somebody has its device open.
pub(super) fn unload(name: &str) -> nix::Result<()> {
    let name = CString::new(name).expect("a module's name");
    delete_module(&name, DeleteModuleFlags::O_NONBLOCK)
}

fn open(folder: &Path, name: &str) -> Result<(PathBuf, File), AttachError> {
    let path = folder.join(format!("{name}.ko"));
    let error = match File::open(&path) {
        Ok(file) => return Ok((path, file)),
        Err(error) => error,
    };
    if error.kind() != io::ErrorKind::NotFound {
        return Err(AttachError::call(format!("open {}", path.display()))(error));
    }
    Err(AttachError::Unsupported(
        match fs::read_to_string(folder.join(format!("{name}.why"))) {
            Ok(why) => format!(
                "the module could not be built for this kernel: {}",
                why.trim()
            ),
            Err(_) => format!(
                "no module was built for this kernel: there is no {}; build backends/kmod against its headers \
                 (make -C /lib/modules/RELEASE/build M=FOLDER), and name the folder in {FOLDER_VARIABLE}",
                path.display()
            ),
        },
    ))
}

/// What the kernel means by an error number (`kernel/module`); what is not the kernel's refusal is a failure.
fn refused(path: &Path, parameters: &str, errno: Errno) -> AttachError {
    let call = format!("finit_module({}, \"{parameters}\")", path.display());
    let why = match errno {
        Errno::EPERM => {
            "loading modules takes CAP_SYS_MODULE, kernel.modules_disabled=0 and no lockdown"
        }
        Errno::ENOKEY | Errno::EKEYREJECTED => {
            "the kernel takes signed modules only (module.sig_enforce, Secure Boot)"
        }
        Errno::ENOEXEC => {
            "it was built for another kernel, or by a compiler that this kernel does not take"
        }
        Errno::ENOSYS => "the kernel has no modules",
        Errno::ENXIO => "what it is to be attached to is not there",
        Errno::ENOENT => "the kernel lacks a symbol or a function that it needs",
        errno => return AttachError::call(call)(errno),
    };
    AttachError::Unsupported(format!("{call}: {}: {why}", io::Error::from(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(folder: &Path) -> String {
        open(folder, "m").unwrap_err().to_string()
    }

    #[test]
    fn a_module_that_is_not_there_is_unsupported_for_the_reason_that_stands_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            told(folder.path()).starts_with("no module was built for this kernel: there is no ")
        );
        fs::write(folder.path().join("m.why"), "gcc: no\n").unwrap();
        assert_eq!(
            told(folder.path()),
            "the module could not be built for this kernel: gcc: no"
        );
        fs::write(folder.path().join("m.ko"), "").unwrap();
        assert!(open(folder.path(), "m").is_ok());
    }

    #[test]
    fn refusals_are_evidence_and_all_else_is_a_failure() {
        let refused = |errno| refused(Path::new("/m.ko"), "a=1", errno);
        assert!(matches!(
            refused(Errno::ENOKEY),
            AttachError::Unsupported(why) if why.starts_with("finit_module(/m.ko, \"a=1\"): ")
        ));
        assert!(matches!(refused(Errno::EEXIST), AttachError::Call { .. }));
    }
}
