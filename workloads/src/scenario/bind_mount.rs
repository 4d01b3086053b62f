//! `bind-mount`: the file through a mount of its folder at another place, and through a mount of itself over
//! another file. The right path is the one through the mount that was used; who begins at the file's own name
//! and does not cross the mount gives that of the source.

use std::{
    fs,
    path::{Path, PathBuf},
};

use execlab_model::workload::Workload;
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes, make_dir,
    worker::{Worker, labelled},
};

/// See the module.
#[derive(Debug)]
pub struct BindMount;

impl Scenario for BindMount {
    fn name(&self) -> &'static str {
        "bind-mount"
    }

    fn about(&self) -> &'static str {
        "through a bind mount of the folder, and of the file over another"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it mounts in the namespace that everybody is in")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let (folder, over) = (ground.dir.join("mounted"), ground.dir.join("cover"));
        make_dir(&folder)?;
        fs::write(&over, "what is covered")
            .map_err(SetupError::at(format!("write {}", over.display())))?;
        let mut mounts = Mounts::default();
        mounts.bind(&worker.bin, &folder)?;
        mounts.bind(&worker.file, &over)?;
        let way = |label, file: &Path| {
            let site = worker.place.site(bytes(file), "/", file)?;
            Ok(Way::call(labelled(label, site)))
        };
        Ok(Prepared {
            ways: vec![
                way("folder", &folder.join("worker"))?,
                way("file over file", &over)?,
            ],
            guard: Some(Box::new(mounts)),
            ..Prepared::default()
        })
    }
}

/// Places where something is mounted, until this is dropped.
#[derive(Debug, Default)]
struct Mounts(Vec<PathBuf>);

impl Mounts {
    fn bind(&mut self, from: &Path, to: &Path) -> Result<(), SetupError> {
        let what = format!("mount {} on {}", from.display(), to.display());
        mount(Some(from), to, None::<&str>, MsFlags::MS_BIND, None::<&str>)
            .map_err(SetupError::at(what))?;
        self.0.push(to.into());
        Ok(())
    }
}

impl Drop for Mounts {
    fn drop(&mut self) {
        for place in self.0.iter().rev() {
            // What is busy goes when nobody uses it any more.
            let _ = umount2(place, MntFlags::MNT_DETACH);
        }
    }
}
