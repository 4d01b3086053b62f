//! Waiting until the kernel has calmed down, before anything of a trial is known.
//!
//! After a boot the kernel is busy with itself for a while: crypto self-tests and other deferred
//! work, caches that are empty, page tables and slabs that grow. An exec then reads up to five times
//! what it costs later. Time alone cures the first (a guest's sleep is free outside), execs cure the
//! rest; so both pass here in rounds until the rounds agree. What is left running when they do is
//! seen in the same way by every trial that starts from here.

use std::{fs, io, path::Path};

use execlab_model::{
    plan::CanaryKind,
    record::WindowCost,
    workload::{Load, Spawn, Workload},
};
use execlab_workloads::clock::{monotonic_ns, sleep_until_ns};

use crate::{Programs, TrialError, cgroups::Cgroups, costs::Meters, storm::StormProcess};

const SECOND_NS: u64 = 1_000_000_000;
/// Nothing is looked at before: crypto self-tests and module loading take the first seconds.
const FIRST_NS: u64 = 20 * SECOND_NS;
/// From the start of a round to the start of the next; most of it is sleep.
const ROUND_NS: u64 = 5 * SECOND_NS;
/// After so many rounds the kernel is taken as it is, and that is told.
const MOST_ROUNDS: usize = 24;
/// So many rounds in a row have to agree.
const IN_AGREEMENT: usize = 3;
/// Rounds agree whose costs per exec lie within this share of the lowest: 0.2%, which is 300 of
/// 150,000 instructions. One timer tick more in a round of 200 execs is a tenth of it.
const SHARE: f64 = 0.002;
/// Rounds agree whose idle seconds lie this close together, in instructions. A quiet kernel uses
/// 20,000 to 60,000 a second.
const IDLE_SPREAD: u64 = 100_000;
/// Execs of a round.
const EXECS: u32 = 200;

/// Work of the kernel's own accord that goes on for ever, swings, and is no part of what any monitor
/// or workload does; with the file that turns it off and what has to be written there.
///
/// DAMON's statistics (from 6.17 on, on by default) sample memory accesses: 0 to 16 million
/// instructions a second, more after each exec storm, still a million a minute later.
const SELF_WILLED: &[(&str, &str)] = &[("/sys/module/damon_stat/parameters/enabled", "N")];

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// What the last rounds cost, where they never agreed.
    pub unrest: Option<String>,
}

/// What one round showed.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Round {
    /// Busy time per exec of a storm, in nanoseconds.
    per_exec: f64,
    /// Busy time in a second in which nothing happens, in nanoseconds.
    idle: u64,
}

impl Round {
    fn told(&self) -> String {
        let Self { per_exec, idle } = self;
        format!("{per_exec:.0} per exec, {idle} in an idle second")
    }
}

/// Waits. Every process that it starts has ended when it returns, and the storm's ground is as empty
/// as before.
pub fn settle(programs: &Programs, cgroups: &Cgroups) -> Result<Settled, TrialError> {
    calm()?;
    let mut rounds = Vec::with_capacity(MOST_ROUNDS);
    let mut start_ns = FIRST_NS.max(monotonic_ns());
    while rounds.len() < MOST_ROUNDS && !agree(&rounds) {
        sleep_until_ns(start_ns);
        let round = round(programs, cgroups)?;
        println!("settling: {}", round.told());
        rounds.push(round);
        start_ns += ROUND_NS;
    }
    empty_ground(programs)?;
    Ok(Settled {
        unrest: (!agree(&rounds)).then(|| unrest(&rounds)),
    })
}

/// Switches off what never settles.
pub(super) fn calm() -> Result<(), TrialError> {
    for (file, word) in SELF_WILLED {
        if Path::new(file).exists() {
            fs::write(file, word).map_err(TrialError::at(format!("write {word} to {file}")))?;
        }
    }
    Ok(())
}

/// Takes away what storms left.
pub(super) fn empty_ground(programs: &Programs) -> Result<(), TrialError> {
    match fs::remove_dir_all(&programs.ground) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(TrialError::at("empty the storm's ground")(error))
        }
        _ => Ok(()),
    }
}

/// One quiet second and one storm.
fn round(programs: &Programs, cgroups: &Cgroups) -> Result<Round, TrialError> {
    let mut meters = Meters::open(cgroups, &[])?;
    let quiet = meters.read()?;
    sleep_until_ns(monotonic_ns() + SECOND_NS);
    let idle = meters.read()?.since(quiet);
    let busy_ns = storm(programs, cgroups, &mut meters)?;
    Ok(Round {
        per_exec: busy_ns as f64 / f64::from(EXECS),
        idle: idle.busy_ns,
    })
}

/// One storm; how long CPUs were busy with it, in nanoseconds.
pub(super) fn storm(
    programs: &Programs,
    cgroups: &Cgroups,
    meters: &mut Meters<'_>,
) -> Result<u64, TrialError> {
    let mut storm = StormProcess::start(programs, cgroups, 0, None)?;
    storm.prepare(&workload(), 0, CanaryKind::Payload)?;
    storm.align()?;
    let before = meters.read()?;
    storm.run()?;
    let WindowCost { busy_ns, .. } = meters.read()?.since(before);
    storm.report()?;
    Ok(busy_ns)
}

fn workload() -> Workload {
    Workload {
        scenario: "absolute".into(),
        load: Load::Closed,
        execs: EXECS,
        lifetime_ns: 0,
        spawn: Spawn::Vfork,
        population: 0,
    }
}

/// Whether the last rounds are the same for all that matters.
fn agree(rounds: &[Round]) -> bool {
    let Some(last) = rounds.last_chunk::<IN_AGREEMENT>() else {
        return false;
    };
    let costs = last.map(|round| round.per_exec);
    let lowest = costs.into_iter().fold(f64::INFINITY, f64::min);
    let highest = costs.into_iter().fold(0.0, f64::max);
    let idle = last.map(|round| round.idle);
    let swing = idle.iter().max().zip(idle.iter().min());
    highest - lowest <= SHARE * lowest
        && swing.is_some_and(|(highest, lowest)| highest - lowest <= IDLE_SPREAD)
}

fn unrest(rounds: &[Round]) -> String {
    let last = &rounds[rounds.len().saturating_sub(IN_AGREEMENT)..];
    let told: Vec<_> = last.iter().map(Round::told).collect();
    format!(
        "the kernel did not settle before the trial: after {} rounds of {EXECS} execs, the last cost {}",
        rounds.len(),
        told.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(costs: &[(f64, u64)]) -> Vec<Round> {
        let round = |&(per_exec, idle)| Round { per_exec, idle };
        costs.iter().map(round).collect()
    }

    #[test]
    fn three_rounds_in_a_row_have_to_agree() {
        let calm = (100_000.0, 40_000);
        assert!(agree(&rounds(&[(300_000.0, 900_000), calm, calm, calm])));
        assert!(!agree(&rounds(&[calm, calm])));
        assert!(!agree(&rounds(&[calm, calm, calm, (100_201.0, 40_000)])));
        assert!(agree(&rounds(&[calm, calm, (100_200.0, 40_000)])));
    }

    #[test]
    fn an_idle_second_that_swings_is_no_agreement() {
        let calm = (100_000.0, 40_000);
        assert!(agree(&rounds(&[calm, calm, (100_000.0, 140_000)])));
        assert!(!agree(&rounds(&[calm, calm, (100_000.0, 140_001)])));
    }

    #[test]
    fn unrest_is_told_with_its_numbers() {
        let told = unrest(&rounds(&[(9.0, 9), (100_000.4, 1), (2.0, 3), (4.0, 5)]));
        for part in [
            "4 rounds",
            "100000 per exec, 1 in an idle",
            "2 per",
            "4 per",
        ] {
            assert!(told.contains(part), "{told}");
        }
        assert!(!told.contains("9 per exec"), "{told}");
    }
}
