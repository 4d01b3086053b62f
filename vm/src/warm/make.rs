//! Makes one warm image.

use std::{
    fs::File,
    path::Path,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{migrated, quoted, tell_migration};
use crate::{
    guest::{GuestError, Place, its_own_end, start_qemu},
    process::Process,
    qemu::{Machine, Purpose, Qemu},
    qmp::{Qmp, QmpError},
};

/// Faster than any disk: QEMU otherwise throttles what it saves.
const NO_LIMIT: u64 = 1 << 40;

/// How long what is in the pipe may take to its file.
const WRITTEN: Duration = Duration::from_mins(1);

/// What a warm image is made from.
#[derive(Debug, Clone, Copy)]
pub struct Recipe<'a> {
    /// The emulator.
    pub qemu: &'a Qemu,
    /// The machine.
    pub machine: &'a Machine,
    /// The ELF kernel.
    pub kernel: &'a Path,
    /// Its SHA-256, as hexadecimal digits.
    pub kernel_sha256: &'a str,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// Its SHA-256, as hexadecimal digits.
    pub initramfs_sha256: &'a str,
    /// How long boot and settling may take on this host.
    pub limit: Duration,
}

impl Recipe<'_> {
    /// Everything that decides what the image is.
    pub(super) fn inputs(&self) -> Vec<String> {
        let mut inputs = vec![
            format!("qemu {}", self.qemu.version),
            format!("kernel {}", self.kernel_sha256),
            format!("initramfs {}", self.initramfs_sha256),
        ];
        inputs.extend(self.machine.fixed());
        inputs
    }

    /// Boots the guest, waits until it has stopped itself, and saves it to `state`.
    pub(super) fn make(&self, state: &Path, serial: &Path) -> Result<(), GuestError> {
        let place = Place::new(self.machine, serial)?;
        let deadline = Instant::now() + self.limit;
        let files = (self.kernel, self.initramfs);
        let mut process = start_qemu(self.qemu, self.machine, files, Purpose::BootAndStop, &place)?;
        let made = self.make_with(&mut process, &place, state, deadline);
        made.map_err(|error| error.with_end_of(&mut process, &place))
    }

    fn make_with(
        &self,
        process: &mut Process,
        place: &Place,
        state: &Path,
        deadline: Instant,
    ) -> Result<(), GuestError> {
        let steered = |what| GuestError::steering(what, place);
        let mut qmp = process.talk(deadline).map_err(steered("reach QEMU"))?;
        let lost = |how: &str| {
            let (stage, words) = (place.stage(), place.last_words());
            GuestError::Lost(format!("the guest {how} after {stage}{words}"))
        };
        match qmp.event(deadline, |name, _| (name == "STOP").then_some(())) {
            Ok(()) => {}
            Err(QmpError::HungUp) => {
                let status = process.wait();
                let status = status.map_err(GuestError::host("wait for QEMU to end"))?;
                its_own_end(status, place)?;
                return Err(lost("ended before it could be saved,"));
            }
            Err(QmpError::Late) => {
                let how = format!("was not ready to be saved within {:?},", self.limit);
                return Err(lost(&how));
            }
            Err(error) => return Err(steered("wait for the guest to stop")(error)),
        }
        if !stopped_idle(&mut qmp, deadline).map_err(steered("look at the stopped guest"))? {
            return Err(lost("was not idle when it was to be saved,"));
        }
        save(&mut qmp, state, deadline).map_err(steered("save the guest"))?;
        // A full disk shows here at the latest.
        let sync = || File::open(state).and_then(|file| file.sync_all());
        sync().map_err(GuestError::host(format!("write {}", state.display())))
    }
}

/// Whether its own watchdog stopped the guest, while its CPU was halted.
fn stopped_idle(qmp: &mut Qmp, deadline: Instant) -> Result<bool, QmpError> {
    let status = qmp.ask("query-status", &json!({}), deadline)?;
    let registers = json!({"command-line": "info registers"});
    let registers = qmp.ask("human-monitor-command", &registers, deadline)?;
    let halted = registers
        .as_str()
        .is_some_and(|text| text.contains("HLT=1"));
    Ok(status["status"] == "watchdog" && halted)
}

fn save(qmp: &mut Qmp, state: &Path, deadline: Instant) -> Result<(), QmpError> {
    tell_migration(qmp, deadline)?;
    let speed = json!({"max-bandwidth": NO_LIMIT});
    qmp.ask("migrate-set-parameters", &speed, deadline)?;
    // QEMU is done when the last byte is in the pipe, and does not look at how `cat` ends: it may have
    // no space. So the file gets its name only when all of it is there.
    let part = state.with_extension("part");
    let (part, whole) = (quoted(&part), quoted(state));
    let to = json!({"uri": format!("exec:cat > {part} && mv {part} {whole}")});
    qmp.ask("migrate", &to, deadline)?;
    migrated(qmp, deadline)?;
    let patience = Instant::now() + WRITTEN;
    while !state.exists() {
        if Instant::now() > patience {
            return Err(QmpError::Refused {
                command: "migrate".into(),
                answer: "the file was not written to its end; is the disk full?".into(),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
