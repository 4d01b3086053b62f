//! Handlers of file formats that the kernel does not know itself: `binfmt_misc`
//! (Documentation/admin-guide/binfmt-misc.rst).

use std::{fs, io, path::PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{Ground, SetupError, make_dir};

/// What was registered. Dropped, it is taken back.
#[derive(Debug)]
pub(super) struct Handlers {
    dir: PathBuf,
    names: Vec<String>,
}

impl Handlers {
    /// Mounts the file system in which they are registered; nothing is yet.
    pub(super) fn mount(ground: &Ground) -> Result<Self, SetupError> {
        let dir = ground.dir.join("binfmt_misc");
        make_dir(&dir)?;
        let kind = Some("binfmt_misc");
        mount(kind, &dir, kind, MsFlags::empty(), None::<&str>).map_err(SetupError::at(
            format!("mount binfmt_misc on {}", dir.display()),
        ))?;
        let names = Vec::new();
        Ok(Self { dir, names })
    }

    /// Registers one. `rule` is what stands behind the name: type, offset, magic, mask, interpreter, flags.
    pub(super) fn register(&mut self, name: &str, rule: &str) -> io::Result<()> {
        let name = format!("execlab-{name}");
        // What a killed storm left: it would be in the way.
        let _ = fs::write(self.dir.join(&name), "-1");
        fs::write(self.dir.join("register"), format!(":{name}:{rule}"))?;
        self.names.push(name);
        Ok(())
    }
}

impl Drop for Handlers {
    fn drop(&mut self) {
        for name in &self.names {
            // The kernel's word for "forget this one".
            let _ = fs::write(self.dir.join(name), "-1");
        }
        let _ = umount2(&self.dir, MntFlags::MNT_DETACH);
    }
}
