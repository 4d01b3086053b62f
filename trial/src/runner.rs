//! The steps of a trial, in order, with no way back.

use execlab_model::{
    plan::{BackendSpec, TrialPlan},
    record::{Canary, Costs, GuestStatus, Record, Witness},
    sched::SchedTrace,
    seam::{Message, Ready},
    workload::{Load, Spawn},
};
use execlab_workloads::{
    clock::{monotonic_ns, sleep_until_ns},
    storm::Perturbation,
};

use crate::{
    Programs, TrialError,
    canary::Canaries,
    cgroups::Cgroups,
    costs::Meters,
    memory,
    monitor::{Farewell, MonitorProcess},
    sched::Tracer,
    storm::{Prepared, StormProcess},
    witness::Witnesses,
};

/// The backend that is no process.
const NO_MONITOR: &str = BackendSpec::NONE;
/// Before each window, so that what started it has quietened.
const PAUSE_NS: u64 = 200_000_000;
/// Enough for the bare loop: each of its execs costs the same, after a storm that warmed everything.
const BARE_EXECS: u32 = 256;

/// How a monitor's attachment went.
enum Attached {
    Ready(MonitorProcess, Ready),
    Unsupported(String),
    Failed(String),
}

/// A monitor's first word.
enum Word {
    Ready(Ready),
    Unsupported(String),
    Failed(String),
}

/// Runs the trial. Whatever goes wrong with the monitor is in the record; an error means that there
/// is none. With it comes what the scheduler did, where the plan asks for that and the trial came so far.
pub fn run(
    plan: &TrialPlan,
    programs: &Programs,
    cgroups: &Cgroups,
    progress: impl FnMut(&'static str),
) -> Result<(Record, Option<SchedTrace>), TrialError> {
    let mut sched = None;
    let record = steps(plan, programs, cgroups, progress, &mut sched)?;
    Ok((record, sched))
}

fn steps(
    plan: &TrialPlan,
    programs: &Programs,
    cgroups: &Cgroups,
    mut progress: impl FnMut(&'static str),
    sched: &mut Option<SchedTrace>,
) -> Result<Record, TrialError> {
    let mut record = blank_record();
    let seeded = Perturbation::new(plan.seed);
    // What can only watch its own descendants has to be there before them.
    let mut word = None;
    if plan.launched {
        sleep_until_ns(monotonic_ns() + seeded.monitor_delay_ns);
        word = Some(attach(plan, programs, cgroups, seeded.monitor_padding)?);
        if let Some(Attached::Unsupported(reason)) = word {
            record.status = GuestStatus::Unsupported(reason);
            return Ok(record);
        }
    }
    let launched = matches!(word, Some(Attached::Ready(..)));
    let (mut storm, prepared) = match prepare(plan, programs, cgroups, launched) {
        Err(error) if launched => {
            word = Some(Attached::Failed(format!(
                "the storm could not be launched by it: {error}"
            )));
            prepare(plan, programs, cgroups, false)?
        }
        prepared => prepared?,
    };
    let bare = match prepared {
        Prepared::Ready { bare } => bare,
        Prepared::Unsupported(why) => {
            let scenario = &plan.workload.scenario;
            let why = format!("this kernel cannot run the scenario {scenario}: {why}");
            record.status = GuestStatus::Unsupported(why);
            return Ok(record);
        }
    };
    progress("prepared");

    let mut canaries = Canaries::new(plan);
    let mut monitor = None;
    if plan.backend == NO_MONITOR {
        canaries.release(&mut storm)?;
    } else {
        let word = if let Some(word) = word {
            word
        } else {
            sleep_until_ns(monotonic_ns() + seeded.monitor_delay_ns);
            attach(plan, programs, cgroups, seeded.monitor_padding)?
        };
        match word {
            Attached::Unsupported(reason) => {
                record.status = GuestStatus::Unsupported(reason);
                return Ok(record);
            }
            Attached::Failed(reason) => record.status = GuestStatus::BackendFailed(reason),
            Attached::Ready(mut process, ready) => {
                record.ready = Some(ready);
                record.canary.tries_before = canaries.until_seen(&mut storm, &mut process)?;
                if record.canary.tries_before == 0 {
                    // Whoever is blind but well-behaved cannot work here; whoever died, hung or
                    // complained has failed, and the storm shows what that costs its user.
                    let end = process.stop(monotonic_ns() + plan.timing.monitor_deadline_ns)?;
                    let why = unseen(plan, end.complaint.as_deref(), &end.printed);
                    if end.complaint.is_none() {
                        record.status = GuestStatus::Unsupported(why);
                        return Ok(record);
                    }
                    record.status = GuestStatus::BackendFailed(why);
                    take_messages(&mut record, end);
                } else {
                    monitor = Some(process);
                }
            }
        }
    }
    progress("attached");

    let tracer = Tracer::start(plan, cgroups);
    let threads = record.ready.iter().flat_map(|ready| &ready.kernel_threads);
    let mut meters = Meters::open(cgroups, &threads.map(String::as_str).collect::<Vec<_>>())?;
    let (costs, witness) = windows(plan, &mut meters, &mut storm)?;
    (record.costs, record.witness) = (costs, Some(witness));
    progress("stormed");
    if plan.backend == NO_MONITOR && bare {
        bare_window(plan, &mut meters, &mut storm, &mut record.costs)?;
    }
    if let Some(mut process) = monitor {
        record.monitor_peak_bytes = memory::peak_bytes(cgroups);
        record.canary.seen_after = canaries.until_seen(&mut storm, &mut process)? > 0;
        record.drained_ns = monotonic_ns();
        *sched = tracer.map(|tracer| tracer.stop(cgroups));
        let end = process.stop(record.drained_ns + plan.timing.monitor_deadline_ns)?;
        let failed = end.complaint.clone();
        take_messages(&mut record, end);
        if let Some(why) = failed {
            record.status = GuestStatus::BackendFailed(why);
        }
        if !record.canary.seen_after {
            let tries = plan.timing.canary_tries;
            record.notes.push(format!(
                "none of {tries} canaries after the storm was seen in time"
            ));
        }
    } else {
        *sched = tracer.map(|tracer| tracer.stop(cgroups));
    }
    progress("drained");
    let report = storm.report()?;
    (record.truth, record.costs.progress) = (report.truth, report.progress);
    canaries.strip(&mut record);
    progress("told");
    Ok(record)
}

/// A storm that is ready to go, launched by the plan's monitor or not.
fn prepare(
    plan: &TrialPlan,
    programs: &Programs,
    cgroups: &Cgroups,
    launched: bool,
) -> Result<(StormProcess, Prepared), TrialError> {
    let padding = Perturbation::new(plan.seed).storm_padding;
    let launcher = launched.then_some(plan);
    let mut storm = StormProcess::start(programs, cgroups, padding, launcher)?;
    let prepared = storm.prepare(&plan.workload, plan.seed, plan.canary)?;
    Ok((storm, prepared))
}

/// The three windows in which cost is measured, and what the kernel counted in the last two of them.
fn windows(
    plan: &TrialPlan,
    meters: &mut Meters<'_>,
    storm: &mut StormProcess,
) -> Result<(Costs, Witness), TrialError> {
    sleep_until_ns(monotonic_ns() + PAUSE_NS);
    let start = meters.read()?;
    sleep_until_ns(monotonic_ns() + plan.timing.idle_ns);
    let quiet = meters.read()?;
    let counts_execs = plan.settings.contains_key(BackendSpec::WITNESS);
    let witnesses = Witnesses::call(plan.backend == NO_MONITOR && counts_execs)?;
    storm.align()?;
    let before = meters.read()?;
    storm.run()?;
    let after = meters.read()?;
    sleep_until_ns(monotonic_ns() + plan.timing.catch_up_ns);
    let end = meters.read()?;
    let costs = Costs {
        idle: quiet.since(start),
        storm: after.since(before),
        catch_up: end.since(after),
        ..Costs::default()
    };
    Ok((costs, witnesses.hear()?))
}

/// Some of the storm's execs again without truth. Only a closed storm of payloads that end at once has a
/// bare loop that is like it in all else.
fn bare_window(
    plan: &TrialPlan,
    meters: &mut Meters<'_>,
    storm: &mut StormProcess,
    costs: &mut Costs,
) -> Result<(), TrialError> {
    let workload = &plan.workload;
    let comparable = workload.load == Load::Closed
        && workload.lifetime_ns == 0
        && workload.spawn == Spawn::Vfork;
    if !comparable {
        return Ok(());
    }
    let execs = workload.execs.min(BARE_EXECS);
    sleep_until_ns(monotonic_ns() + PAUSE_NS);
    let before = meters.read()?;
    storm.bare(execs)?;
    costs.bare = Some(meters.read()?.since(before));
    costs.bare_execs = execs;
    Ok(())
}

fn attach(
    plan: &TrialPlan,
    programs: &Programs,
    cgroups: &Cgroups,
    padding: usize,
) -> Result<Attached, TrialError> {
    if let Some(why) = cgroups.limit_monitor(&plan.settings)? {
        return Ok(Attached::Unsupported(why));
    }
    let started = MonitorProcess::start(programs, cgroups, plan, padding)?;
    let mut process = match started {
        Ok(process) => process,
        Err(why) => {
            return Ok(Attached::Failed(format!(
                "the monitor could not be executed: {why}"
            )));
        }
    };
    let deadline = monotonic_ns() + plan.timing.monitor_deadline_ns;
    let word = process.wait_for(deadline, |message| match message {
        Message::Ready(ready) => Some(Word::Ready(ready.clone())),
        Message::Unsupported(why) => Some(Word::Unsupported(why.reason.clone())),
        Message::Failed(why) => Some(Word::Failed(why.reason.clone())),
        _ => None,
    })?;
    Ok(match word {
        Some(Word::Ready(ready)) => Attached::Ready(process, ready),
        Some(Word::Unsupported(reason)) => Attached::Unsupported(reason),
        Some(Word::Failed(reason)) => Attached::Failed(reason),
        None => {
            let ended = process.has_ended();
            let end = process.stop(monotonic_ns() + plan.timing.monitor_deadline_ns)?;
            let what = if ended {
                "ended before it was ready"
            } else {
                "was never ready"
            };
            let how = end.complaint.map(|how| format!("; {how}"));
            let printed = Some(end.printed).filter(|text| !text.is_empty());
            let printed = printed.map(|text| format!("; it printed: {text}"));
            let (how, printed) = (how.unwrap_or_default(), printed.unwrap_or_default());
            Attached::Failed(format!("the monitor {what}{how}{printed}"))
        }
    })
}

fn unseen(plan: &TrialPlan, complaint: Option<&str>, printed: &str) -> String {
    let tries = plan.timing.canary_tries;
    let why = complaint.map(|why| format!("; {why}")).unwrap_or_default();
    let printed = Some(printed).filter(|text| !text.is_empty());
    let printed = printed.map_or_else(String::new, |text| format!("; it printed: {text}"));
    format!("said that it was ready, but saw none of {tries} canary execs{why}{printed}")
}

fn take_messages(record: &mut Record, end: Farewell) {
    for message in end.messages {
        match message {
            Message::Sighting(sighting) => record.sightings.push(sighting),
            Message::Loss(loss) => record.losses.push(loss),
            Message::Done(done) => record.notes.extend(done.notes),
            Message::Ready(_) | Message::Unsupported(_) | Message::Failed(_) => {}
        }
    }
    if !end.printed.is_empty() {
        let printed = end.printed;
        record.notes.push(format!("the monitor printed: {printed}"));
    }
}

pub(crate) fn blank_record() -> Record {
    let release = nix::sys::utsname::uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    Record {
        release,
        status: GuestStatus::Completed,
        ready: None,
        canary: Canary::default(),
        truth: execlab_model::truth::Truth::default(),
        sightings: Vec::new(),
        losses: Vec::new(),
        drained_ns: 0,
        costs: Costs::default(),
        monitor_peak_bytes: 0,
        steal_ns: None,
        witness: None,
        notes: Vec::new(),
    }
}
