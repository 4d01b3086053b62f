//! Trial ids: `kernel/backend/workload/load/lab/seed`, each part with what is not usual in it.

use std::fmt::Write as _;

use execlab_model::result::Lab;
use execlab_vm::digest::Sha256;

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

/// Longest file name that is used as it is; the limit of file systems is 255 with its extensions.
const LONGEST: usize = 200;

/// The id as one component of a path: no slash, and nothing that artifact stores refuse.
///
/// No two ids share a name: `@`, which stands for the slash, is escaped in ids themselves.
pub fn file_name(id: &str) -> String {
    let mut name = String::new();
    for c in id.chars() {
        match c {
            '/' => name.push('@'),
            ':' => name.push_str("%3A"),
            c => name.push(c),
        }
    }
    if name.len() > LONGEST {
        name.truncate(LONGEST - 20);
        name.push_str("@@");
        name.push_str(&Sha256::of(id.as_bytes()).as_str()[..16]);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_names_are_readable_and_never_too_long() {
        assert_eq!(
            file_name("6.1/netlink+default/relative/rate:500/exact/3"),
            "6.1@netlink+default@relative@rate%3A500@exact@3"
        );
        let long = |end: &str| format!("path:{}{end}", "x".repeat(400));
        assert!(file_name(&long("a")).len() <= LONGEST);
        assert_ne!(file_name(&long("a")), file_name(&long("b")));
    }
}
