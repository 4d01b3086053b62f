//! `overlay-upper`: files in the layer of an overlay that is written to: one that was written there, and one
//! of the read-only layer that was changed, and so copied up. The old one is still where it was.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes, install,
    interpreted::set_mode,
    overlay::{FILE, Overlay},
};

/// See the module.
#[derive(Debug)]
pub struct OverlayUpper;

/// What is written.
const NEW: &str = "bin/new";

impl Scenario for OverlayUpper {
    fn name(&self) -> &'static str {
        "overlay-upper"
    }

    fn about(&self) -> &'static str {
        "files of an overlay's upper layer, written there and copied up, without a container"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn modules(&self) -> &'static [&'static str] {
        &["overlay"]
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let overlay = Overlay::mount(ground, |lower| install(&ground.payload, &lower.join(FILE)))?;
        install(&ground.payload, &overlay.merged.join(NEW))?;
        // Any change of a file that is below has it copied.
        set_mode(&overlay.merged.join(FILE), 0o555)?;
        let mut new = overlay.site(ground, NEW, &overlay.upper)?;
        new.label = "new".into();
        let mut copied = overlay.site(ground, FILE, &overlay.upper)?;
        copied.label = "copied-up".into();
        copied.frames.stale = vec![bytes(&overlay.lower.join(FILE))];
        Ok(Prepared::ways([Way::plain(new), Way::plain(copied)]))
    }
}
