//! `execlab report`.

use std::{fs, path::Path};

use execlab_harness::{
    documents,
    plan::Plan,
    results::of_plan,
    store::{self, Lines, Resumed, RunDir, StoreError, read_lines, read_plan, read_repeats},
};
use execlab_model::{exit::ExitCode, repeat::Repeat, result::TrialResult};

use super::{
    super::{
        args::{Color, ReportArgs},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    conformance, step,
};

/// Reports from results alone.
pub fn run(args: &ReportArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    if args.conformance {
        return conformance::run(args, color, stderr);
    }
    let format = args.format.parse().map_err(ExpectedError::NoSuchFormat)?;
    if args.write {
        let Resumed {
            dir,
            plan,
            results,
            repeats,
        } = RunDir::resume(&args.results)?;
        documents::write_all(&dir, &plan, &results, &repeats)?;
        if let Some(file) = &args.step_summary {
            let whole = of_plan(&plan, &results);
            step::append(file, &args.results, &whole, &repeats)?;
        }
        stderr.say(
            "done",
            &format!("wrote the reports of {}", args.results.display()),
        );
        return Ok(ExitCode::Ok);
    }
    let (results, repeats) = whole(&args.results, stderr)?;
    if let Some(file) = &args.step_summary {
        step::append(file, &args.results, &results, &repeats)?;
    }
    output::print(&documents::render(
        &results,
        &repeats,
        format,
        &output::screen(color),
    ))?;
    Ok(ExitCode::Ok)
}

/// As [`read`], with a line for each trial of the plan that has no result.
pub(super) fn whole(
    path: &Path,
    stderr: Stderr,
) -> Result<(Vec<TrialResult>, Vec<Repeat>), ExpectedError> {
    let (lines, repeats) = read(path, stderr)?;
    let mut results = lines.items;
    // What is missing can be told only where the plan is.
    if let Some(plan) = plan_of(path)? {
        let whole = of_plan(&plan, &results);
        let absent = whole.len() - results.len();
        if absent > 0 {
            stderr.say(
                "warning",
                &format!("trials of the plan without a result: {absent}"),
            );
        }
        results = whole;
    }
    Ok((results, repeats))
}

/// The plan of a run directory, or of the run whose results a file holds; `None` for a file from anywhere else.
fn plan_of(path: &Path) -> Result<Option<Plan>, StoreError> {
    let folder = if path.is_dir() {
        path
    } else if path.file_name().is_some_and(|name| name == "results.jsonl") {
        path.parent().unwrap_or(Path::new(""))
    } else {
        return Ok(None);
    };
    match read_plan(folder) {
        Ok(plan) => Ok(Some(plan)),
        Err(StoreError::NotARun { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Results and what was run again, from a run directory or a file of lines.
pub(super) fn read(
    path: &Path,
    stderr: Stderr,
) -> Result<(Lines<TrialResult>, Vec<Repeat>), ExpectedError> {
    let (lines, repeats) = if path.is_dir() {
        (read_lines(path)?, read_repeats(path)?)
    } else {
        let bytes = fs::read(path).map_err(|source| StoreError::Read {
            path: path.to_owned(),
            source,
        })?;
        let lines = store::parse(&bytes).map_err(|(line, source)| StoreError::Damaged {
            path: path.to_owned(),
            line,
            source,
        })?;
        // What was run again stands beside the results, where it was taken along.
        let folder = path.parent().unwrap_or(Path::new(""));
        (lines, read_repeats(folder)?)
    };
    if lines.cut_off {
        stderr.say("warning", "the last line was cut off and is left out");
    }
    Ok((lines, repeats))
}
