//! Limits of monitors: what a team would give its agent in production.

use std::fmt::Write as _;

use execlab_model::plan::{CPU_QUOTA, MEMORY_LIMIT};

use super::{SelectedBackend, resolve::unknown};

/// The names of limits, each with the setting that it is and the letters by which a variant says so.
const LIMITS: [(&str, &str, &str); 2] =
    [("cpu", CPU_QUOTA, "cpu"), ("memory", MEMORY_LIMIT, "mem")];

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limit {
    setting: &'static str,
    letters: &'static str,
    value: u32,
}

/// Of `cpu=20` (percent of one CPU) or `memory=64` (MiB).
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    let (name, value) = text.split_once('=').ok_or_else(|| {
        format!("`{text}` is no limit: write `cpu=20` (percent of one CPU) or `memory=64` (MiB)")
    })?;
    let known = LIMITS.iter().find(|(known, ..)| *known == name);
    let &(_, setting, letters) =
        known.ok_or_else(|| unknown("limit", name, LIMITS.map(|(name, ..)| name)))?;
    let value = value.parse().ok().filter(|&n| is_value(n));
    let value = value.ok_or_else(|| {
        format!("`{text}` is no limit: write a whole number from 1 to 100000 behind `{name}=`")
    })?;
    Ok(Limit {
        setting,
        letters,
        value,
    })
}

/// Of several, the first one that is of the same kind as one before it.
pub(super) fn twice(limits: &[Limit]) -> Option<String> {
    let again = |at: &usize| {
        limits[..*at]
            .iter()
            .any(|l| l.setting == limits[*at].setting)
    };
    let at = (0..limits.len()).find(again)?;
    let name = LIMITS
        .iter()
        .find(|(_, setting, _)| *setting == limits[at].setting)?
        .0;
    Some(format!("the limit `{name}` is given twice"))
}

/// Whether a limit can be so high, in its own unit.
pub(super) fn is_value(number: u32) -> bool {
    (1..=100_000).contains(&number)
}

/// A backend under these limits, whose variant says so; what does not watch has none.
pub(super) fn under(mut backend: SelectedBackend, limits: &[Limit]) -> SelectedBackend {
    if !backend.spec.watches() {
        return backend;
    }
    for limit in limits {
        let (setting, value) = (limit.setting.to_owned(), limit.value.to_string());
        let _ = write!(backend.spec.variant, ".{}{value}", limit.letters);
        backend.spec.settings.insert(setting, value);
    }
    backend
}
