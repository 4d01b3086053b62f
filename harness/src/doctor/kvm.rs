//! What the lab kvm needs, on top of what guests need anyway.

use execlab_backends::look::{Finding, State};
use execlab_vm::kvm::{self, KvmError};

use super::{Doctor, guests};
use crate::lab::LabError;

pub(super) fn look(
    doctor: &Doctor,
    canary: Option<&dyn Fn() -> Result<String, LabError>>,
) -> Vec<Finding> {
    let mut findings = vec![device(doctor)];
    findings.extend(guests::look(doctor, false));
    let blocked = findings.iter().any(|finding| finding.state == State::Bad);
    let proof = match canary {
        _ if blocked => None,
        None => Some(Finding::unknown(
            "canary",
            "not flown: that the device opens proves nothing, only a guest that boots does",
            "`execlab doctor --lab kvm --deep` boots one (seconds where KVM works, minutes where it does not)",
        )),
        Some(fly) => Some(flown(fly())),
    };
    findings.extend(proof);
    findings
}

pub(super) fn flown(came: Result<String, LabError>) -> Finding {
    const WHAT: &str = "canary";
    match came {
        Ok(model) => Finding::good(
            WHAT,
            format!("a guest with CPU model {model} booted and brought a whole record home"),
        ),
        Err(error) => Finding::bad(WHAT, error.what, error.remedy),
    }
}

fn device(doctor: &Doctor) -> Finding {
    const WHAT: &str = "KVM";
    let path = doctor.roots.dev.join("kvm");
    match kvm::look(&path) {
        Ok(()) => Finding::good(WHAT, format!("{} opens", kvm::DEVICE)),
        Err(error) => {
            let remedy = match &error {
                KvmError::Absent(_) => {
                    "switch virtualisation on in the firmware (or in the host of this virtual machine), \
                     and load its module: `modprobe kvm_intel` or `modprobe kvm_amd`"
                }
                KvmError::Open { .. } => {
                    "join the group that owns it (`usermod -aG kvm USER`, then log in again), or run \
                     execlab as root"
                }
                KvmError::Version { .. } => "see what stands at that path",
            };
            Finding::bad(WHAT, error.to_string(), remedy)
        }
    }
}
