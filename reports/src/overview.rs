//! What was run, and where.

use std::collections::BTreeSet;

use execlab_model::result::{Lab, Status, TrialResult};

use crate::{
    cached, control, doubts, machine,
    matrix::Matrix,
    number::thousands,
    repeat::Repeatability,
    text::{clean, list, plural},
    witness::{Witnesses, expected},
};

/// The name of the fact that says what came out of repeats.
pub(crate) const RUN_AGAIN: &str = "Run again";

/// The name of the fact that says which trials were not run again.
pub(crate) const CACHED: &str = "From the cache";

/// The name of the fact that says what the kernel counted.
pub(crate) const WITNESS: &str = "Witness";

/// The name of the fact that says how quiet a machine was.
pub(crate) const MACHINE: &str = "Machine";

/// How many trials ended how, and in which surroundings.
#[derive(Debug)]
pub struct Overview {
    /// Trials by status, in the order of [`Status::ALL`].
    pub totals: [(Status, usize); 5],
    /// Name and value of each fact, for people.
    pub facts: Vec<(&'static str, String)>,
    /// What a reader must mind before comparing anything.
    pub warnings: Vec<String>,
}

impl Overview {
    /// Of all results.
    pub fn new(
        results: &[TrialResult],
        repeatability: &Repeatability,
        matrix: &Matrix<'_>,
    ) -> Self {
        let totals = Status::ALL.map(|s| (s, results.iter().filter(|t| t.status == s).count()));
        let labs = distinct(results, |t| {
            let cpu = match t.lab {
                Lab::Exact | Lab::Kvm => "virtual CPU",
                Lab::Host => "CPU",
            };
            Some(format!("{}, {}", t.lab, plural(t.cpus as usize, cpu)))
        });
        let qemu = distinct(results, |t| t.provenance.qemu.clone());
        let versions = distinct(results, |t| {
            Some(t.provenance.execlab.clone()).filter(|v| !v.is_empty())
        });
        let mut facts = vec![("Trials", trials(results, matrix)), ("Lab", list(&labs))];
        if !qemu.is_empty() {
            facts.push(("QEMU", list(&qemu)));
        }
        let kernels: Vec<String> = matrix
            .kernels
            .iter()
            .map(|k| format!("{} ({})", k.label, clean(&k.id.release)))
            .collect();
        facts.push(("Kernels", list(&kernels)));
        let backends: Vec<String> = matrix.backends.iter().map(|b| b.label.clone()).collect();
        facts.push(("Backends", list(&backends)));
        let setups: Vec<String> = matrix.setups.iter().map(|s| s.label.clone()).collect();
        facts.push(("Workloads", setups.join("; ")));
        facts.push(("Seeds", seeds(results)));
        let execs: u64 = results.iter().filter_map(|t| Some(t.truth?.execs)).sum();
        facts.push(("Execs in truth", thousands(execs as f64)));
        if !versions.is_empty() {
            facts.push(("execlab", list(&versions)));
        }
        facts.extend(
            machine::lines(matrix)
                .into_iter()
                .map(|line| (MACHINE, line)),
        );
        facts.extend(cached::line(results).map(|line| (CACHED, line)));
        facts.extend(repeatability.line().map(|line| (RUN_AGAIN, line)));
        let witnesses = Witnesses::new(results, &expected);
        facts.extend(witnesses.line().map(|line| (WITNESS, line)));
        let mut warnings = repeatability.warnings();
        let errors = witnesses.disagreements.iter();
        warnings.extend(errors.map(|what| format!("error of the harness: {what}")));
        warnings.extend(doubts::warnings(results));
        warnings.extend(doubts::second_tries(results));
        warnings.extend(control::warnings(matrix));
        let mut mind = |what: &str, values: &[String]| {
            if values.len() > 1 {
                warnings.push(format!(
                    "figures of different {what} stand in one report ({}): do not compare them",
                    list(values)
                ));
            }
        };
        mind("labs", &labs);
        mind("QEMU versions", &qemu);
        mind("versions of execlab", &versions);
        // Each kernel has its own, for its modules; two for one kernel are two experiments.
        for kernel in &matrix.kernels {
            let of_kernel = results.iter().filter(|t| t.kernel.name == kernel.id.name);
            let images: BTreeSet<String> = of_kernel
                .filter_map(|t| t.provenance.initramfs.as_ref())
                .map(|hash| clean(&hash.chars().take(12).collect::<String>()))
                .collect();
            let images: Vec<String> = images.into_iter().collect();
            mind(&format!("guest images of {}", kernel.label), &images);
        }
        Self {
            totals,
            facts,
            warnings,
        }
    }

    /// `43 completed, 2 unsupported`: what there was none of is not said, but everything adds up.
    pub fn totals_line(&self) -> String {
        let parts: Vec<String> = self
            .totals
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(status, count)| format!("{} {status}", thousands(*count as f64)))
            .collect();
        if parts.is_empty() {
            "no trials".into()
        } else {
            parts.join(", ")
        }
    }
}

fn trials(results: &[TrialResult], matrix: &Matrix<'_>) -> String {
    format!(
        "{} in {}",
        plural(results.len(), "trial"),
        plural(matrix.cells().count(), "cell")
    )
}

fn seeds(results: &[TrialResult]) -> String {
    let seeds: BTreeSet<u64> = results.iter().map(|t| t.seed).collect();
    let (Some(first), Some(last)) = (seeds.first(), seeds.last()) else {
        return "none".into();
    };
    if seeds.len() > 3 && last - first + 1 == seeds.len() as u64 {
        format!("{first} to {last}")
    } else {
        list(&seeds.iter().map(u64::to_string).collect::<Vec<_>>())
    }
}

fn distinct(results: &[TrialResult], of: impl Fn(&TrialResult) -> Option<String>) -> Vec<String> {
    let all: BTreeSet<String> = results
        .iter()
        .filter_map(of)
        .map(|text| clean(&text))
        .collect();
    all.into_iter().collect()
}
