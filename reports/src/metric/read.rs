//! How each metric is read from a trial.

use execlab_model::result::{Cost, FieldCounts, PathCounts, TrialResult};

use super::Reading::{self, Number, Word};

type Read = Option<Reading>;

#[allow(
    clippy::unnecessary_wraps,
    reason = "it ends the functions below, which are not always there"
)]
fn count(value: u64) -> Read {
    Some(Number(value as f64))
}

/// Right ones of all that were seen. Not offered is never scored as wrong: where no sighting has the
/// field at all, that is said instead of 0.
fn field(counts: Option<&FieldCounts>) -> Read {
    let counts = counts?;
    part(counts.right, counts.wrong, counts.absent)
}

fn part(right: u64, wrong: u64, absent: u64) -> Read {
    match (right + wrong, absent) {
        (0, 0) => None,
        (0, _) => Some(Word("not offered")),
        (offered, absent) => Some(Number(right as f64 / (offered + absent) as f64)),
    }
}

pub(super) fn completeness(t: &TrialResult) -> Read {
    t.completeness_share().map(Number)
}

pub(super) fn path_accuracy(t: &TrialResult) -> Read {
    t.path_share().map(Number)
}

pub(super) fn lost(t: &TrialResult) -> Read {
    count(t.loss.as_ref()?.actual)
}

pub(super) fn self_reported(t: &TrialResult) -> Read {
    match t.loss.as_ref()?.self_reported {
        Some(number) => count(number),
        None => Some(Word("no number")),
    }
}

pub(super) fn honesty(t: &TrialResult) -> Read {
    Some(Word(t.loss.as_ref()?.honesty.as_str()))
}

pub(super) fn container(t: &TrialResult) -> Read {
    field(t.container.as_ref())
}

pub(super) fn given(t: &TrialResult) -> Read {
    field(t.given.as_ref())
}

pub(super) fn parent(t: &TrialResult) -> Read {
    field(t.parent.as_ref())
}

pub(super) fn credentials(t: &TrialResult) -> Read {
    field(t.credentials.as_ref())
}

pub(super) fn argv(t: &TrialResult) -> Read {
    let argv = t.argv.as_ref()?;
    part(
        argv.exact,
        argv.truncated + argv.joined + argv.wrong,
        argv.absent,
    )
}

pub(super) fn pid(t: &TrialResult) -> Read {
    let pid = t.pid.as_ref()?;
    part(pid.host, pid.in_namespace + pid.wrong, pid.absent)
}

fn cost(t: &TrialResult, read: fn(&Cost) -> Option<f64>) -> Read {
    t.cost.as_ref().and_then(read).map(Number)
}

pub(super) fn added_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| c.added_per_exec)
}

pub(super) fn added_percent(t: &TrialResult) -> Read {
    cost(t, |c| c.added_percent)
}

pub(super) fn monitor_share(t: &TrialResult) -> Read {
    cost(t, |c| {
        // A share of nothing, or of a gain, means nothing.
        let added = c.added_per_exec.filter(|&added| added > 0.0)?;
        Some(100.0 * c.monitor_per_exec / added)
    })
}

pub(super) fn idle_added(t: &TrialResult) -> Read {
    cost(t, |c| c.idle_added_per_second)
}

pub(super) fn per_exec(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.per_exec))
}

pub(super) fn baseline_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| c.baseline_per_exec)
}

pub(super) fn inline_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| c.inline_per_exec)
}

pub(super) fn monitor_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.monitor_per_exec))
}

pub(super) fn rest_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| c.rest_per_exec)
}

pub(super) fn monitor_kernel_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.monitor_kernel_per_exec))
}

pub(super) fn slope_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.slope.as_ref()?.per_exec))
}

pub(super) fn slope_added_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| c.slope.as_ref()?.added_per_exec)
}

pub(super) fn slope_spread(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.slope.as_ref()?.spread_percent))
}

pub(super) fn settled_after(t: &TrialResult) -> Read {
    let slope = t.cost.as_ref()?.slope.as_ref()?;
    Some(match slope.settled_after {
        Some(execs) => Number(execs.into()),
        None => Word("never"),
    })
}

pub(super) fn stall_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.stall_per_exec))
}

pub(super) fn switches_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| Some(c.switches_per_exec))
}

pub(super) fn boot_option_per_exec(t: &TrialResult) -> Read {
    cost(t, |c| c.boot_option_per_exec)
}

pub(super) fn achieved_rate(t: &TrialResult) -> Read {
    t.achieved_rate.map(Number)
}

pub(super) fn worst_lateness(t: &TrialResult) -> Read {
    count(t.worst_lateness_ns?)
}

pub(super) fn late(t: &TrialResult) -> Read {
    // Without a record nothing was late, because nothing was looked at.
    t.truth?;
    count(t.late)
}

pub(super) fn duplicates(t: &TrialResult) -> Read {
    count(t.completeness.as_ref()?.duplicates)
}

pub(super) fn phantoms(t: &TrialResult) -> Read {
    count(t.completeness.as_ref()?.phantoms)
}

pub(super) fn foreign(t: &TrialResult) -> Read {
    count(t.completeness.as_ref()?.foreign)
}

pub(super) fn out_of_order(t: &TrialResult) -> Read {
    count(t.out_of_order?)
}

pub(super) fn execs(t: &TrialResult) -> Read {
    count(t.truth?.execs)
}

pub(super) fn seen(t: &TrialResult) -> Read {
    count(t.completeness.as_ref()?.seen)
}

pub(super) fn attempts(t: &TrialResult) -> Read {
    count(t.truth?.attempts)
}

pub(super) fn latency_p50(t: &TrialResult) -> Read {
    count(t.latency.as_ref()?.p50)
}

pub(super) fn latency_p99(t: &TrialResult) -> Read {
    count(t.latency.as_ref()?.p99)
}

pub(super) fn latency_max(t: &TrialResult) -> Read {
    count(t.latency.as_ref()?.max)
}

pub(super) fn memory(t: &TrialResult) -> Read {
    count(t.memory?.monitor_peak_bytes)
}

fn class(t: &TrialResult, read: fn(&PathCounts) -> u64) -> Read {
    count(read(t.path.as_ref()?))
}

/// One function for each path class.
macro_rules! classes {
    ($($name:ident: $field:ident),* $(,)?) => {
        $(pub(super) fn $name(t: &TrialResult) -> Read {
            class(t, |p| p.$field)
        })*
    };
}

classes! {
    path_exact: exact,
    path_host: host,
    path_in_root: in_root,
    path_as_given: as_given,
    path_basename: basename,
    path_interpreter: interpreter,
    path_stale: stale,
    path_truncated: truncated,
    path_wrong: wrong,
    path_absent: absent,
}
