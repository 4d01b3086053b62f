//! `execlab report`.

use std::{fs, path::Path};

use execlab_harness::{
    documents,
    store::{self, RunDir, StoreError, read_lines, read_plan, read_repeats},
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
        documents::write_all(&resumed.dir, &resumed.results, &resumed.repeats)?;
        stderr.say(
            "done",
            &format!("wrote the reports of {}", args.results.display()),
        );
        return Ok(());
    }
    let (lines, repeats) = if args.results.is_dir() {
        (read_lines(&args.results)?, read_repeats(&args.results)?)
    } else {
        let bytes = fs::read(&args.results).map_err(|source| StoreError::Read {
            path: args.results.clone(),
            source,
        })?;
        let lines = store::parse(&bytes).map_err(|(line, source)| StoreError::Damaged {
            path: args.results.clone(),
            line,
            source,
        })?;
        // What was run again stands beside the results, where it was taken along.
        let folder = args.results.parent().unwrap_or(Path::new(""));
        (lines, read_repeats(folder)?)
    };
    if lines.cut_off {
        stderr.say("warning", "the last line was cut off and is left out");
    }
    // The plan is no input of the report; it only tells what the report cannot know.
    if let Ok(plan) = read_plan(&args.results) {
        let absent = plan.trials.len().saturating_sub(lines.items.len());
        if absent > 0 {
            stderr.say(
                "warning",
                &format!("trials of the plan without a result: {absent}"),
            );
        }
    }
    output::print(&documents::render(
        &lines.items,
        &repeats,
        args.format,
        &output::screen(color),
    ))
}
