//! The storm: a process that takes orders, makes execs and keeps truth.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use execlab_model::{Bytes, plan::CanaryKind, truth::Truth, workload::Workload};
use nix::sys::wait::waitpid;

use crate::{
    evidence,
    population::Population,
    protocol::{Answer, Order, Report, receive, send},
    scenario::{self, Ground, Place, Prepared, SetupError, Way},
    spawn::{Launcher, Maker},
};

mod clutter;
mod ledger;
mod load;
mod perturb;
mod progress;
mod witnessed;

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
    /// What canaries are, and the path of what they execute.
    canary: (CanaryKind, Bytes),
    /// Whether there is a bare loop.
    bare: bool,
    evidence: File,
    /// Of images that inherit nothing.
    appended: File,
    own_pid_ns: u32,
    /// Processes that were there before a storm of programs that are not ours.
    strangers: HashSet<u32>,
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
            (
                Order::Prepare {
                    workload,
                    seed,
                    canary,
                },
                None,
            ) => match Storm::prepare(ground, workload, seed, canary) {
                Ok(ready) => {
                    let bare = ready.bare;
                    storm = Some(ready);
                    Ok(Answer::Prepared { bare })
                }
                Err(SetupError::Unsupported(why)) => Ok(Answer::Unsupported(why)),
                Err(error) => Err(error.to_string()),
            },
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
    fn prepare(
        ground: &Ground,
        workload: Workload,
        seed: u64,
        kind: CanaryKind,
    ) -> Result<Self, SetupError> {
        let scenario = scenario::find(&workload.scenario).ok_or_else(|| {
            let none: io::Error = io::ErrorKind::NotFound.into();
            SetupError::at(format!("find a scenario called `{}`", workload.scenario))(none)
        })?;
        let place =
            evidence::Reserved::take().map_err(SetupError::at("make room for the evidence log"))?;
        let perturbation = Perturbation::new(seed);
        clutter::strew(ground, &perturbation)?;
        let population = Population::start(workload.population)
            .map_err(SetupError::at("start the sleeping population"))?;
        let own_pid_ns = Place::here(ground)?.namespaces.pid;
        let log = ground.log();
        let appended = evidence::create_appended(&log)
            .map_err(SetupError::at(format!("make {}", log.display())))?;
        // Before the scenario: after it the storm may be somewhere else.
        let canary = canary(ground, kind)?;
        let mut prepared = scenario.prepare(ground, &workload)?;
        let execs = planned_execs(&workload, &prepared.ways);
        let evidence = place
            .log(execs + CANARIES)
            .map_err(SetupError::at("make the evidence log"))?;
        let progress = Progress::new(workload.execs).map_err(SetupError::at("read the meter"))?;
        let mut launcher = Launcher::new(perturbation.payload_padding)
            .map_err(SetupError::at("lay out the children's memory"))?;
        let canary = prepared.canary.take().unwrap_or(canary);
        let canary_site = canary.sites.first();
        let canary_path = canary_site.map_or_else(Bytes::default, |s| s.frames.exact.clone());
        for way in prepared.ways.iter().chain([&canary]) {
            launcher
                .load(way, workload.spawn)
                .map_err(SetupError::at("lay out a way"))?;
        }
        let bare: Option<Vec<_>> = prepared.ways.iter().map(|w| w.bare.as_deref()).collect();
        launcher
            .load_bare(bare.iter().flatten().copied())
            .map_err(SetupError::at("lay out the bare loop"))?;
        Ok(Self {
            launcher,
            canary: (kind, canary_path),
            ledger: Ledger::with_capacity(workload.execs as usize),
            bare: bare.is_some(),
            workload,
            perturbation,
            prepared,
            population,
            evidence,
            appended,
            own_pid_ns,
            strangers: HashSet::new(),
            progress,
        })
    }

    fn canary(&mut self, id: u32, lifetime_ns: u64) -> Result<Answer, String> {
        let (kind, path) = &self.canary;
        let fresh = (*kind == CanaryKind::Fresh)
            .then(|| Fresh::put(Path::new(OsStr::from_bytes(path.as_slice())), id))
            .transpose()
            .map_err(|e| format!("cannot make a new canary at {path}: {e}"))?;
        // It is loaded behind all ways.
        let pid = self
            .launcher
            .spawn(self.prepared.ways.len(), id, lifetime_ns)
            .map_err(|e| format!("cannot start a canary: {e}"))?;
        waitpid(pid, None).map_err(|e| format!("cannot reap a canary: {e}"))?;
        if let Some(fresh) = fresh {
            fresh
                .put_back()
                .map_err(|e| format!("cannot put back what was at {path}: {e}"))?;
        }
        Ok(Answer::Canary(pid.as_raw().unsigned_abs(), path.clone()))
    }

    fn run(&mut self) -> Result<(), String> {
        if self.prepared.witness.is_some() {
            self.strangers = processes().map_err(|e| format!("cannot list processes: {e}"))?;
        }
        let ways = self.prepared.ways.iter();
        let ways: Vec<_> = ways.map(|way| (ids_of(way), way.lifetime_ns)).collect();
        let mut driver = load::Driver {
            workload: &self.workload,
            perturbation: &mut self.perturbation,
            ways: &ways,
            launcher: &mut self.launcher,
            ledger: &mut self.ledger,
            progress: &mut self.progress,
            next_id: 0,
        };
        driver
            .run()
            .map_err(|e| format!("the storm broke off: {e}"))
    }

    fn bare(&mut self, execs: u32) -> Result<(), String> {
        if !self.bare {
            return Err("there is no bare loop of this scenario".into());
        }
        for n in 0..execs as usize {
            self.launcher
                .spawn_bare(n)
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
        let mut evidence = Vec::new();
        for log in [&self.evidence, &self.appended] {
            let bytes = evidence::read_whole(log)
                .map_err(|e| format!("cannot read the evidence log: {e}"))?;
            evidence.extend(evidence::parse_log(&bytes).map_err(|e| e.to_string())?);
        }
        for testimony in &self.prepared.testimonies {
            let told = testimony.evidence();
            evidence.extend(told.map_err(|e| format!("cannot hear {testimony:?}: {e}"))?);
        }
        let mut truth = self
            .ledger
            .join(&evidence, &self.prepared.ways, self.own_pid_ns)
            .map_err(|e| e.to_string())?;
        if let Some(witness) = &self.prepared.witness {
            let images = witness.log.read().map_err(|e| e.to_string())?;
            let children = self
                .ledger
                .children_of(&self.prepared.ways, |way| way.witnessed.is_some());
            let (place, executed) = (&witness.place, witnessed::executed);
            let strangers = &self.strangers;
            witnessed::join(&images, &children, strangers, place, executed, &mut truth)
                .map_err(|e| e.to_string())?;
        }
        truth.storm_pids.extend(
            [std::process::id()]
                .into_iter()
                .chain(self.prepared.helpers.iter().copied())
                .chain(self.population.pids()),
        );
        Ok(truth)
    }
}

/// All processes but the first, which inherits everybody's orphans, and this one.
fn processes() -> io::Result<HashSet<u32>> {
    let mut all = HashSet::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        all.extend(name.to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    all.retain(|&pid| pid != 1 && pid != std::process::id());
    Ok(all)
}

/// How many ids a child has: at least one, so that attempts have one too.
fn ids_of(way: &Way) -> u32 {
    u32::try_from(way.sites.len().max(1)).expect("a way makes a few execs")
}

/// How many execs the children will make.
fn planned_execs(workload: &Workload, ways: &[Way]) -> usize {
    let children = workload.execs as usize;
    let (rounds, rest) = (children / ways.len(), children % ways.len());
    let execs = |ways: &[Way]| ways.iter().map(|way| way.sites.len()).sum::<usize>();
    rounds * execs(ways) + execs(&ways[..rest])
}

/// One plain exec of a file of its own, by which it can be told whether a monitor sees at all.
fn canary(ground: &Ground, kind: CanaryKind) -> Result<Way, SetupError> {
    let file = ground.dir.join("canary/canary");
    match kind {
        CanaryKind::Payload | CanaryKind::Fresh => scenario::install(&ground.payload, &file)?,
        CanaryKind::Dynamic => scenario::programs::install_dynamic(ground, &file)?,
    }
    let site = Place::here(ground)?.site(scenario::bytes(&file), "/", &file)?;
    Ok(Way::plain(site).made_by(Maker::Vfork))
}

/// Another file in the place of one, with content that no file had before: some bytes behind the program, which nobody
/// loads. What was there may be what the storm executes, so it comes back.
struct Fresh<'f> {
    file: &'f Path,
    kept: PathBuf,
}

impl<'f> Fresh<'f> {
    fn put(file: &'f Path, id: u32) -> io::Result<Self> {
        let kept = file.with_extension("kept");
        fs::rename(file, &kept)?;
        let fresh = Self { file, kept };
        fs::copy(&fresh.kept, file)?;
        let mut appended = fs::OpenOptions::new().append(true).open(file)?;
        // The file is closed at the end: one that is open for writing cannot be executed.
        appended.write_all(&id.to_le_bytes())?;
        Ok(fresh)
    }

    fn put_back(mut self) -> io::Result<()> {
        let kept = std::mem::take(&mut self.kept);
        fs::rename(kept, self.file)
    }
}

impl Drop for Fresh<'_> {
    /// Where something went wrong in between.
    fn drop(&mut self) {
        if !self.kept.as_os_str().is_empty() {
            let _ = fs::rename(&self.kept, self.file);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_fresh_canary_differs_each_time_and_leaves_the_file_that_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("worker");
        fs::write(&file, "program").unwrap();
        let inode = fs::metadata(&file).unwrap().ino();
        let mut contents = HashSet::from([b"program".to_vec()]);
        for id in [7, 8] {
            let fresh = Fresh::put(&file, id).unwrap();
            assert!(contents.insert(fs::read(&file).unwrap()));
            // Also where nobody comes to do it.
            match id {
                7 => fresh.put_back().unwrap(),
                _ => drop(fresh),
            }
            assert_eq!(fs::read(&file).unwrap(), b"program");
            assert_eq!(fs::metadata(&file).unwrap().ino(), inode);
        }
    }
}
