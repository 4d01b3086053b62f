//! Trial ids: `kernel/backend/workload/load/lab/seed`, each part with what is not usual in it.

use std::fmt::Write as _;

use execlab_model::result::Lab;

use super::{TrialSpec, is_usual};
use crate::{duration, matrix::KVM_CPUS};

/// The id of a trial, from everything else in it.
pub(super) fn of(trial: &TrialSpec) -> String {
    let mut backend = escaped(&trial.backend.name, "");
    if trial.backend.is_baseline() {
        for option in &trial.boot {
            let _ = write!(backend, "+{}", escaped(option, ""));
        }
    } else {
        let _ = write!(backend, "+{}", escaped(&trial.backend.variant, ""));
    }
    let workload = &trial.workload;
    let mut storm = escaped(&workload.scenario, "");
    if !is_usual(workload.spawn) {
        let _ = write!(storm, "+{}", workload.spawn);
    }
    if workload.lifetime_ns > 0 {
        let _ = write!(storm, "+life={}", duration::format(workload.lifetime_ns));
    }
    if workload.population > 0 {
        let _ = write!(storm, "+pop={}", workload.population);
    }
    let mut lab = trial.lab.to_string();
    if trial.lab == Lab::Kvm && trial.cpus != KVM_CPUS {
        let _ = write!(lab, "+cpus={}", trial.cpus);
    }
    format!(
        "{}/{backend}/{storm}/{}/{lab}/{}",
        escaped(&trial.kernel, "+~"),
        workload.load,
        trial.seed
    )
}

/// A part in which nothing can be taken for what divides parts: other bytes are written `%XX`.
fn escaped(text: &str, also: &str) -> String {
    let mut out = String::new();
    for b in text.bytes() {
        let c = char::from(b);
        if c.is_ascii_alphanumeric() || "-_.:=,".contains(c) || also.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{b:02X}");
        }
    }
    out
}
