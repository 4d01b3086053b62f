//! `execlab decide`.

use std::{collections::BTreeMap, fs, path::Path};

use execlab_harness::{
    matrix::unknown,
    registry::{Registry, is_of_containers},
    store::StoreError,
};
use execlab_model::{exit::ExitCode, repeat::Repeat, result::TrialResult};
use execlab_reports::{
    decide::{CannotDecide, Question, Source, decide},
    text::{json, shell},
};
use execlab_vm::digest::Sha256;

use super::{
    super::{
        args::{DecideArgs, DecideFormat},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    report,
};

/// Decides which way to watch meets the needs.
pub fn run(args: &DecideArgs, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    let mut results = Vec::new();
    let mut sources = Vec::new();
    let mut repeats = Vec::new();
    for path in &args.results {
        let (lines, again) = report::whole(path, stderr)?;
        sources.push(source(path, lines.len())?);
        results.extend(lines);
        repeats.extend(again);
    }
    let question = question(args, sources, &results, repeats);
    let decision = decide(&results, &question).map_err(|error| match error {
        CannotDecide::NoSuch { what, name, has } => ExpectedError::NotInResults(format!(
            "the results do not have it: {}",
            unknown(what, &name, has.iter().map(String::as_str))
        )),
        error => error.into(),
    })?;
    let document = match args.format {
        DecideFormat::Markdown => decision.markdown(),
        DecideFormat::Html => decision.html(),
        DecideFormat::Json => json(&decision) + "\n",
    };
    match &args.out {
        None => output::print(&document)?,
        Some(path) => {
            fs::write(path, document).map_err(|source| StoreError::Write {
                path: path.clone(),
                source,
            })?;
            stderr.say("done", &format!("wrote {}", path.display()));
        }
    }
    Ok(decision.outcome.exit_code())
}

fn question(
    args: &DecideArgs,
    sources: Vec<Source>,
    results: &[TrialResult],
    repeats: Vec<Repeat>,
) -> Question {
    let registry = Registry::of_this_build();
    let mut deployments = BTreeMap::new();
    for spec in results.iter().map(|line| &line.backend) {
        if let Some(backend) = registry.backend(&spec.name)
            && !deployments.contains_key(spec)
        {
            deployments.insert(spec.clone(), backend.deployment(spec));
        }
    }
    let containers = registry.scenarios.iter().filter(|s| is_of_containers(s));
    Question {
        needs: args.needs.iter().chain(&args.max_cost).cloned().collect(),
        without: args.without.iter().map(|&p| p.into()).collect(),
        kernels: args.kernels.clone(),
        scenarios: args.workloads.clone(),
        loads: args.load.clone(),
        deployments,
        containers: containers.map(|s| s.name.clone()).collect(),
        known_kernels: registry.kernels,
        repeats,
        sources,
        command: command(args),
    }
}

/// The file behind a run, for those who want to know that it is the same one.
fn source(path: &Path, trials: usize) -> Result<Source, ExpectedError> {
    let file = if path.is_dir() {
        path.join("results.jsonl")
    } else {
        path.to_owned()
    };
    let bytes = fs::read(&file).map_err(|source| StoreError::Read { path: file, source })?;
    Ok(Source {
        name: path.display().to_string(),
        sha256: Sha256::of(&bytes).into(),
        trials,
    })
}

/// As one would type it, whatever of it came from the environment.
fn command(args: &DecideArgs) -> String {
    let mut words = vec!["execlab".to_owned(), "decide".to_owned()];
    words.extend(args.results.iter().map(|path| path.display().to_string()));
    for need in args.needs.iter().chain(&args.max_cost) {
        words.extend(["--need".to_owned(), need.to_string()]);
    }
    let mut listed = |name: &str, values: Vec<String>| {
        if !values.is_empty() {
            words.extend([name.to_owned(), values.join(",")]);
        }
    };
    let without = args.without.iter().map(|p| p.name.to_owned());
    listed("--without", without.collect());
    listed(
        "--kernels",
        args.kernels.iter().map(ToString::to_string).collect(),
    );
    listed("--workloads", args.workloads.clone());
    listed(
        "--load",
        args.load.iter().map(ToString::to_string).collect(),
    );
    shell(&words)
}
