//! The guest that proves that KVM is usable.

use std::{fmt, fs, path::Path};

use execlab_model::{
    lab::Lab,
    plan::{BackendSpec, Timing},
    record::GuestStatus,
    workload::{Load, Spawn, Workload},
};
use execlab_vm::{
    guest::{self, Clocks, Guest, GuestError},
    qemu::Qemu,
};

use super::{Tries, machine};
use crate::{
    lab::{
        LabError, Outcome,
        guests::{encode, nonce, outcome, plan},
    },
    plan::TrialSpec,
};

/// What can be done without KVM, and for it.
pub(super) const REMEDY: &str = "take `--lab exact`, which needs no KVM; the lab kvm needs a machine \
    whose KVM boots guests: real hardware with virtualisation switched on and /dev/kvm open to you \
    (`execlab doctor --lab kvm`), or a virtual machine whose host passes virtualisation on whole";

/// Enough to show that execs happen and a record comes back.
const EXECS: u32 = 8;

/// The guest, before it is booted.
#[derive(Debug)]
pub(super) struct Canary<'a> {
    pub(super) qemu: &'a Qemu,
    pub(super) kernel: &'a str,
    pub(super) vmlinux: &'a Path,
    pub(super) initramfs: &'a Path,
    pub(super) cpus: u32,
    pub(super) tries: &'a Tries,
}

/// A CPU model with which it did not come through.
struct Tried {
    model: String,
    /// How it ended, with QEMU's own words and the end of the console.
    how: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CPU model {}: {}", self.model, self.how)
    }
}

impl Canary<'_> {
    /// Boots it with one CPU model after the other; the first with which it comes through.
    pub(super) fn fly(&self) -> Result<String, LabError> {
        let mut tried = Vec::new();
        for model in &self.tries.models {
            match self.fly_on(model) {
                Ok(()) => return Ok(model.clone()),
                Err(how) => tried.push(Tried {
                    model: model.clone(),
                    how,
                }),
            }
        }
        Err(self.refusal(&tried))
    }

    fn refusal(&self, tried: &[Tried]) -> LabError {
        let Self { kernel, cpus, .. } = self;
        let cpus = match cpus {
            1 => "1 CPU".to_owned(),
            more => format!("{more} CPUs"),
        };
        let mut what = format!(
            "KVM cannot be used here: no canary guest (kernel {kernel}, {cpus}) booted within \
             {:?} and brought a whole record home",
            self.tries.deadline
        );
        for tried in tried {
            what.push('\n');
            what.push_str(&tried.to_string());
        }
        LabError {
            what,
            remedy: REMEDY.into(),
            source: None,
        }
    }

    /// Boots it; the error says how it ended.
    fn fly_on(&self, model: &str) -> Result<(), String> {
        let dir = tempfile::tempdir().map_err(|error| format!("no temporary folder: {error}"))?;
        let serial_log = dir.path().join("serial.log");
        let trial = trial(self.kernel, self.cpus);
        let machine = machine(&trial, self.tries.accelerator, model);
        let limit = self.tries.deadline;
        let came = Guest {
            qemu: self.qemu,
            machine: &machine,
            kernel: self.vmlinux,
            initramfs: self.initramfs,
            start: guest::Start::Cold,
            nonce: &nonce(&format!("canary {model}")),
            plan: &encode(&plan(&trial, Timing::REAL)),
            serial_log: &serial_log,
            clocks: Clocks {
                hurry: None,
                boot: limit,
                stage: limit,
                total: 2 * limit,
            },
        }
        .run_marked();
        let (record, marks) = came.map_err(|error| told(&error, &serial_log))?;
        if marks.is_empty() {
            return Err(
                "it left a record, but none of the marks by which clocks know that it lives".into(),
            );
        }
        judge(&outcome(Ok(record)))
    }
}

/// Whether what came back is what the trial was.
fn judge(outcome: &Outcome) -> Result<(), String> {
    match outcome {
        Outcome::Record(record) => {
            let execs = record.truth.execs.len();
            match &record.status {
                GuestStatus::Completed if execs == EXECS as usize => Ok(()),
                status => Err(format!(
                    "its record holds {execs} of {EXECS} execs and says {status:?}"
                )),
            }
        }
        Outcome::Unsupported { reason } | Outcome::Lost { reason } | Outcome::Infra { reason } => {
            Err(reason.clone())
        }
    }
}

/// On one line. Where QEMU itself broke off, the console may still say how far the guest was.
fn told(error: &GuestError, serial_log: &Path) -> String {
    let mut text = error.to_string();
    if let GuestError::Qemu { .. } = error {
        let console = fs::read(serial_log).unwrap_or_default();
        let console = String::from_utf8_lossy(&console);
        let last = console
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty());
        if let Some(last) = last {
            text.push_str("; the last line of its console: ");
            text.push_str(last);
        }
    }
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    lines.join(" | ")
}

fn trial(kernel: &str, cpus: u32) -> TrialSpec {
    TrialSpec {
            program: None,
        id: "canary".into(),
        kernel: kernel.into(),
        backend: BackendSpec::none(BackendSpec::DEFAULT),
        boot: Vec::new(),
        workload: Workload {
            scenario: "absolute".into(),
            load: Load::Closed,
            execs: EXECS,
            lifetime_ns: 0,
            spawn: Spawn::Vfork,
            population: 0,
        },
        lab: Lab::Kvm,
        cpus,
        seed: 0,
    }
}

#[cfg(test)]
mod tests;
