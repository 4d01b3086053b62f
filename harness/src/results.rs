//! A trial and what came back of it, as one line of `results.jsonl`.
//!
//! The one place where scoring is connected: everything else handles lines.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use execlab_model::{
    record::{Costs, Record},
    result::{KernelId, PathClass, Provenance, SCHEMA, Status, TrialResult},
};
use execlab_reports::doubts::{BASELINE_METER, METER};
use execlab_vm::digest::Sha256;

use crate::{
    lab::{Outcome, Ran},
    plan::{Plan, TrialSpec},
    score,
};

/// The lines that a trial is compared with; `None` where the plan has none.
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
    // Where the guest's own word was kept by another version, this one makes the figures of it.
    env!("CARGO_PKG_VERSION").clone_into(&mut line.provenance.execlab);
    line.host = ran.host;
    match ran.outcome {
        Outcome::Record(record) => {
            line.record_sha256 = Some(record_sha256(&record));
            score(&mut line, &record, best, baselines);
        }
        Outcome::Unsupported { reason } => {
            line.status = Status::Unsupported;
            line.reason = Some(reason);
        }
        Outcome::Lost { reason } => {
            line.status = Status::Lost;
            line.reason = Some(reason);
        }
        Outcome::Infra { reason } => line.reason = Some(reason),
    }
    line
}

/// Of the record as it is written: its encoding has one form, so these are the guest's own bytes.
fn record_sha256(record: &Record) -> String {
    let bytes = postcard::to_allocvec(record).expect("plain data always encodes");
    Sha256::of(&bytes).into()
}

/// A line that says no more than the plan does. Its status is the one of a trial of which nothing is
/// known, so that whatever is forgotten later never passes.
pub fn blank(trial: &TrialSpec, digest: &str) -> TrialResult {
    TrialResult {
        schema: SCHEMA,
        trial: trial.id.clone(),
        digest: digest.to_owned(),
        record_sha256: None,
        status: Status::Infra,
        reason: None,
        late: 0,
        kernel: KernelId {
            name: trial.kernel.clone(),
            release: String::new(),
            sha256: String::new(),
        },
        boot: trial.boot.clone(),
        lab: trial.lab,
        cpus: trial.cpus,
        backend: trial.backend.clone(),
        workload: trial.workload.clone(),
        seed: trial.seed,
        achieved_rate: None,
        worst_lateness_ns: None,
        truth: None,
        witness: None,
        completeness: None,
        path: None,
        given: None,
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
        provenance: Provenance::default(),
        host: BTreeMap::new(),
    }
}

/// All lines of a plan: those that there are, and for each trial without one a line that says so. What
/// is missing in a run is a failure and never a gap.
pub fn of_plan(plan: &Plan, results: &[TrialResult]) -> Vec<TrialResult> {
    let there: HashSet<&str> = results.iter().map(|line| line.trial.as_str()).collect();
    let absent = plan
        .trials
        .iter()
        .filter(|t| !there.contains(t.id.as_str()));
    let absent = absent.map(|trial| {
        let mut line = blank(trial, "");
        line.reason = Some(ABSENT.to_owned());
        // Beside the others of its kernel, whose image is known.
        if let Some(other) = results.iter().find(|line| line.kernel.name == trial.kernel) {
            line.kernel.clone_from(&other.kernel);
        }
        line
    });
    results.iter().cloned().chain(absent).collect()
}

/// Why there is nothing to tell of a trial.
const ABSENT: &str = "it has no result: the run did not come to it, or was cut off in it";

fn score(line: &mut TrialResult, record: &Record, best: &[PathClass], baselines: &BaselineLines) {
    line.kernel.release.clone_from(&record.release);
    line.canary = Some(record.canary);
    line.witness = record.witness;
    line.notes.clone_from(&record.notes);
    let judgement = score::judge(record, best);
    let truth = judgement.truth;
    let execs = truth.execs;
    judgement.fill(line);
    if line.status == Status::Unsupported {
        return;
    }
    let planned = record.truth.planned;
    let differ = [
        ("execs", truth.execs, planned.execs),
        ("attempts", truth.attempts, planned.attempts),
        ("processes", truth.forks, planned.forks),
        ("children", planned.children, line.workload.execs.into()),
    ]
    .into_iter()
    .filter(|(_, made, asked)| made != asked)
    .map(|(what, made, asked)| format!("of {asked} {what} {made} were made"))
    .collect::<Vec<_>>();
    if !differ.is_empty() {
        line.status = Status::Lost;
        line.reason = Some(format!("the storm is not whole: {}", differ.join(", ")));
        return;
    }
    let storm = score::Storm::new(line.lab, line.is_watched(), &record.truth);
    let said = match &record.witness {
        // What was to be held against truth is never taken for agreement with it.
        None => Some("the kernel's count of forks is missing".to_owned()),
        Some(heard) if line.is_witness() && heard.execs.is_none() => {
            Some("the kernel's count of execs is missing".to_owned())
        }
        Some(heard) => storm.contradiction(heard),
    };
    if let Some(reason) = said {
        line.status = Status::Lost;
        line.reason = Some(reason);
        return;
    }
    // Counting costs each exec something: nothing follows from what such a trial cost.
    if line.is_witness() {
        return;
    }
    if line.lab.is_exact() {
        line.notes.extend(score::distrust(
            line.is_watched(),
            &line.workload,
            &record.truth,
            &record.costs,
        ));
    }
    let plain = windows(baselines.plain.as_deref(), &mut line.notes);
    let booted = windows(baselines.boot.as_deref(), &mut line.notes);
    line.cost = Some(score::cost(
        line.lab,
        &record.costs,
        // Without any exec, what one child costs.
        if execs > 0 { execs } else { truth.forks },
        plain.as_ref(),
        booted.as_ref(),
    ));
}

/// The windows of a baseline; a baseline without any, or with any that are in doubt, is told in the
/// notes of what needed it.
fn windows(baseline: Option<&TrialResult>, notes: &mut Vec<String>) -> Option<Costs> {
    let baseline = baseline?;
    let cost = baseline
        .cost
        .as_ref()
        .filter(|_| baseline.status == Status::Completed);
    if cost.is_none() {
        notes.push(format!(
            "not compared: the baseline {} is {}",
            baseline.trial, baseline.status
        ));
    }
    let meter = baseline.notes.iter().find(|note| note.starts_with(METER));
    if cost.is_some() && meter.is_some() {
        notes.push(format!("{BASELINE_METER}: {}", baseline.trial));
    }
    cost.map(|cost| cost.windows.clone())
}
