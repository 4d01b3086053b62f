//! `execlab run`.

use std::{io::stderr as raw_stderr, path::Path, time::Duration};

use execlab_harness::{
    doctor::available_bytes,
    documents,
    durations::Durations,
    events::Reporter,
    find::is_search,
    lab::{Laboratory, Start, host::changes},
    matrix::Selection,
    plan::{Manner, Plan, TrialSpec},
    progress::{Bars, Lines, rough, tell},
    registry::Registry,
    results::of_plan,
    run::{Done, Run, RunEnd, keep},
    store::{DEFAULT_PARENT, Resumed, RunDir},
    verify::Verify,
};
use execlab_model::{exit::ExitCode, result::Lab};
use execlab_reports::text::plural;

use super::{
    super::{
        args::{Color, RunArgs},
        errors::ExpectedError,
        interrupt, laboratory,
        output::{self, Stderr},
        selection,
    },
    step,
};

/// Runs a matrix, or goes on with a run.
pub fn run(mut args: RunArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let registry = Registry::of_this_build();
    let chosen = std::mem::take(&mut args.selection).read()?;
    let (mut dir, plan, done, lab) = if let Some(path) = args.resume.clone() {
        resume(&path, chosen, &args, &registry)?
    } else {
        let mut plan = selection::plan(chosen, &registry)?;
        plan.manner = manner(&args, plan.manner);
        if let Some(partition) = args.partition {
            plan = plan.part(partition);
            if plan.trials.is_empty() {
                let said = format!("nothing of the plan is in part {partition}");
                stderr.say("note", &said);
            }
        }
        if args.dry_run {
            return dry_run(&plan, &args, stderr);
        }
        start(plan, &args)?
    };
    if args.dry_run {
        let left: Vec<_> = plan
            .trials
            .iter()
            .filter(|t| done.lines.iter().all(|k| k.trial != t.id))
            .cloned()
            .collect();
        return dry_run(
            &Plan {
                trials: left,
                ..plan
            },
            &args,
            stderr,
        );
    }

    if changes_host(&plan, &args) {
        stderr.say(
            "note",
            "this is what the lab host changes on this machine while it runs",
        );
        for change in changes(&plan.trials) {
            tell(format_args!("  {change}"));
        }
    }
    let interrupted = interrupt::flag()?;
    let mut reporter: Box<dyn Reporter> = if stderr.terminal {
        Box::new(Bars::new())
    } else {
        Box::new(Lines::new(raw_stderr()))
    };
    let Manner { start, verify } = manner(&args, plan.manner);
    let durations = laboratory::durations_file(&args);
    let known = durations
        .as_deref()
        .map(Durations::read)
        .unwrap_or_default();
    let cache = laboratory::result_cache(plan.matrix.lab, &args);
    let run = Run {
        cache: cache.as_ref(),
        plan: &plan,
        lab: &*lab,
        registry: &registry,
        jobs: args
            .jobs
            .map_or_else(|| default_jobs(&*lab, &plan.trials), usize::from)
            .min(plan.trials.len().max(1))
            .min(most_jobs(plan.matrix.lab)),
        start,
        verify,
        expected: &known.expect(&plan.trials, start),
        interrupted: &interrupted,
    };
    let end = run.go(&mut dir, done, &mut *reporter)?;
    drop(reporter);
    let took = end.walls.iter().map(|&(at, wall)| (&plan.trials[at], wall));
    if let Some(path) = durations.filter(|_| !end.walls.is_empty())
        && let Err(error) = Durations::learn(&path, start, took)
    {
        let said = format!("cannot keep how long trials took ({error}); nothing else needs it");
        stderr.say("warning", &said);
    }
    let whole = of_plan(&plan, &end.results);
    let summed_up = args.step_summary.as_deref();
    let summed_up = summed_up.map_or(Ok(()), |file| {
        step::append(file, dir.path(), &whole, &end.repeats)
    });
    let printed = output::print(&documents::render(
        &whole,
        &end.repeats,
        args.format,
        &output::screen(color),
    ));
    tell_end(&end, dir.path(), stderr);
    summed_up?;
    // Whoever closes the terminal ends the run by that, and that is what it is to be told of.
    if !end.interrupted {
        printed?;
    }
    Ok(end.exit_code())
}

/// As the flags say, and as the plan does where they say nothing: a run that goes on is not to forget
/// what it was asked for.
fn manner(args: &RunArgs, planned: Manner) -> Manner {
    Manner {
        start: if args.cold {
            Start::Cold
        } else {
            planned.start
        },
        verify: args.verify.unwrap_or(planned.verify),
    }
}

type Ready = (RunDir, Plan, Done, Box<dyn Laboratory>);

/// A new run: the directory first, since it costs nothing and may fail; then what takes time.
fn start(plan: Plan, args: &RunArgs) -> Result<Ready, ExpectedError> {
    repeatable(&plan, args)?;
    consent(&plan, args)?;
    let dir = match &args.out {
        Some(path) => RunDir::create(path, &plan)?,
        None => RunDir::create_by_time(Path::new(DEFAULT_PARENT), &plan)?,
    };
    let lab = laboratory::open(plan.matrix.lab, args)
        .and_then(|lab| lab.check(&plan.trials).map(|()| lab).map_err(Into::into));
    match lab {
        Ok(lab) => Ok((dir, plan, Done::default(), lab)),
        Err(error) => {
            dir.discard();
            Err(error)
        }
    }
}

/// Whoever asks for a repeat is told where there is none.
fn repeatable(plan: &Plan, args: &RunArgs) -> Result<(), ExpectedError> {
    let asked = args.verify.is_some_and(|verify| verify != Verify::None);
    if asked && !plan.matrix.lab.is_exact() {
        return Err(ExpectedError::NothingToVerify(plan.matrix.lab));
    }
    Ok(())
}

fn changes_host(plan: &Plan, args: &RunArgs) -> bool {
    plan.matrix.lab == Lab::Host && args.lab_fake.is_none() && !args.dry_run
}

/// Nothing on this machine is changed behind its owner's back.
fn consent(plan: &Plan, args: &RunArgs) -> Result<(), ExpectedError> {
    if args.change_host || !changes_host(plan, args) {
        return Ok(());
    }
    Err(ExpectedError::NoConsent {
        changes: changes(&plan.trials),
    })
}

fn resume(
    path: &Path,
    chosen: Selection,
    args: &RunArgs,
    registry: &Registry,
) -> Result<Ready, ExpectedError> {
    let Resumed {
        mut dir,
        plan,
        results,
        repeats,
    } = if is_search(path) {
        return Err(ExpectedError::IsASearch(path.to_owned()));
    } else {
        RunDir::resume(path)?
    };
    let other = |difference: String| ExpectedError::OtherPlan {
        directory: path.to_owned(),
        difference,
    };
    let now = if chosen.is_empty() {
        plan.whole()
    } else {
        selection::plan(chosen, registry)?
    };
    let now = match &plan.shard {
        Some(shard) => now.part(shard.partition),
        None => now,
    };
    if let Some(difference) = plan.difference(&now) {
        return Err(other(difference));
    }
    repeatable(&plan, args)?;
    consent(&plan, args)?;
    let lab = laboratory::open(plan.matrix.lab, args)?;
    let found = (results.len(), repeats.len());
    let done = Done {
        lines: results,
        repeats,
    };
    // To look whether inputs have changed, the other labs would have to lay hands on the machine.
    if args.dry_run && !plan.matrix.lab.is_exact() {
        return Ok((dir, plan, done, lab));
    }
    lab.check(&plan.trials)?;
    let kept = keep(&plan, &*lab, done)?;
    if (kept.lines.len(), kept.repeats.len()) != found && !args.dry_run {
        dir.keep_only(&kept.lines, &kept.repeats)?;
    }
    Ok((dir, plan, kept, lab))
}

fn dry_run(plan: &Plan, args: &RunArgs, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let text = match args.format {
        documents::Format::Json => output::json(plan),
        _ => output::lines(plan.trials.iter().map(|t| t.id.as_str())),
    };
    output::print(&text)?;
    stderr.say("note", &estimate(plan, args));
    Ok(ExitCode::Ok)
}

/// How long a plan may take on this machine, from what its trials or such as they took before.
fn estimate(plan: &Plan, args: &RunArgs) -> String {
    let known = laboratory::durations_file(args).map(|path| Durations::read(&path));
    let known = known.unwrap_or_default();
    let expected = known.expect(&plan.trials, manner(args, plan.manner).start);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.map_or(processors, usize::from);
    let jobs = jobs.min(most_jobs(plan.matrix.lab));
    let whole = expected.iter().sum::<Duration>() / u32::try_from(jobs).unwrap_or(u32::MAX);
    let whole = whole.max(expected.into_iter().max().unwrap_or_default());
    let from = if known.is_empty() {
        "a guess: nothing was run here yet"
    } else {
        "by what such trials took here; images, repeats and what the cache has are not counted"
    };
    format!(
        "{}, {jobs} at a time: about {} ({from})",
        plural(plan.trials.len(), "trial"),
        rough(whole)
    )
}

/// What the report cannot say: what is not in the results.
pub(super) fn tell_end(end: &RunEnd, path: &Path, stderr: Stderr) {
    const SHOWN: usize = 5;
    for warning in end.repeatability().warnings() {
        stderr.say("warning", &warning);
    }
    laboratory::tell_unguarded(stderr);
    if end.unverified > 0 {
        let said = format!(
            "trials that were to be run again and were not: {}",
            end.unverified
        );
        stderr.say("warning", &said);
    }
    if !end.absent.is_empty() {
        stderr.say(
            "warning",
            &format!("trials without a result: {}", end.absent.len()),
        );
        for id in end.absent.iter().take(SHOWN) {
            tell(format_args!("  {id}"));
        }
        if end.absent.len() > SHOWN {
            tell(format_args!("  …"));
        }
    }
    if !end.absent.is_empty() || end.unverified > 0 {
        let go_on = format!("go on with `execlab run --resume {}`", path.display());
        stderr.say("help", &go_on);
    }
    if end.panicked {
        stderr.say(
            "error",
            "a trial ended by a defect of execlab itself; please report it",
        );
    }
}

/// Where time is real, trials that run beside each other disturb each other.
fn most_jobs(lab: Lab) -> usize {
    if lab.is_exact() { usize::MAX } else { 1 }
}

/// As many as there are processors, and as memory has room for, were all of the largest kind.
pub(super) fn default_jobs(lab: &dyn Laboratory, trials: &[TrialSpec]) -> usize {
    let largest = trials.iter().map(|trial| lab.memory_bytes(trial)).max();
    let largest = largest.unwrap_or(0).max(1);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let room = std::fs::read_to_string("/proc/meminfo")
        .ok()
        .and_then(|text| available_bytes(&text))
        .and_then(|bytes| usize::try_from(bytes / largest).ok());
    processors.min(room.unwrap_or(processors)).max(1)
}

#[cfg(test)]
mod tests {
    use execlab_harness::lab::fake::FakeLab;

    use super::*;

    #[test]
    fn available_memory_is_read_from_its_line() {
        let text = "MemTotal: 9 kB\nMemAvailable:    2048 kB\n";
        assert_eq!(available_bytes(text), Some(2 << 20));
        assert_eq!(available_bytes("MemTotal: 9 kB\n"), None);
        let lab = FakeLab::default();
        assert!(default_jobs(&lab, &[]) >= 1);
    }
}
