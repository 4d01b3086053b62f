//! Warm images: guests that have booted and settled, saved, to be gone on with in each trial.
//!
//! The guest starts a watchdog and sleeps; when that expires, QEMU stops it. The guest is idle then,
//! and that is what makes the stop exact: QEMU's idle clock jumps from one timer to the next, and
//! nothing runs between two of them, so it does not matter where between them it stops. (A stop out
//! of a running instruction, as `pvpanic` makes it, is not exact: QEMU's main loop and its CPU's
//! thread race for whether the clock takes the stopped CPU for an idle one and jumps to the next
//! timer tick, `icount_start_warp_timer` in accel/tcg/tcg-accel-ops-icount.c.) So a restored guest and
//! one that was booted without a stop go on alike, to the last digit.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    digest::Sha256,
    qmp::{Qmp, QmpError},
};

mod make;
mod store;

pub use make::Recipe;
pub use store::{Made, WarmError, WarmStore};

/// A saved guest, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmImage {
    state: PathBuf,
}

/// What stands beside an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Label {
    /// What it was made from, in words and hashes; their hash is its name.
    inputs: Vec<String>,
    /// Of the state.
    sha256: Sha256,
    /// Length of the state in bytes.
    length: u64,
}

impl WarmImage {
    /// Loads it into a QEMU that waits for it.
    pub(crate) fn load(&self, qmp: &mut Qmp, deadline: Instant) -> Result<(), QmpError> {
        tell_migration(qmp, deadline)?;
        let from = json!({"uri": format!("exec:cat {}", quoted(&self.state))});
        qmp.ask("migrate-incoming", &from, deadline)?;
        migrated(qmp, deadline)
    }

    /// Wakes the guest. It was saved while it stood still, so it does not go on by itself.
    pub(crate) fn go_on(qmp: &mut Qmp, deadline: Instant) -> Result<(), QmpError> {
        qmp.ask("cont", &json!({}), deadline).map(drop)
    }

    /// Whether the state is what its label says. Reads all of it.
    fn check(state: &Path, label: &Label) -> io::Result<bool> {
        let whole = fs::metadata(state)?.len() == label.length;
        Ok(whole && Sha256::of_file(state)? == label.sha256)
    }
}

/// Has QEMU say how a migration goes.
fn tell_migration(qmp: &mut Qmp, deadline: Instant) -> Result<(), QmpError> {
    let events = json!({"capabilities": [{"capability": "events", "state": true}]});
    qmp.ask("migrate-set-capabilities", &events, deadline)
        .map(drop)
}

/// Waits for the end of a migration.
fn migrated(qmp: &mut Qmp, deadline: Instant) -> Result<(), QmpError> {
    let good = qmp.event(deadline, |name, data| match data["status"].as_str() {
        Some("completed") if name == "MIGRATION" => Some(true),
        Some("failed" | "cancelled") if name == "MIGRATION" => Some(false),
        _ => None,
    })?;
    if good {
        return Ok(());
    }
    Err(QmpError::Refused {
        command: "migrate".into(),
        answer: "the migration failed".into(),
    })
}

/// A path as one word of a shell: QEMU hands `exec:` to one.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_one_word_for_a_shell() {
        let path = Path::new("/a b/it's $(x)");
        let echoed = std::process::Command::new("sh")
            .args(["-c", &format!("printf %s {}", quoted(path))])
            .output()
            .unwrap();
        assert_eq!(echoed.stdout, b"/a b/it's $(x)");
    }
}
