//! `none`: the baseline. Nothing watches; the trial runner starts no monitor at all.

use crate::{AttachError, Backend, Monitor, Offers, Settings};

/// See the module.
#[derive(Debug)]
pub struct NoMonitor;

impl Backend for NoMonitor {
    fn name(&self) -> &'static str {
        "none"
    }

    fn about(&self) -> &'static str {
        "nothing watches: the baseline for every cost"
    }

    fn offers(&self) -> Offers {
        Offers::default()
    }

    fn attach(&self, _: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        Err(AttachError::Unsupported(
            "the baseline has no monitor to attach".into(),
        ))
    }

    #[cfg(feature = "look")]
    fn look(&self, _: &crate::look::Roots) -> Vec<crate::look::Finding> {
        vec![crate::look::Finding::good("nothing", "it needs nothing")]
    }
}
