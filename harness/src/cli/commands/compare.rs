//! `execlab compare`.

use std::{fs, path::Path};

use execlab_harness::baselines::{BaselineError, Baselines};
use execlab_model::{exit::ExitCode, repeat::Repeat, result::TrialResult};
use execlab_reports::{
    across,
    gate::{Gate, Policy, Run, gate, interleaved, junit, policy::Stance},
};

use super::{
    super::{
        args::{Color, CompareArgs, CompareFormat},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    report,
};

/// One side of a comparison.
#[derive(Default)]
struct Side {
    results: Vec<TrialResult>,
    repeats: Vec<Repeat>,
}

/// Compares two runs of one lab row by row, or the order of costs in two labs.
pub fn run(args: &CompareArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let policy = policy(args)?;
    if args.print_policy {
        output::print(&policy.print())?;
        return Ok(ExitCode::Ok);
    }
    let baselines = Baselines::in_dir(&args.place.dir);
    let base_name = args.base.as_deref().unwrap_or_default();
    let base = base(base_name, &baselines, &policy, stderr)?;
    if let Some((a, b)) = &args.ab {
        let gate = interleaved(run_of(base_name, &base), a, b, &policy)?;
        return print(&gate, args.format, color);
    }
    let new_name = args.new.as_deref().unwrap_or_default();
    let new = side(new_name, &baselines, stderr)?;
    let by_itself = is_plain(args) && are_of_two_labs(&base, &new);
    if args.across || !args.kernels.is_empty() || by_itself {
        order(args, &base, &new, color)?;
        return Ok(ExitCode::Ok);
    }
    let gate = gate(run_of(base_name, &base), run_of(new_name, &new), &policy);
    print(&gate, args.format, color)
}

fn policy(args: &CompareArgs) -> Result<Policy, ExpectedError> {
    let mut policy = match &args.policy {
        None => Policy::default(),
        Some(path) => {
            let text = fs::read_to_string(path).map_err(|source| ExpectedError::NoPolicy {
                path: path.clone(),
                source,
            })?;
            Policy::parse(&text).map_err(|source| ExpectedError::BadPolicy {
                path: path.clone(),
                source,
            })?
        }
    };
    if let Some(missing) = args.missing_baseline {
        policy.missing_baseline = missing.into();
    }
    Ok(policy)
}

fn run_of<'a>(name: &'a str, side: &'a Side) -> Run<'a> {
    Run {
        name,
        results: &side.results,
        repeats: &side.repeats,
    }
}

/// What is compared with; where it is not there and that is no failure, nothing.
fn base(
    name: &str,
    baselines: &Baselines,
    policy: &Policy,
    stderr: Stderr,
) -> Result<Side, ExpectedError> {
    if Path::new(name).exists() || baselines.has(name) {
        return side(name, baselines, stderr);
    }
    let missing = baselines.missing(name);
    match policy.missing_baseline {
        Stance::Fail => return Err(missing.into()),
        Stance::Warn => stderr.say("warning", &missing.to_string()),
        Stance::Ok => {}
    }
    Ok(Side::default())
}

fn side(name: &str, baselines: &Baselines, stderr: Stderr) -> Result<Side, ExpectedError> {
    let path = Path::new(name);
    match (path.exists(), baselines.has(name)) {
        (true, true) => Err(ExpectedError::TwoOfOneName(name.to_owned())),
        (false, true) => Ok(Side {
            results: baselines.read(name)?.1,
            repeats: Vec::new(),
        }),
        (true, false) => {
            let (results, repeats) = report::whole(path, stderr)?;
            Ok(Side { results, repeats })
        }
        (false, false) => Err(ExpectedError::NoSuchRun(baselines.missing(name))),
    }
}

/// Whether two runs are named, and nothing that only a gate has a use for: who asks for a gate is not to get, and to
/// pass, something else because a lab changed.
fn is_plain(args: &CompareArgs) -> bool {
    let runs =
        [&args.base, &args.new].map(|name| name.as_ref().is_some_and(|n| Path::new(n).exists()));
    runs == [true, true]
        && args.policy.is_none()
        && args.missing_baseline.is_none()
        && args.format != CompareFormat::Junit
}

fn are_of_two_labs(base: &Side, new: &Side) -> bool {
    let of = |side: &Side, lab| side.results.iter().any(|t| t.lab == lab);
    let both_have_some = !base.results.is_empty() && !new.results.is_empty();
    both_have_some && !base.results.iter().any(|t| of(new, t.lab))
}

fn order(args: &CompareArgs, base: &Side, new: &Side, color: Color) -> Result<(), ExpectedError> {
    let across = across(&base.results, &new.results, &args.kernels)?;
    output::print(&match args.format {
        CompareFormat::Terminal => across.terminal(output::screen(color).width),
        CompareFormat::Json => output::json(&across),
        CompareFormat::Markdown => across.markdown(),
        CompareFormat::Junit => return Err(ExpectedError::NoJunitAcross),
    })
}

fn print(gate: &Gate, format: CompareFormat, color: Color) -> Result<ExitCode, ExpectedError> {
    output::print(&match format {
        CompareFormat::Terminal => gate.terminal(output::screen(color).width),
        CompareFormat::Json => output::json(gate),
        CompareFormat::Markdown => gate.markdown(),
        CompareFormat::Junit => junit(gate),
    })?;
    Ok(gate.exit_code())
}

impl From<BaselineError> for ExpectedError {
    fn from(error: BaselineError) -> Self {
        Self::Baseline(error)
    }
}
