//! From what was asked for to questions, each of one backend with one group of settings on one kernel.

use execlab_model::{plan::BackendSpec, result::Lab, workload::Workload};
use execlab_reports::find::{Asked, Asking, Values, What};

use super::{buffers, oracle, row, search};
use crate::{
    matrix::{
        self, Given, Matrix, MatrixError, Origin, Problem, SelectedBackend, Selection, unknown,
    },
    plan::TrialSpec,
    registry::{DEFAULT_VARIANT, Registry},
};

/// The storm that shows what settings cost: one that a monitor keeps up with, so that it does all of its work.
const COST_SCENARIO: &str = "absolute";
/// Its execs.
const COST_EXECS: u32 = 200;
/// Seeds of it, where so many were asked for.
const COST_SEEDS: u64 = 3;

/// What is to be found out.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// As it was asked for.
    pub asked: Asked,
    /// The names in it, checked; its backends have every setting that is looked at.
    pub matrix: Matrix,
    /// One for each question.
    pub lines: Vec<Line>,
}

/// One question of one backend on one kernel.
#[derive(Debug, Clone)]
pub struct Line {
    /// Name of the kernel.
    pub kernel: String,
    /// What watches.
    pub backend: SelectedBackend,
    /// The setting that differs from line to line, as `name=value`.
    pub setting: Option<String>,
    /// What is asked, and how far.
    pub asking: Asking,
}

/// Checks every name and value, and makes the questions.
pub fn resolve(asked: Asked, registry: &Registry) -> Result<Experiment, MatrixError> {
    let mut matrix = matrix::resolve(selection(&asked), registry)?;
    if matrix.workloads != [asked.workload.as_str()] {
        let named = format!("`{}` is no single scenario", asked.workload);
        return Err(MatrixError::Invalid(vec![problem("--workload", named)]));
    }
    let backends = backends(&asked, &matrix.backends, registry)?;
    matrix.backends = backends
        .iter()
        .map(|(backend, _)| backend.clone())
        .collect();
    let mut lines = Vec::new();
    for kernel in &matrix.kernels {
        for (backend, setting) in &backends {
            for &asking in &asked.questions {
                lines.push(Line {
                    kernel: kernel.clone(),
                    backend: backend.clone(),
                    setting: setting.clone(),
                    asking,
                });
            }
        }
    }
    let kernels = matrix.kernels.clone();
    Ok(Experiment {
        asked: Asked { kernels, ..asked },
        matrix,
        lines,
    })
}

fn selection(asked: &Asked) -> Selection {
    // What is not named is as in the built-in matrix.
    let all = |flag, texts: &[String]| {
        let given = texts.iter().map(|text| Given::flag(flag, text)).collect();
        (!texts.is_empty()).then_some(given)
    };
    let (first, end) = asked.seeds;
    Selection {
        kernels: all("--kernel", &asked.kernels),
        backends: all("--backend", &asked.backends),
        workloads: Some(vec![Given::flag("--workload", &asked.workload)]),
        execs: Some(Given::flag("--execs", asked.execs.to_string())),
        lifetimes: Some(vec![Given::flag(
            "--lifetime",
            format!("{}ns", asked.lifetime_ns),
        )]),
        seeds: Some(Given::flag("--seeds", format!("{first}..{end}"))),
        lab: Some(Given::flag("--lab", Lab::Exact.as_str())),
        ..Selection::default()
    }
}

/// Each backend once for each value of the setting that is looked at.
fn backends(
    asked: &Asked,
    named: &[SelectedBackend],
    registry: &Registry,
) -> Result<Vec<(SelectedBackend, Option<String>)>, MatrixError> {
    let mut all = Vec::new();
    let mut problems = Vec::new();
    for backend in named {
        if !backend.spec.watches() {
            problems.push(problem(
                "--backend",
                format!(
                    "`{}` does not watch: name a backend that does",
                    backend.spec.name
                ),
            ));
            continue;
        }
        let info = registry.backend(&backend.spec.name);
        let values = match &asked.settings {
            Some(values) => Some(values.clone()),
            None if asked.what == What::LossKnee => info.and_then(buffers::usual),
            None => None,
        };
        let Some(Values { setting, values }) = values else {
            all.push((backend.clone(), None));
            continue;
        };
        let names: Vec<&str> = info.map_or_else(Vec::new, |info| info.setting_names().collect());
        if !names.contains(&setting.as_str()) {
            let kind = format!("setting of {}", backend.spec.name);
            problems.push(problem("--settings", unknown(&kind, &setting, names)));
            continue;
        }
        for value in values {
            match info.map_or(Ok(()), |info| info.check_setting(&setting, &value)) {
                Ok(()) => all.push(with(backend, &setting, &value)),
                Err(what) => problems.push(problem("--settings", what)),
            }
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(MatrixError::Invalid(problems))
    }
}

fn problem(flag: &'static str, what: String) -> Problem {
    Problem {
        origin: Origin::Flag(flag),
        what,
    }
}

/// A backend with one setting of another value; its variant says so.
fn with(backend: &SelectedBackend, name: &str, value: &str) -> (SelectedBackend, Option<String>) {
    let mut backend = backend.clone();
    let setting = format!("{name}={value}");
    backend
        .spec
        .settings
        .insert(name.to_owned(), value.to_owned());
    backend.spec.variant = match backend.spec.variant.as_str() {
        DEFAULT_VARIANT => setting.clone(),
        variant => format!("{variant}.{setting}"),
    };
    (backend, Some(setting))
}

impl Experiment {
    /// The search of each line, before anything is known.
    pub fn rows(&self) -> Vec<row::Row> {
        let precision = search::Precision(self.asked.precision);
        let row = |line: &Line| {
            let Asking {
                least, first, most, ..
            } = line.asking;
            let range = search::Range { least, first, most };
            row::Row::new(range, precision, self.asked.seeds.0..self.asked.seeds.1)
        };
        self.lines.iter().map(row).collect()
    }

    /// The trial that answers a line for a seed and a value.
    pub fn trial(&self, line: &Line, seed: u64, value: u64) -> TrialSpec {
        let workload = oracle::workload(&self.asked, line.asking.question, value);
        self.spec(line, &line.backend.spec, &line.backend.boot, workload, seed)
    }

    /// What shows the cost of a line's settings, baselines first; none where it was not asked for.
    pub fn cost_trials(&self, line: &Line) -> Vec<TrialSpec> {
        if self.asked.what != What::LossKnee {
            return Vec::new();
        }
        let none = BackendSpec::none(BackendSpec::DEFAULT);
        let boot = &line.backend.boot;
        let (first, end) = self.asked.seeds;
        let mut trials = Vec::new();
        for seed in first..end.min(first.saturating_add(COST_SEEDS)) {
            let trial = |backend, boot: &[String]| {
                let workload = oracle::closed(COST_SCENARIO, COST_EXECS, 0);
                self.spec(line, backend, boot, workload, seed)
            };
            trials.push(trial(&none, &[]));
            if !boot.is_empty() {
                trials.push(trial(&none, boot));
            }
            trials.push(trial(&line.backend.spec, boot));
        }
        trials
    }

    /// A trial of each kind, for what has to be there before the first: kernels, modules, programs.
    pub fn samples(&self) -> Vec<TrialSpec> {
        let (seed, _) = self.asked.seeds;
        let of = |line: &Line| {
            let mut trials = vec![self.trial(line, seed, line.asking.least)];
            trials.extend(self.cost_trials(line));
            trials
        };
        self.lines.iter().flat_map(of).collect()
    }

    fn spec(
        &self,
        line: &Line,
        backend: &BackendSpec,
        boot: &[String],
        workload: Workload,
        seed: u64,
    ) -> TrialSpec {
        let mut boot = boot.to_vec();
        boot.sort();
        boot.dedup();
        TrialSpec {
            id: String::new(),
            kernel: line.kernel.clone(),
            program: line.backend.program.clone().filter(|_| backend.watches()),
            backend: backend.clone(),
            boot,
            workload,
            lab: self.matrix.lab,
            cpus: self.matrix.cpus,
            seed,
        }
        .with_id()
    }
}
