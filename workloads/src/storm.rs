//! The storm: a process that takes orders, makes execs and keeps truth.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::unix::fs::FileExt,
};

use execlab_model::{
    truth::Truth,
    workload::{Spawn, Workload},
};
use nix::sys::wait::waitpid;

use crate::{
    evidence,
    population::Population,
    protocol::{Answer, Order, Report, receive, send},
    scenario::{self, Ground, Prepared, SetupError},
    spawn::{Bare, Launcher},
};

mod clutter;
mod ledger;
mod load;
mod perturb;
mod progress;

pub use ledger::{Entry, Ledger, TruthError};
pub use perturb::Perturbation;

use progress::Progress;

/// Evidence has room for this many canaries beside the execs.
const CANARIES: usize = 64;

/// A storm that is ready to go.
#[derive(Debug)]
struct Storm {
    workload: Workload,
    perturbation: Perturbation,
    prepared: Prepared,
    population: Population,
    launcher: Launcher,
    evidence: File,
    ledger: Ledger,
    progress: Progress,
}

/// Takes orders until [`Order::Report`] or the end of `orders`.
pub fn serve(ground: &Ground, orders: &mut impl Read, answers: &mut impl Write) -> io::Result<()> {
    let mut storm = None;
    loop {
        let order = match receive(orders) {
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            order => order?,
        };
        let last = order == Order::Report;
        let answer = match (order, &mut storm) {
            (Order::Prepare { workload, seed }, None) => Storm::prepare(ground, workload, seed)
                .map(|ready| {
                    storm = Some(ready);
                    Answer::Done
                }),
            (Order::Prepare { .. }, Some(_)) => Err("the storm is prepared already".into()),
            (_, None) => Err("the storm is not prepared yet".into()),
            (Order::Canary { id, lifetime_ns }, Some(storm)) => storm.canary(id, lifetime_ns),
            (Order::Align, Some(storm)) => {
                storm.perturbation.wait_for_phase();
                Ok(Answer::Done)
            }
            (Order::Storm, Some(storm)) => storm.run().map(|()| Answer::Done),
            (Order::Bare(execs), Some(storm)) => storm.bare(execs).map(|()| Answer::Done),
            (Order::Report, Some(storm)) => storm
                .report()
                .map(|report| Answer::Report(Box::new(report))),
        };
        send(answers, &answer.unwrap_or_else(Answer::Failed))?;
        if last {
            return Ok(());
        }
    }
}

impl Storm {
    fn prepare(ground: &Ground, workload: Workload, seed: u64) -> Result<Self, String> {
        let scenario = scenario::find(&workload.scenario)
            .ok_or_else(|| format!("no scenario is called `{}`", workload.scenario))?;
        let perturbation = Perturbation::new(seed);
        let execs = workload.execs as usize;
        let build = || -> Result<_, SetupError> {
            clutter::strew(ground, &perturbation)?;
            let population = Population::start(workload.population)
                .map_err(SetupError::at("start the sleeping population"))?;
            let evidence = evidence::create_log(execs + CANARIES)
                .and_then(evidence::let_inherit)
                .map_err(SetupError::at("make the evidence log"))?;
            let progress =
                Progress::new(workload.execs).map_err(SetupError::at("read the meter"))?;
            Ok((population, evidence, scenario.prepare(ground)?, progress))
        };
        let (population, evidence, prepared, progress) = build().map_err(|e| e.to_string())?;
        Ok(Self {
            launcher: Launcher::new(perturbation.payload_padding),
            ledger: Ledger::with_capacity(execs),
            workload,
            perturbation,
            prepared,
            population,
            evidence,
            progress,
        })
    }

    fn canary(&mut self, id: u32, lifetime_ns: u64) -> Result<Answer, String> {
        let way = &self.prepared.ways[0];
        let pid = self
            .launcher
            .spawn(Spawn::Vfork, way, id, lifetime_ns)
            .map_err(|e| format!("cannot start a canary: {e}"))?;
        waitpid(pid, None).map_err(|e| format!("cannot reap a canary: {e}"))?;
        Ok(Answer::Canary(pid.as_raw().unsigned_abs()))
    }

    fn run(&mut self) -> Result<(), String> {
        let mut driver = load::Driver {
            workload: &self.workload,
            perturbation: &mut self.perturbation,
            ways: &self.prepared.ways,
            launcher: &mut self.launcher,
            ledger: &mut self.ledger,
            progress: &mut self.progress,
        };
        driver
            .run()
            .map_err(|e| format!("the storm broke off: {e}"))
    }

    fn bare(&mut self, execs: u32) -> Result<(), String> {
        let mut bare = Bare::new(&mut self.launcher, &self.prepared.ways);
        for n in 0..execs as usize {
            bare.spawn(n)
                .and_then(|pid| waitpid(pid, None))
                .map_err(|e| format!("the bare loop broke off: {e}"))?;
        }
        Ok(())
    }

    fn report(&mut self) -> Result<Report, String> {
        Ok(Report {
            truth: self.truth()?,
            progress: self.progress.checkpoints(),
        })
    }

    fn truth(&mut self) -> Result<Truth, String> {
        let length = self.evidence.metadata().map_err(|e| e.to_string())?.len();
        let mut bytes = vec![0; usize::try_from(length).map_err(|e| e.to_string())?];
        self.evidence
            .read_exact_at(&mut bytes, 0)
            .map_err(|e| format!("cannot read the evidence log: {e}"))?;
        let evidence = evidence::parse_log(&bytes).map_err(|e| e.to_string())?;
        let mut truth = self
            .ledger
            .join(
                &evidence,
                self.prepared
                    .ways
                    .iter()
                    .map(|way| way.site.clone())
                    .collect(),
            )
            .map_err(|e| e.to_string())?;
        truth.storm_pids = [std::process::id()]
            .into_iter()
            .chain(self.prepared.helpers.iter().copied())
            .chain(self.population.pids())
            .collect();
        Ok(truth)
    }
}
