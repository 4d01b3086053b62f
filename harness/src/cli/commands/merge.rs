//! `execlab merge`.

use std::{fs, io, path::Path};

use execlab_harness::{
    documents,
    merge::{Merged, Part, merge},
    results::of_plan,
    run::RunEnd,
    store::{RunDir, StoreError, read_lines, read_plan, read_repeats},
};
use execlab_model::exit::ExitCode;

use super::{
    super::{
        args::{Color, MergeArgs},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    run::tell_end,
};

/// Makes one run of its parts. Parts that are missing leave it incomplete; it can be gone on with.
pub fn run(args: &MergeArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let parts = args.parts.iter().map(|path| part(path, stderr));
    let Merged {
        plan,
        results,
        repeats,
        missing,
        unverified,
    } = merge(parts.collect::<Result<_, _>>()?)?;
    let mut dir = RunDir::create(&args.out, &plan)?;
    for part in &args.parts {
        copy_logs(&part.join("logs"), &dir.logs())?;
    }
    dir.keep_only(&results, &repeats)?;
    documents::write_all(&dir, &plan, &results, &repeats)?;
    let whole = if missing.is_empty() {
        ExitCode::Ok
    } else {
        ExitCode::Incomplete
    };
    for part in missing {
        stderr.say("warning", &format!("part {part} is missing"));
    }
    output::print(&documents::render(
        &of_plan(&plan, &results),
        &repeats,
        args.format,
        &output::screen(color),
    ))?;
    let end = RunEnd {
        unverified,
        ..RunEnd::of_files(&plan, results, repeats)
    };
    tell_end(&end, dir.path(), stderr);
    Ok(end.exit_code().and(whole))
}

fn part(path: &Path, stderr: Stderr) -> Result<Part, StoreError> {
    let lines = read_lines(path)?;
    if lines.cut_off {
        let said = format!(
            "the last line of {} was cut off and is left out",
            path.display()
        );
        stderr.say("warning", &said);
    }
    Ok(Part {
        path: path.to_owned(),
        plan: read_plan(path)?,
        results: lines.items,
        repeats: read_repeats(path)?,
    })
}

/// What guests printed goes along, where it was kept.
fn copy_logs(from: &Path, to: &Path) -> Result<(), StoreError> {
    let unreadable = |source| StoreError::Read {
        path: from.to_owned(),
        source,
    };
    let files = match fs::read_dir(from) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(unreadable)?,
    };
    for file in files {
        let file = file.map_err(unreadable)?;
        let path = to.join(file.file_name());
        fs::copy(file.path(), &path).map_err(|source| StoreError::Write { path, source })?;
    }
    Ok(())
}
