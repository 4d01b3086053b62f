//! Which inputs of a row changed: without one, exact figures cannot.

use std::collections::BTreeSet;

use execlab_model::result::TrialResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    cells::Cell,
    policy::{Across, Policy},
};
use crate::text::{clean, shorten};

/// Something that a trial is made from.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Where time comes from.
    Lab,
    /// The kernel's image.
    Kernel,
    /// QEMU's version.
    Qemu,
    /// QEMU's command line, the number of CPUs.
    Machine,
    /// Execs of a trial.
    Workload,
    /// The initramfs with init, storm and payloads, and what compiled them.
    GuestImage,
    /// Options of the kernel's command line.
    BootOptions,
    /// The program that watches.
    Monitor,
    /// Its settings.
    Settings,
    /// Something else that goes into the digest.
    Other,
    /// Nothing that a guest could know of: the version of execlab that scored the records.
    Execlab,
}

impl Input {
    const ALL: [Self; 11] = [
        Self::Lab,
        Self::Kernel,
        Self::Qemu,
        Self::Machine,
        Self::Workload,
        Self::GuestImage,
        Self::BootOptions,
        Self::Monitor,
        Self::Settings,
        Self::Other,
        Self::Execlab,
    ];

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lab => "lab",
            Self::Kernel => "kernel image",
            Self::Qemu => "QEMU",
            Self::Machine => "machine",
            Self::Workload => "workload",
            Self::GuestImage => "guest image",
            Self::BootOptions => "boot options",
            Self::Monitor => "monitor's program",
            Self::Settings => "settings",
            Self::Other => "part of the digest",
            Self::Execlab => "execlab's version",
        }
    }

    /// What a trial has of it; `None` where it does not tell.
    fn of(self, trial: &TrialResult) -> Option<String> {
        let provenance = &trial.provenance;
        let hash = |text: &str| text.chars().take(12).collect::<String>();
        match self {
            Self::Lab => Some(trial.lab.to_string()),
            Self::Kernel => {
                let known = !trial.kernel.sha256.is_empty();
                let of = || format!("{} ({})", trial.kernel.release, hash(&trial.kernel.sha256));
                known.then(of)
            }
            Self::Qemu => provenance.qemu.clone(),
            Self::Machine => {
                // One that was not started has none.
                let line = provenance.command_line.join(" ");
                (!line.is_empty()).then(|| format!("{} CPU {line}", trial.cpus))
            }
            Self::Workload => Some(format!("{} execs", trial.workload.execs)),
            Self::GuestImage => {
                let initramfs = provenance.initramfs.as_deref()?;
                let toolchain = provenance.toolchain.as_deref().unwrap_or_default();
                Some(format!("{} {toolchain}", hash(initramfs)))
            }
            Self::BootOptions => Some(trial.boot.join(" ")),
            Self::Monitor => {
                let program = hash(provenance.monitor.as_deref()?);
                let command = provenance.monitor_command.iter().flatten();
                let words = [program].into_iter().chain(command.cloned());
                Some(words.collect::<Vec<_>>().join(" "))
            }
            Self::Settings => {
                let settings = trial.backend.settings.iter();
                let each = settings.map(|(name, value)| format!("{name}={value}"));
                Some(each.collect::<Vec<_>>().join(" "))
            }
            Self::Other => None,
            Self::Execlab => Some(provenance.execlab.clone()).filter(|v| !v.is_empty()),
        }
    }

    /// Whether figures across a change of it are judged.
    fn across(self, policy: &Policy) -> Across {
        match self {
            Self::Lab => Across::Refuse,
            Self::Kernel => policy.inputs.kernel,
            Self::Qemu => policy.inputs.qemu,
            Self::Machine => policy.inputs.machine,
            Self::Workload => policy.inputs.workload,
            Self::GuestImage
            | Self::BootOptions
            | Self::Monitor
            | Self::Settings
            | Self::Other
            | Self::Execlab => Across::Compare,
        }
    }
}

/// An input that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Which one.
    pub input: Input,
    /// What the base has.
    pub base: String,
    /// What the new run has.
    pub new: String,
    /// Whether the policy refuses to judge figures across it.
    pub refused: bool,
}

/// What changed from one row to the other, the most basic first.
pub(super) fn changes(base: &Cell<'_>, new: &Cell<'_>, policy: &Policy) -> Vec<Change> {
    let mut found: Vec<Change> = Input::ALL
        .into_iter()
        .filter_map(|input| {
            let (one, other) = (said(base, input), said(new, input));
            // What one side does not tell of is no change.
            if one.is_empty() || other.is_empty() || one == other {
                return None;
            }
            Some(change(input, &one, &other, policy))
        })
        .collect();
    let told = found.iter().any(|c| c.input != Input::Execlab);
    if !told && base.any().lab.is_exact() && !share_digests(base, new) {
        let other = change(Input::Other, &BTreeSet::new(), &BTreeSet::new(), policy);
        found.insert(0, other);
    }
    found
}

fn said(cell: &Cell<'_>, input: Input) -> BTreeSet<String> {
    cell.trials.iter().filter_map(|t| input.of(t)).collect()
}

fn change(
    input: Input,
    base: &BTreeSet<String>,
    new: &BTreeSet<String>,
    policy: &Policy,
) -> Change {
    const LONGEST: usize = 120;
    let words = |said: &BTreeSet<String>, other: &BTreeSet<String>| {
        let said: Vec<String> = said.iter().map(|text| own(input, text, other)).collect();
        shorten(&clean(&said.join("; ")), LONGEST)
    };
    Change {
        input,
        base: words(base, new),
        new: words(new, base),
        refused: input.across(policy) == Across::Refuse,
    }
}

/// Of a long command line, what the other side does not have.
fn own(input: Input, text: &str, other: &BTreeSet<String>) -> String {
    if input != Input::Machine {
        return text.to_owned();
    }
    let there = |word: &&str| !other.iter().any(|line| line.split(' ').any(|w| w == *word));
    text.split(' ').filter(there).collect::<Vec<_>>().join(" ")
}

/// Whether each seed that both have was made from the same inputs; of seeds that differ nothing is known.
fn share_digests(base: &Cell<'_>, new: &Cell<'_>) -> bool {
    base.trials.iter().all(|one| {
        let other = new.trials.iter().find(|t| t.seed == one.seed);
        other.is_none_or(|other| one.digest == other.digest)
    })
}
