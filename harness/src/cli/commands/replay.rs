//! `execlab replay`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use execlab_harness::{
    lab::{Laboratory, Start},
    plan::{Plan, TrialSpec, file_name},
    registry::Registry,
    replay::{
        Chosen, Shown,
        again::{self, Again},
        choose,
        inputs::changed,
        picture,
    },
    store::{StoreError, read_plan},
};
use execlab_model::{exit::ExitCode, result::Status};
use execlab_reports::replay::{Change, Outcome, Replay, SCHEMA};

use super::{
    super::{
        args::{ReplayArgs, ReplayFormat},
        errors::ExpectedError,
        interrupt, laboratory,
        output::{self, Stderr},
    },
    report,
};

/// Runs one trial of a run again, and writes what happened in it.
pub fn run(args: &ReplayArgs, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let (dir, plan) = plan(&args.run)?;
    let (lines, _) = report::read(&args.run, stderr)?;
    let chosen = choose(&plan, &lines.items, &args.trial)?;
    let trial = &plan.trials[chosen.at];
    if !trial.lab.is_exact() {
        return Err(ExpectedError::NotReplayable {
            trial: trial.id.clone(),
            lab: trial.lab,
        });
    }
    let files = Files::new(args, &dir, trial)?;
    let store = &args.kernel_store;
    let tampered = laboratory::Tampered {
        fake: args.lab_fake.as_deref(),
        ..Default::default()
    };
    let lab = laboratory::open_with(trial.lab, store, tampered)?;
    let with_scheduler = args.sched.then(|| again::with_scheduler(trial));
    let both: Vec<TrialSpec> = [trial]
        .into_iter()
        .chain(&with_scheduler)
        .cloned()
        .collect();
    lab.check(&both)?;
    let changes = changes(&*lab, trial, &chosen)?;
    say_first(args, &chosen, &changes, stderr)?;
    interrupt::at_once()?;

    let registry = Registry::of_this_build();
    let start = if args.cold {
        Start::Cold
    } else {
        plan.manner.start
    };
    let once = |trial: &TrialSpec, log: &Path| {
        again::run(&*lab, &registry, trial, start, &chosen.baselines, log)
    };
    stderr.say("replay", &trial.id);
    let first = once(trial, &files.log)?;
    let second = match &with_scheduler {
        Some(trial) if first.storm().is_some() => {
            stderr.say("replay", "once more, with the scheduler's events recorded");
            Some(once(trial, &files.sched_log)?)
        }
        _ => None,
    };
    if let Some(second) = second.as_ref().filter(|second| second.scheduled.is_none()) {
        let why = second.line.reason.as_deref();
        let why = why.unwrap_or("nothing came back of it");
        stderr.say("warning", &format!("the scheduler was not recorded: {why}"));
    }

    laboratory::tell_unguarded(stderr);

    let scenario = registry.scenario(&trial.workload.scenario);
    let shown = Shown {
        around: args.around,
        margin: args.margin,
        watched: trial.backend.watches(),
        best: scenario.map_or(&[][..], |scenario| &scenario.best),
    };
    let mut replay = summary(args, &chosen, &first, changes);
    if let Some(trace) = picture(&mut replay, shown, &first, second.as_ref())? {
        files.write(&trace.to_json())?;
        replay.trace = Some(files.trace.display().to_string());
    }
    output::print(&match args.format {
        ReplayFormat::Terminal => replay.terminal(),
        ReplayFormat::Json => output::json(&replay),
    })?;
    if replay.outcome == Outcome::Differs {
        stderr.say(
            "error",
            "the same inputs gave another record: the trial does not repeat",
        );
    }
    Ok(exit_code(&replay))
}

/// The run's directory and plan; of a file, those that stand beside it.
fn plan(run: &Path) -> Result<(PathBuf, Plan), ExpectedError> {
    let beside = || run.parent().unwrap_or(Path::new("")).to_owned();
    let dir = if run.is_file() {
        beside()
    } else {
        run.to_owned()
    };
    let plan = read_plan(&dir)?;
    Ok((dir, plan))
}

/// Which inputs are others than in the run; none where the digest is the same, or unknown.
fn changes(
    lab: &dyn Laboratory,
    trial: &TrialSpec,
    chosen: &Chosen,
) -> Result<Vec<Change>, ExpectedError> {
    let digest = lab.digest(trial)?;
    let other = |line: &&_| -> bool {
        let line: &execlab_model::result::TrialResult = line;
        !line.digest.is_empty() && line.digest != digest
    };
    let Some(line) = chosen.line.as_ref().filter(other) else {
        return Ok(Vec::new());
    };
    let (kernel, provenance) = lab.inputs(trial)?;
    Ok(changed(line, &kernel, &provenance))
}

/// What there is to say before anything is run; an error where it is not to be run.
fn say_first(
    args: &ReplayArgs,
    chosen: &Chosen,
    changes: &[Change],
    stderr: Stderr,
) -> Result<(), ExpectedError> {
    let Some(line) = &chosen.line else {
        stderr.say("warning", "the run has no result of this trial");
        return Ok(());
    };
    if changes.is_empty() {
        return Ok(());
    }
    if !args.anyway {
        return Err(ExpectedError::OtherInputs {
            trial: line.trial.clone(),
            changes: changes.iter().map(ToString::to_string).collect(),
        });
    }
    stderr.say(
        "warning",
        "inputs are others than in the run: this is another trial of the same name",
    );
    Ok(())
}

/// What is known before what came back is looked at.
fn summary(args: &ReplayArgs, chosen: &Chosen, first: &Again, changes: Vec<Change>) -> Replay {
    let (outcome, difference) = again::judge(chosen.line.as_ref(), &first.line);
    Replay {
        schema: SCHEMA,
        run: args.run.display().to_string(),
        trial: first.line.trial.clone(),
        outcome,
        before: chosen.line.as_ref().map(again::print),
        now: again::print(&first.line),
        changed: changes,
        difference,
        reason: first.line.reason.clone(),
        began_ns: None,
        counts: None,
        losses: Vec::new(),
        gaps: Vec::new(),
        around: None,
        sched: None,
        trace: None,
    }
}

/// What came back decides, not what the trial shows of its monitor: that was known.
fn exit_code(replay: &Replay) -> ExitCode {
    let repeats = match replay.outcome {
        Outcome::Differs => ExitCode::Nondeterministic,
        Outcome::Same | Outcome::OtherInputs | Outcome::NothingToCompare => ExitCode::Ok,
    };
    let came = match (replay.now.status, &replay.now.record_sha256) {
        (Status::Lost, None) => ExitCode::GuestLost,
        (Status::Infra, _) => ExitCode::Incomplete,
        _ => ExitCode::Ok,
    };
    came.and(repeats)
}

/// What a replay writes.
struct Files {
    trace: PathBuf,
    log: PathBuf,
    sched_log: PathBuf,
}

impl Files {
    /// Their names, in a directory that is there from now on: whether it can be is told before anything is run.
    fn new(args: &ReplayArgs, dir: &Path, trial: &TrialSpec) -> Result<Self, ExpectedError> {
        let around = args.around.map(|id| format!("@around-{id}"));
        let name = file_name(&trial.id) + &around.unwrap_or_default();
        let in_folder = |folder: &Path| folder.join(format!("{name}.trace.json"));
        let trace = match &args.out {
            None => in_folder(&dir.join("replay")),
            Some(out) if out.extension().is_some_and(|e| e == "json") && !out.is_dir() => {
                out.clone()
            }
            Some(out) => in_folder(out),
        };
        let folder = trace.parent().unwrap_or(Path::new(""));
        if folder != Path::new("") {
            fs::create_dir_all(folder).map_err(unwritable(folder))?;
        }
        let beside = |what: &str| folder.join(format!("{name}{what}.serial.log"));
        Ok(Self {
            log: beside(""),
            sched_log: beside(".sched"),
            trace,
        })
    }

    fn write(&self, json: &str) -> Result<(), ExpectedError> {
        Ok(fs::write(&self.trace, json).map_err(unwritable(&self.trace))?)
    }
}

fn unwritable(path: &Path) -> impl FnOnce(std::io::Error) -> StoreError + '_ {
    move |source| StoreError::Write {
        path: path.to_owned(),
        source,
    }
}
