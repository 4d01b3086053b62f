//! Single values of a matrix, from text.

use execlab_model::{result::Lab, workload::Spawn};

use super::resolve::unknown;

/// More trials than this are a slip of the pen (each takes seconds).
const MOST_TRIALS: u64 = 1_000_000;
/// More execs than this in one trial do not fit into the channel of a guest.
const MOST_EXECS: u32 = 4_000_000;
/// More virtual CPUs than this are a slip of the pen.
const MOST_CPUS: u32 = 64;
/// A guest has 32,768 process ids (`pid_max` of a machine with one CPU), and the storm needs some.
const MOST_SLEEPERS: u32 = 30_000;

pub(super) fn population(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| (0..=MOST_SLEEPERS).contains(n))
        .ok_or_else(|| {
            format!("`{text}` is not a number of processes: write a whole number from 0 to {MOST_SLEEPERS}")
        })
}

pub(super) fn execs(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|n| (1..=MOST_EXECS).contains(n))
        .ok_or_else(|| {
            format!("`{text}` is no number of execs: write a whole number from 1 to {MOST_EXECS}")
        })
}

pub(super) fn spawn(text: &str) -> Result<Spawn, String> {
    let all = [Spawn::Vfork, Spawn::Fork];
    let names = all.map(|s| s.to_string());
    all.into_iter()
        .find(|s| s.to_string() == text)
        .ok_or_else(|| unknown("spawn", text, names.iter().map(String::as_str)))
}

pub(super) fn lab(text: &str) -> Result<Lab, String> {
    text.parse()
        .map_err(|_| unknown("lab", text, Lab::ALL.map(Lab::as_str)))
}

/// What is right is one; what is wrong is told with what was seen when it was tried.
pub(super) fn baselines(text: &str, lab: Lab) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" if lab.is_exact() => Ok(false),
        "false" => Err(format!(
            "without baselines the lab {lab} has nothing to tell a cost from noise by: write `true`"
        )),
        other => Err(format!("`{other}` is neither `true` nor `false`")),
    }
}

pub(super) fn cpus(text: &str, lab: Lab) -> Result<u32, String> {
    let number = text
        .parse::<u32>()
        .ok()
        .filter(|n| (1..=MOST_CPUS).contains(n));
    match (lab, number) {
        (Lab::Exact, Some(1)) => Ok(1),
        (Lab::Kvm, Some(n)) => Ok(n),
        (Lab::Host, Some(n)) if n == host_cpus() => Ok(n),
        (Lab::Host, Some(_)) => Err(format!(
            "the lab host has the CPUs that there are, {}; to have fewer, start execlab under `taskset`",
            host_cpus()
        )),
        (Lab::Exact, Some(_)) => Err(format!(
            "the lab exact has one virtual CPU, not {text}: with two, kernels 5.10 and 6.1 hang while the \
             second one starts, and from 6.12 on each CPU stands still for 12 to 104 ms at a time while \
             the other runs; that repeats exactly, but what is lost then is an artefact. Races between \
             CPUs are for the labs `kvm` and `host`"
        )),
        (_, None) => Err(format!(
            "`{text}` is no number of CPUs: write a whole number from 1 to {MOST_CPUS} (the lab exact has 1)"
        )),
    }
}

/// As many as this process may use.
pub(super) fn host_cpus() -> u32 {
    let found = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from(found).unwrap_or(MOST_CPUS)
}

/// First seed and the one after the last, of `N` (which is `0..N`) or `A..B`; else what is wrong with it.
pub fn seeds(text: &str) -> Result<(u64, u64), String> {
    let range = match text.split_once("..") {
        None => text.parse().ok().map(|n| (0, n)),
        Some((a, b)) => a.parse().ok().zip(b.parse().ok()),
    };
    let (from, to) = range.filter(|(a, b)| a <= b).ok_or_else(|| {
        format!("`{text}` is no range of seeds: write `N` (that many) or `A..B` (from A up to, without, B)")
    })?;
    if to - from > MOST_TRIALS {
        return Err(format!("`{text}` are more than {MOST_TRIALS} seeds"));
    }
    Ok((from, to))
}
