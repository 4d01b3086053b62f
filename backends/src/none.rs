//! `none`: the baseline. Nothing watches; the trial runner starts no monitor at all.

use crate::{AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Settings, Since};

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

    fn program(&self) -> &'static str {
        ""
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::None,
            mechanism: "nothing watches",
            needs: &[],
            since: Since {
                release: "any",
                series: None,
            },
            loss_signals: &[],
            reach: Reach::System,
        }
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
