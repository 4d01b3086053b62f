//! A trial and what came back of it, as one line of `results.jsonl`.
//!
//! The one place where scoring is connected: everything else handles lines.

use std::sync::Arc;

use execlab_model::{
    record::{GuestStatus, Record},
    result::{PathClass, SCHEMA, Status, TrialResult, TruthCounts},
};

use crate::{
    lab::{Outcome, Ran},
    plan::TrialSpec,
};

/// The lines that a trial is compared with; `None` where the plan has none or it gave no figures.
#[derive(Debug, Clone, Default)]
pub struct BaselineLines {
    /// Without any monitor and without its boot options.
    pub plain: Option<Arc<TrialResult>>,
    /// Without any monitor, with the same boot options.
    pub boot: Option<Arc<TrialResult>>,
}

/// The line of a trial.
pub fn line(
    trial: &TrialSpec,
    digest: &str,
    ran: Ran,
    best: &[PathClass],
    baselines: &BaselineLines,
) -> TrialResult {
    let mut line = blank(trial, digest);
    line.kernel = ran.kernel;
    line.provenance = ran.provenance;
    match ran.outcome {
        Outcome::Record(record) => score(&mut line, *record, best, baselines),
        Outcome::Lost { reason } => {
            line.status = Status::Lost;
            line.reason = Some(reason);
        }
        Outcome::Infra { reason } => line.reason = Some(reason),
    }
    line
}

/// A line that says no more than the plan does. Its status is the one of a trial of which nothing is
/// known, so that whatever is forgotten later never passes.
pub fn blank(trial: &TrialSpec, digest: &str) -> TrialResult {
    TrialResult {
        schema: SCHEMA,
        trial: trial.id.clone(),
        digest: digest.to_owned(),
        status: Status::Infra,
        reason: None,
        late: 0,
        kernel: execlab_model::result::KernelId {
            name: trial.kernel.clone(),
            release: String::new(),
            sha256: String::new(),
        },
        boot: trial.boot.clone(),
        lab: trial.lab,
        cpus: 1,
        backend: trial.backend.clone(),
        workload: trial.workload.clone(),
        seed: trial.seed,
        achieved_rate: None,
        worst_lateness_ns: None,
        truth: None,
        completeness: None,
        path: None,
        argv: None,
        pid: None,
        parent: None,
        credentials: None,
        container: None,
        out_of_order: None,
        loss: None,
        cost: None,
        latency: None,
        memory: None,
        canary: None,
        examples: Vec::new(),
        notes: Vec::new(),
        provenance: execlab_model::result::Provenance::default(),
        host: std::collections::BTreeMap::new(),
    }
}

fn score(
    line: &mut TrialResult,
    record: Record,
    _best: &[PathClass],
    baselines: &BaselineLines,
) {
    line.kernel.release.clone_from(&record.release);
    line.canary = Some(record.canary);
    (line.status, line.reason) = match &record.status {
        GuestStatus::Completed => (Status::Completed, None),
        GuestStatus::Unsupported(reason) => (Status::Unsupported, Some(reason.clone())),
        GuestStatus::BackendFailed(reason) => (Status::BackendFailed, Some(reason.clone())),
    };
    line.notes.clone_from(&record.notes);
    if line.status == Status::Unsupported {
        return;
    }
    line.truth = Some(TruthCounts {
        execs: record.truth.execs.len() as u64,
        attempts: record.truth.attempts,
        forks: record.truth.forks,
    });
    let _ = baselines;
}
