//! `ima`: the list of measurements that IMA keeps of executed files.
//!
//! # How it works
//!
//! IMA (Linux 2.6.30) hashes files before they are used, as its policy says, and keeps a list of what it hashed. The
//! policy here is one rule, `measure func=BPRM_CHECK`: each file that is to be executed, on any file system. It
//! is written to `ima/policy` in securityfs; then the list (`binary_runtime_measurements`) grows by an entry for each
//! file that `security_bprm_check` is called for and whose content is not on it yet. The entry has a hash and the
//! path (templates `ima-ng` and `ima-sig`).
//!
//! The list tells nobody that it grew: there is no `poll`. Its length is asked for every `interval`
//! milliseconds (`runtime_measurements_count`), and the list is read on from where the last read ended.
//! The first 20 bytes of an entry are its own hash; zeros there mark a violation (a file that was open for
//! writing when it was measured, or opened later), which is no exec.
//!
//! # What it cannot see
//!
//! - Any exec but the first of each content: a file is measured again only when it changed, and the same hash
//!   under the same name is on the list once (`ima_lookup_digest_entry`). It is an inventory of what was executed, and
//!   no watch: of a storm of one program it sees one exec.
//! - Who, and when: an entry has neither process nor time. Sightings are a path, and when it was read.
//! - Whether the exec succeeded: the hook is called before the file's format is known, for the script and
//!   for its interpreter. A file that cannot be opened is not measured; one of a wrong format is. Mere checks
//!   (`AT_EXECVE_CHECK`) are measured too (`ima_bprm_creds_for_exec`, 6.14).
//! - Spaces in names: they are written as `_` (`ima_write_template_field_data`).
//!
//! The path is that from the root of the mount namespace (`d_absolute_path`), without ` (deleted)`; of a memfd it is
//! `memfd:NAME`.
//!
//! # What it leaves behind
//!
//! A policy can be loaded once a boot where the kernel is built without `IMA_WRITE_POLICY` (Debian), and can be
//! replaced but not taken away where it is built with it. So every executed file is hashed until the next boot, and the list
//! stays in memory. That is why it is for guests alone.
//!
//! # Loss
//!
//! The list has no bound, and nothing on it is lost. What was never put on it, because it was there, nobody
//! counts: there is no signal.
//!
//! # Cost
//!
//! The cheapest of the family where it attaches, because it sees so little: a content is hashed and listed at its first
//! exec, and later execs of it are passed by. A file that is new has to be read and hashed as a whole before it runs,
//! so it is dear for whoever executes many different ones. Tuned looks at the length of the list more often, which is
//! one small read each time. It buys that a sighting comes sooner, and not one sighting more.
//!
//! Sources: `security/integrity/ima/` (`ima_fs.c`, `ima_main.c`, `ima_queue.c`, `ima_template_lib.c`);
//! `Documentation/ABI/testing/ima_policy`; the IMA event log of ima-doc.readthedocs.io.

use std::{path::Path, time::Duration};

use super::SECURITYFS;
use crate::{
    AttachError, Backend, CanaryKind, Family, Kind, Monitor, Offers, Portrait, Reach, Setting,
    Settings, Since,
};

mod list;
mod monitor;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use list::check as fuzz;

use monitor::ImaMonitor;

/// See the module.
#[derive(Debug)]
pub struct Ima;

const SETTINGS: &[Setting] = &[Setting {
    name: "interval",
    help: "milliseconds between two looks at the length of the list",
    kind: Kind::Number(1, 10_000),
    default: "100",
    tuned: "10",
}];

impl Backend for Ima {
    fn name(&self) -> &'static str {
        "ima"
    }

    fn about(&self) -> &'static str {
        "IMA's list of measurements: each executed content once"
    }

    fn program(&self) -> &'static str {
        "lsm"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Lsm,
            mechanism: "the list of files that IMA hashed before they were executed, read at intervals",
            needs: &[
                "CONFIG_IMA",
                "securityfs, and CAP_SYS_ADMIN",
                "a boot in which no IMA policy was loaded yet",
            ],
            since: Since {
                release: "2.6.30",
                series: Some("6.1"),
            },
            loss_signals: &[],
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &["every executed file is hashed, and listed in the kernel's memory, until the next boot"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(
            "a policy that is loaded into IMA stays until the next boot, and so does what it lists",
        )
    }

    fn canary(&self) -> CanaryKind {
        CanaryKind::Fresh
    }

    fn offers(&self) -> Offers {
        Offers {
            path: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let interval = Duration::from_millis(settings.number("interval"));
        let folder = Path::new(SECURITYFS).join("ima");
        Ok(Box::new(ImaMonitor::attach(&folder, interval)?))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        use crate::look::{Capability, Finding};
        let folder = roots.sys.join("kernel/security/ima");
        let ima = if !folder.exists() {
            Finding::bad(
                "IMA",
                "/sys/kernel/security/ima is not there",
                "boot a kernel with CONFIG_IMA=y, and mount securityfs",
            )
        } else if folder.join("policy").exists() {
            Finding::good("IMA", "it takes a policy")
        } else {
            Finding::bad(
                "IMA",
                "it has its policy for this boot",
                "boot without ima_policy= and without a policy in /etc/ima",
            )
        };
        vec![ima, Capability::SysAdmin.look(roots)]
    }
}
