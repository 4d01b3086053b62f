//! Programs of a distribution that came with the plan.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::Path,
};

use execlab_model::plan::{Contents, PlanFile};

use crate::TrialError;

/// Puts the files below `root`, each with its folders, in place of what is there already: a distribution's
/// programs want its own linker, not the one that other scenarios have.
pub fn place(root: &Path, files: &[PlanFile]) -> Result<(), TrialError> {
    for file in files {
        let path = root.join(std::ffi::OsStr::from_bytes(file.path.as_slice()));
        put(&path, &file.contents).map_err(TrialError::at(format!(
            "put {} in its place",
            path.display()
        )))?;
    }
    Ok(())
}

fn put(path: &Path, contents: &Contents) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    if path.symlink_metadata().is_ok() {
        fs::remove_file(path)?;
    }
    match contents {
        Contents::File(mode, bytes) => {
            let mut file = fs::File::create_new(path)?;
            io::Write::write_all(&mut file, bytes.as_slice())?;
            file.set_permissions(Permissions::from_mode(*mode))
        }
        Contents::Link(to) => symlink(std::ffi::OsStr::from_bytes(to.as_slice()), path),
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::Bytes;

    use super::*;

    #[test]
    fn files_and_links_are_put_in_their_places() {
        let dir = tempfile::tempdir().unwrap();
        let file = |path: &str, contents| PlanFile {
            path: path.into(),
            contents,
        };
        let files = [
            file("bin/dash", Contents::File(0o755, Bytes(b"it".to_vec()))),
            file("bin/sh", Contents::Link("dash".into())),
        ];
        place(dir.path(), &files).unwrap();
        let there = dir.path().join("bin/sh");
        assert_eq!(fs::read(&there).unwrap(), b"it");
        assert_eq!(
            fs::metadata(&there).unwrap().permissions().mode() & 0o7777,
            0o755
        );
        let other = [file(
            "bin/dash",
            Contents::File(0o644, Bytes(b"new".to_vec())),
        )];
        place(dir.path(), &other).unwrap();
        assert_eq!(fs::read(&there).unwrap(), b"new");
        let folder = [file("bin", Contents::Link("sbin".into()))];
        let error = place(dir.path(), &folder).unwrap_err().to_string();
        assert!(error.contains("/bin in its place"), "{error}");
    }
}
