//! `execlab compare`.

use execlab_reports::across;

use super::{
    super::{
        args::{Color, CompareArgs, CompareFormat},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    report,
};

/// Compares the order of costs in two runs of different labs.
pub fn run(args: &CompareArgs, color: Color, stderr: Stderr) -> Result<(), ExpectedError> {
    let (base, _) = report::read(&args.base, stderr)?;
    let (new, _) = report::read(&args.new, stderr)?;
    let across = across(&base.items, &new.items, &args.kernels)?;
    output::print(&match args.format {
        CompareFormat::Terminal => across.terminal(output::screen(color).width),
        CompareFormat::Json => output::json(&across),
        CompareFormat::Markdown => across.markdown(),
    })
}
