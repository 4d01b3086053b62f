//! `execlab report --conformance`.

use execlab_harness::documents::ConformanceFormat as Format;
use execlab_model::exit::ExitCode;
use execlab_reports::{
    conformance::{Conformance, Held, conformance, stubs},
    text::plural,
};

use super::{
    super::{
        args::{Color, ReportArgs},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    report,
};

/// Prints the conformance table of a run, and holds it against the one that is built in.
pub fn run(args: &ReportArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let format: Format = args.format.parse().map_err(ExpectedError::NoSuchFormat)?;
    let (results, _) = report::whole(&args.results, stderr)?;
    let held = Held::committed();
    let table = conformance(&results, held);
    output::print(&match format {
        Format::Terminal => table.terminal(output::screen(color).width),
        Format::Markdown => table.markdown(),
        Format::Json => output::json(&table),
        Format::Toml => table.toml().ok_or_else(|| gaps(&table))?,
        Format::Renewed => table.renewed(held).ok_or_else(|| gaps(&table))?,
        Format::Explanations => stubs(&table, held),
    })?;
    if !args.check {
        return Ok(ExitCode::Ok);
    }
    tell(&table, stderr);
    Ok(table.exit_code())
}

fn gaps(table: &Conformance) -> ExpectedError {
    let first = table.unmeasured.first();
    ExpectedError::Gaps {
        count: table.unmeasured.len(),
        first: first.map_or_else(String::new, |t| format!("{}: {}", t.trial, t.status)),
        code: table.exit_code(),
    }
}

/// What the check found, where stdout may be read by a program.
fn tell(table: &Conformance, stderr: Stderr) {
    let count = table.contradictions.len();
    if count > 0 {
        let said = format!(
            "the run contradicts the committed conformance table, in {}",
            plural(count, "place")
        );
        stderr.say("error", &said);
        stderr.say(
            "help",
            "mend what changed; or renew the table by `cargo xtask conformance`, and explain each row",
        );
    }
    if table.compared == 0 {
        let said = "no cell of the run is in the committed conformance table";
        stderr.say("error", said);
    }
    if !table.unheld.is_empty() {
        let count = table.unheld.len();
        let said = format!("cells of which the committed conformance table says nothing: {count}");
        stderr.say("warning", &said);
    }
}
