//! `execlab find`.

use std::{io::stderr as raw_stderr, path::Path, time::Duration};

use execlab_harness::{
    durations::Durations,
    events::Reporter,
    find::{End, Experiment, Searching, asked_in, is_search, resolve},
    lab::{Laboratory, Start},
    plan::Plan,
    progress::{Bars, Lines, tell},
    registry::Registry,
    store::{DEFAULT_PARENT, Resumed, RunDir},
};
use execlab_model::{exit::ExitCode, result::TrialResult};
use execlab_reports::{
    find::{Asked, Find},
    text::{clean, plural},
};

use super::{
    super::{
        args::{Color, FindArgs, FindFormat},
        errors::ExpectedError,
        interrupt, laboratory,
        output::{self, Stderr},
    },
    run::default_jobs,
};

/// Searches, or goes on with a search.
pub fn run(args: &FindArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let registry = Registry::of_this_build();
    let asked = match &args.resume {
        Some(path) => asked_before(path, args)?,
        None => args.asked()?,
    };
    let experiment = resolve(asked, &registry)?;
    if args.dry_run {
        return dry_run(&experiment, args);
    }
    let (mut dir, plan, found, lab) = match &args.resume {
        Some(path) => resume(path, &experiment, args)?,
        None => start(&experiment, args)?,
    };
    let interrupted = interrupt::flag()?;
    let searching = Searching {
        experiment: &experiment,
        lab: &*lab,
        registry: &registry,
        jobs: args
            .jobs
            .map_or_else(|| default_jobs(&*lab, &experiment.samples()), usize::from),
        interrupted: &interrupted,
    };
    let before = found.len();
    let (trials, done) = searching.keep(&plan, found)?;
    if done.len() < before {
        dir.keep_only(&done, &[])?;
    }
    let plan = Plan { trials, ..plan };
    let mut reporter: Box<dyn Reporter> = if stderr.terminal {
        Box::new(Bars::new())
    } else {
        Box::new(Lines::new(raw_stderr()))
    };
    let end = searching.go(&mut dir, plan, done, &mut *reporter)?;
    drop(reporter);
    laboratory::tell_unguarded(stderr);
    let printed = output::print(&text(&end.find, args.format, color));
    tell_end(&end, dir.path(), stderr);
    // Whoever closes the terminal ends the search by that, and that is what it is to be told of.
    if !end.interrupted {
        printed?;
    }
    Ok(end.exit_code())
}

/// What the search in a directory was asked for; whoever names another one is told.
fn asked_before(path: &Path, args: &FindArgs) -> Result<Asked, ExpectedError> {
    if !is_search(path) {
        return Err(ExpectedError::NotASearch(path.to_owned()));
    }
    let asked = asked_in(path)?;
    match args.experiment() {
        Some(what) if what != asked.what => Err(ExpectedError::OtherPlan {
            directory: path.to_owned(),
            difference: format!("it searches for {}", asked.what.as_str()),
        }),
        _ => Ok(asked),
    }
}

fn text(find: &Find, format: FindFormat, color: Color) -> String {
    match format {
        FindFormat::Terminal => find.terminal(output::screen(color).width),
        FindFormat::Markdown => find.markdown(),
        FindFormat::Json => output::json(find),
    }
}

type Ready = (RunDir, Plan, Vec<TrialResult>, Box<dyn Laboratory>);

fn start(experiment: &Experiment, args: &FindArgs) -> Result<Ready, ExpectedError> {
    let plan = Searching::plan(experiment);
    let dir = match &args.out {
        Some(path) => RunDir::create(path, &plan)?,
        None => RunDir::create_by_time(Path::new(DEFAULT_PARENT), &plan)?,
    };
    match open(experiment, args) {
        Ok(lab) => Ok((dir, plan, Vec::new(), lab)),
        Err(error) => {
            dir.discard();
            Err(error)
        }
    }
}

fn resume(path: &Path, experiment: &Experiment, args: &FindArgs) -> Result<Ready, ExpectedError> {
    let Resumed {
        dir, plan, results, ..
    } = RunDir::resume(path)?;
    let now = Searching::plan(experiment);
    let trials_aside = Plan {
        trials: Vec::new(),
        ..plan.clone()
    };
    if let Some(difference) = trials_aside.difference(&now) {
        return Err(ExpectedError::OtherPlan {
            directory: path.to_owned(),
            difference,
        });
    }
    Ok((dir, plan, results, open(experiment, args)?))
}

fn open(experiment: &Experiment, args: &FindArgs) -> Result<Box<dyn Laboratory>, ExpectedError> {
    let tampered = laboratory::Tampered {
        fake: args.lab_fake.as_deref(),
        ..Default::default()
    };
    let lab = laboratory::open_with(experiment.matrix.lab, &args.kernel_store, tampered)?;
    lab.check(&experiment.samples())?;
    Ok(lab)
}

/// What would be asked, and how long that may take.
fn dry_run(experiment: &Experiment, args: &FindArgs) -> Result<ExitCode, ExpectedError> {
    if args.format == FindFormat::Json {
        output::print(&output::json(&experiment.asked))?;
        return Ok(ExitCode::Ok);
    }
    let rows = experiment.rows();
    let mut all = 0;
    let mut lines: Vec<String> = Vec::new();
    for (line, row) in experiment.lines.iter().zip(&rows) {
        let (spec, trials) = (&line.backend.spec, row.left());
        all += trials;
        lines.push(format!(
            "{}/{}+{}/{}: about {}",
            line.kernel,
            spec.name,
            spec.variant,
            line.asking.question.as_str(),
            plural(trials, "trial")
        ));
    }
    let samples = experiment.samples();
    let known = laboratory::durations(&args.kernel_store, args.lab_fake.is_some());
    let known = known.as_deref().map(Durations::read).unwrap_or_default();
    let took: Duration = known.expect(&samples, Start::Warm).iter().sum();
    let each = took / u32::try_from(samples.len().max(1)).unwrap_or(u32::MAX);
    let jobs = args.jobs.map_or(1, usize::from);
    let whole = each.as_secs_f64() * all as f64 / jobs as f64;
    lines.push(format!(
        "together about {}, {:.0} min with {jobs} at once",
        plural(all, "trial"),
        (whole / 60.0).ceil()
    ));
    output::print(&output::lines(lines.iter().map(String::as_str)))?;
    Ok(ExitCode::Ok)
}

fn tell_end(end: &End, path: &Path, stderr: Stderr) {
    let shown = clean(&path.display().to_string());
    if end.find.complete {
        tell(format_args!(
            "proofs can be run again: execlab replay {shown} TRIAL"
        ));
    } else {
        stderr.say("warning", "not every question has its answer yet");
        stderr.say(
            "help",
            &format!("go on with `execlab find --resume {shown}`"),
        );
    }
    let unanswered = end.find.open_questions();
    if unanswered > 0 {
        let questions = plural(unanswered, "question");
        stderr.say(
            "warning",
            &format!(
                "no answer, or not that of every seed: {questions}; the report names the trials"
            ),
        );
    }
    if end.panicked {
        stderr.say(
            "error",
            "a trial ended by a defect of execlab itself; please report it",
        );
    }
}
