//! An overlay in a mount namespace of the storm's own: no container, only the file system of one.

use std::path::{Path, PathBuf};

use execlab_model::truth::Site;
use nix::mount::MsFlags;

use super::{Ground, Place, SetupError, bytes, make_dir, mounts};

/// The one file, in whichever layer it is.
pub(super) const FILE: &str = "bin/worker";

/// The overlay's folders. All mount namespaces have the layers, only the storm's the overlay.
pub(super) struct Overlay {
    /// The read-only layer.
    pub(super) lower: PathBuf,
    /// The layer that is written to.
    pub(super) upper: PathBuf,
    /// Both.
    pub(super) merged: PathBuf,
}

impl Overlay {
    /// Mounts it; `fill` puts what there is to be into the lower layer before.
    pub(super) fn mount(
        ground: &Ground,
        fill: impl FnOnce(&Path) -> Result<(), SetupError>,
    ) -> Result<Self, SetupError> {
        let layer = |name| ground.dir.join("layers").join(name);
        let (lower, upper, work) = (layer("lower"), layer("upper"), layer("work"));
        for dir in [&lower, &upper, &work] {
            make_dir(dir)?;
        }
        fill(&lower)?;
        mounts::enter()?;
        let merged = layer("merged");
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            lower.display(),
            upper.display(),
            work.display()
        );
        let flags = MsFlags::empty();
        mounts::add(
            "overlay",
            Path::new("execlab"),
            &merged,
            flags,
            Some(&options),
        )?;
        Ok(Self {
            lower,
            upper,
            merged,
        })
    }

    /// A file through the overlay, which the layer has under the same name.
    pub(super) fn site(
        &self,
        ground: &Ground,
        file: &str,
        layer: &Path,
    ) -> Result<Site, SetupError> {
        let path = self.merged.join(file);
        let mut site = Place::here(ground)?.site(bytes(&path), "/", &path)?;
        site.frames.host = vec![bytes(&layer.join(file))];
        Ok(site)
    }
}
