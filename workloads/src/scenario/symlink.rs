//! `symlink`: the file through a symbolic link. The kernel resolves it before the exec, so whoever asks
//! the kernel for the file gets the file, and whoever copies the argument gets the link.

use std::os::unix::fs::symlink;

use super::{Call, Ground, Place, Prepared, Scenario, SetupError, bare, install};

/// See the module.
#[derive(Debug)]
pub struct Symlink;

impl Scenario for Symlink {
    fn name(&self) -> &'static str {
        "symlink"
    }

    fn about(&self) -> &'static str {
        "the absolute path of a symbolic link to the file"
    }

    fn prepare(&self, ground: &Ground) -> Result<Prepared, SetupError> {
        let (file, link) = (ground.dir.join("bin/worker"), ground.dir.join("link"));
        install(&ground.payload, &file)?;
        for (file, link) in [(&file, &link), (&bare(&file), &bare(&link))] {
            symlink(file, link)
                .map_err(SetupError::at(format!("make the link {}", link.display())))?;
        }
        let call = Call {
            given: &link.to_string_lossy(),
            chdir: None,
            file: &file,
        };
        Ok(Prepared {
            ways: vec![Place::here(ground)?.way(&call, vec![])?],
            ..Prepared::default()
        })
    }
}
