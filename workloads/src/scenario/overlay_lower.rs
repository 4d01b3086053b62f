//! `overlay-lower`: a file in the read-only layer of an overlay, called through the overlay. The kernel maps
//! the layer's file; what it is called depends on whom one asks: the process's file is the overlay's, and
//! the file that is opened behind it the layer's (fs/overlayfs/file.c).

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, install,
    overlay::{FILE, Overlay},
};

/// See the module.
#[derive(Debug)]
pub struct OverlayLower;

impl Scenario for OverlayLower {
    fn name(&self) -> &'static str {
        "overlay-lower"
    }

    fn about(&self) -> &'static str {
        "a file of an overlay's read-only layer, without a container"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn modules(&self) -> &'static [&'static str] {
        &["overlay"]
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let overlay = Overlay::mount(ground, |lower| install(&ground.payload, &lower.join(FILE)))?;
        let site = overlay.site(ground, FILE, &overlay.lower)?;
        Ok(Prepared::ways([Way::plain(site)]))
    }
}
