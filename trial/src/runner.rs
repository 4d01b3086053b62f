//! The steps of a trial, in order, with no way back.

use std::{collections::HashSet, ops::Range};

use execlab_model::{
    Bytes,
    plan::{BackendSpec, TrialPlan},
    record::{Canary, Costs, GuestStatus, Record, Witness},
    sched::SchedTrace,
    seam::{Message, Ready},
    sighting::{Argv, Sighting},
    truth::{FIRST_CANARY_ID, parse_id_argument},
    workload::{Load, Spawn},
};
use execlab_workloads::{
    clock::{monotonic_ns, sleep_until_ns},
    storm::Perturbation,
};

use crate::{
    Programs, TrialError,
    cgroups::Cgroups,
    costs::Meters,
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
        record.monitor_peak_bytes = MonitorProcess::peak_bytes(cgroups);
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

/// Execs that only show whether the monitor sees at all.
struct Canaries {
    next: u32,
    lifetime_ns: u64,
    tries: u32,
    pids: HashSet<u32>,
    /// By what a sighting without a process id names them, and when it was waited for: the storm may execute a file
    /// of the same path at another time.
    paths: Vec<(Bytes, Range<u64>)>,
}

impl Canaries {
    fn new(plan: &TrialPlan) -> Self {
        Self {
            next: FIRST_CANARY_ID,
            lifetime_ns: plan.timing.canary_life_ns,
            tries: plan.timing.canary_tries,
            pids: HashSet::new(),
            paths: Vec::new(),
        }
    }

    fn release(&mut self, storm: &mut StormProcess) -> Result<(u32, Bytes), TrialError> {
        let (pid, path) = storm.canary(self.next, self.lifetime_ns)?;
        self.next += 1;
        self.pids.insert(pid);
        Ok((pid, path))
    }

    /// How many canaries it took until one was seen; 0 if none was.
    fn until_seen(
        &mut self,
        storm: &mut StormProcess,
        monitor: &mut MonitorProcess,
    ) -> Result<u32, TrialError> {
        for tried in 1..=self.tries {
            let began = monotonic_ns();
            let (pid, path) = self.release(storm)?;
            let deadline = monotonic_ns() + self.lifetime_ns;
            let is_it = |sighting: &Sighting| match (sighting.pid, sighting.ns_pid) {
                (Some(said), _) => said == pid,
                (None, Some(_)) => false,
                (None, None) => sighting.path.as_ref() == Some(&path),
            };
            let seen = monitor.sees(deadline, |s| is_it(s) && s.received_ns >= began)?;
            self.paths.push((path, began..monotonic_ns()));
            if seen {
                return Ok(tried);
            }
        }
        Ok(0)
    }

    /// Takes the canaries' sightings out of a record: those that carry a canary's id, and those of a
    /// pid that no exec of the storm had. Where the storm had it too, only the id can tell.
    fn strip(&self, record: &mut Record) {
        let of_storm: HashSet<u32> = record.truth.execs.iter().map(|exec| exec.pid).collect();
        record.sightings.retain(|sighting| {
            let by_pid = sighting
                .pid
                .is_some_and(|pid| self.pids.contains(&pid) && !of_storm.contains(&pid));
            let nameless = sighting.pid.is_none() && sighting.ns_pid.is_none();
            let by_path = nameless
                && self.paths.iter().any(|(path, waited)| {
                    sighting.path.as_ref() == Some(path) && waited.contains(&sighting.received_ns)
                });
            !by_pid && !by_path && !carries_canary_id(sighting)
        });
    }
}

fn carries_canary_id(sighting: &Sighting) -> bool {
    let is_canary = |arg: &[u8]| parse_id_argument(arg).is_some_and(|id| id >= FIRST_CANARY_ID);
    match &sighting.argv {
        Some(Argv::List(list)) => list.iter().any(|arg| is_canary(arg.as_slice())),
        Some(Argv::Joined(line)) => line
            .as_slice()
            .split(|&b| b == b' ' || b == 0)
            .any(is_canary),
        None => false,
    }
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
