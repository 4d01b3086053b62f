//! `execlab report`.

use std::fs;

use execlab_harness::{
    documents,
    store::{self, RunDir, StoreError, read_lines, read_plan},
};

use super::super::{
    args::{Color, ReportArgs},
    errors::ExpectedError,
    output::{self, Stderr},
};

/// Reports from results alone.
pub fn run(args: &ReportArgs, color: Color, stderr: Stderr) -> Result<(), ExpectedError> {
    if args.write {
        let resumed = RunDir::resume(&args.results)?;
        documents::write_all(&resumed.dir, &resumed.results)?;
        stderr.say(
            "done",
            &format!("wrote the reports of {}", args.results.display()),
        );
        return Ok(());
    }
    let lines = if args.results.is_dir() {
        read_lines(&args.results)?
    } else {
        let bytes = fs::read(&args.results).map_err(|source| StoreError::Read {
            path: args.results.clone(),
            source,
        })?;
        store::parse(&bytes).map_err(|(line, source)| StoreError::Damaged {
            path: args.results.clone(),
            line,
            source,
        })?
    };
    if lines.cut_off {
        stderr.say("warning", "the last line was cut off and is left out");
    }
    // The plan is no input of the report; it only tells what the report cannot know.
    if let Ok(plan) = read_plan(&args.results) {
        let absent = plan.trials.len().saturating_sub(lines.results.len());
        if absent > 0 {
            stderr.say(
                "warning",
                &format!("trials of the plan without a result: {absent}"),
            );
        }
    }
    output::print(&documents::render(
        &lines.results,
        args.format,
        &output::screen(color),
    ))
}
