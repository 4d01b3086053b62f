//! The table itself.

use execlab_model::result::TrialResult;

use super::{Heat, Metric, Place, Polarity, Reading, Unit, read};

/// Shares from the best: all, then by how much is missing.
const MISSING: Heat = Heat {
    level: |share| match share {
        s if s >= 1.0 => 0,
        s if s >= 0.99 => 1,
        s if s >= 0.95 => 2,
        s if s >= 0.75 => 3,
        s if s >= 0.25 => 4,
        _ => 5,
    },
    word: |_| None,
    legend: [
        "all", "from 99%", "from 95%", "from 75%", "from 25%", "below",
    ],
    beside: None,
};

/// Added cost in percent, in steps that grow as the eye judges costs: by factors.
const ADDED: Heat = Heat {
    level: |percent| match percent {
        p if p <= 2.0 => 0,
        p if p <= 5.0 => 1,
        p if p <= 15.0 => 2,
        p if p <= 50.0 => 3,
        p if p <= 150.0 => 4,
        _ => 5,
    },
    word: |_| None,
    legend: [
        "up to +2%",
        "up to +5%",
        "up to +15%",
        "up to +50%",
        "up to +150%",
        "above",
    ],
    beside: Some("added_per_exec"),
};

/// Time to delivery in decades.
const WAITED: Heat = Heat {
    level: |ns| match ns {
        t if t <= 1e4 => 0,
        t if t <= 1e5 => 1,
        t if t <= 1e6 => 2,
        t if t <= 1e7 => 3,
        t if t <= 1e8 => 4,
        _ => 5,
    },
    word: |_| None,
    legend: [
        "up to 10 µs",
        "up to 100 µs",
        "up to 1 ms",
        "up to 10 ms",
        "up to 100 ms",
        "longer",
    ],
    beside: None,
};

/// Whoever is told too much looks again; whoever is told nothing does not.
const TOLD: Heat = Heat {
    level: |_| 0,
    word: |word| match word {
        "knew" => Some(0),
        "knew-too-much" => Some(1),
        "knew-without-a-number" => Some(2),
        "knew-too-little" => Some(4),
        "did-not-know" => Some(5),
        _ => None,
    },
    legend: [
        "knew",
        "knew too much",
        "knew, without a number",
        "",
        "knew too little",
        "did not know",
    ],
    beside: Some("true_loss"),
};

const fn metric(
    id: &'static str,
    title: &'static str,
    short: &'static str,
    unit: Unit,
    read: fn(&TrialResult) -> Option<Reading>,
    help: &'static str,
) -> Metric {
    Metric {
        id,
        title,
        short,
        unit,
        polarity: Polarity::Neutral,
        place: Place::Detail,
        of_baseline: false,
        heat: None,
        help,
        read,
    }
}

impl Metric {
    const fn higher(self) -> Self {
        Self {
            polarity: Polarity::Higher,
            ..self
        }
    }
    const fn lower(self) -> Self {
        Self {
            polarity: Polarity::Lower,
            ..self
        }
    }
    const fn column(self) -> Self {
        Self {
            place: Place::Column,
            ..self
        }
    }
    const fn column_if_any(self) -> Self {
        Self {
            place: Place::ColumnIfAny,
            ..self
        }
    }
    const fn of_baseline(self) -> Self {
        Self {
            of_baseline: true,
            ..self
        }
    }
    const fn heat(self, heat: Heat) -> Self {
        Self {
            heat: Some(heat),
            ..self
        }
    }
}

/// All metrics. True loss, self-reported loss and cost stand so far in front that they share a row
/// even on a terminal of 80 columns.
#[rustfmt::skip]
pub const METRICS: &[Metric] = &[
    metric("completeness", "Completeness", "complete", Unit::Share, read::completeness,
        "Execs that were seen in time, of all execs in truth.").higher().column().heat(MISSING),
    metric("path_accuracy", "Path accuracy", "right\npath", Unit::Share, read::path_accuracy,
        "Execs whose path is in the best class that the scenario allows, of all that were seen.").higher().column().heat(MISSING),
    metric("true_loss", "True loss", "execs\nlost", Unit::Count, read::lost,
        "Execs that were missed, by truth.").lower().column(),
    metric("self_reported_loss", "Self-reported loss", "says\nlost", Unit::Count, read::self_reported,
        "Execs that were lost by the backend's own word.").column(),
    metric("honesty", "Honesty", "knew it", Unit::Word, read::honesty,
        "Whether the backend knew what it lost.").column().heat(TOLD),
    metric("added_per_exec", "Added cost per exec", "added\nper exec", Unit::AddedCostPerExec, read::added_per_exec,
        "What watching adds to the whole system for each exec, against the baseline trial.").lower().column(),
    metric("added_percent", "Added cost", "added\ncost", Unit::AddedPercent, read::added_percent,
        "What watching adds to the whole system for each exec, in percent of the baseline.").lower().column().heat(ADDED),
    metric("boot_option_per_exec", "Boot option's share", "boot\noption", Unit::AddedCostPerExec, read::boot_option_per_exec,
        "The part of the added cost that a boot option of the backend alone costs.").lower().column_if_any(),
    metric("container", "Container", "right\ncontainer", Unit::Share, read::container,
        "Execs reported with the right container (cgroup and mount namespace), of all that were seen.").higher().column().heat(MISSING),
    metric("monitor_share", "Monitor's share of the cost", "monitor's\nshare", Unit::Percent, read::monitor_share,
        "How much of the added cost the monitor's own processes and kernel threads pay; the rest falls on the workload and the kernel.").column(),
    metric("idle_added", "Idle cost", "idle, per\nsecond", Unit::AddedCostPerSecond, read::idle_added,
        "What watching adds in a second in which nothing happens.").lower().column(),
    metric("achieved_rate", "Achieved rate", "execs per\nsecond", Unit::PerSecond, read::achieved_rate,
        "Execs a second that the storm really made, by the guest's clock.").column().of_baseline(),
    metric("late", "Late", "late", Unit::Count, read::late,
        "Execs that were seen only after the drain.").lower().column_if_any(),
    metric("duplicates", "Duplicates", "dupli-\ncates", Unit::Count, read::duplicates,
        "Further sightings of execs that were already seen.").lower().column_if_any(),
    metric("phantoms", "Phantoms", "phantoms", Unit::Count, read::phantoms,
        "Sightings attributed to the storm for which there was no exec.").lower().column_if_any(),
    metric("argv_exact", "Arguments", "right\nargv", Unit::Share, read::argv,
        "Execs with every argument byte for byte, of all that were seen.").higher(),
    metric("pid_host", "Process id", "right\npid", Unit::Share, read::pid,
        "Execs with the process id of the initial namespace, of all that were seen.").higher(),
    metric("given", "String of the call", "right\nstring", Unit::Share, read::given,
        "Execs reported with the string of the call byte for byte, of all that were seen. Beside an interpreter's path it says which script was executed.").higher(),
    metric("parent", "Parent", "right\nparent", Unit::Share, read::parent,
        "Execs reported with the right parent, of all that were seen.").higher(),
    metric("credentials", "Credentials", "right\nuid", Unit::Share, read::credentials,
        "Execs reported with the right real user id, of all that were seen.").higher(),
    metric("execs", "Execs in truth", "execs", Unit::Count, read::execs,
        "Execs for which there is evidence.").of_baseline(),
    metric("seen", "Execs seen", "seen", Unit::Count, read::seen,
        "Execs that were seen in time.").higher(),
    metric("attempts", "Failed attempts", "attempts", Unit::Count, read::attempts,
        "Calls that did not become an exec.").of_baseline(),
    metric("foreign", "Foreign sightings", "foreign", Unit::Count, read::foreign,
        "Sightings of anything else on the machine; never held against anybody."),
    metric("out_of_order", "Out of order", "out of\norder", Unit::Count, read::out_of_order,
        "Sightings delivered after one of a later exec.").lower(),
    metric("per_exec", "Whole cost per exec", "whole,\nper exec", Unit::CostPerExec, read::per_exec,
        "What one exec costs the whole system in this trial.").of_baseline(),
    metric("baseline_per_exec", "Baseline cost per exec", "baseline", Unit::CostPerExec, read::baseline_per_exec,
        "What one exec costs the whole system without any monitor."),
    metric("inline_per_exec", "Inline cost per exec", "inline", Unit::AddedCostPerExec, read::inline_per_exec,
        "What the workload itself pays more than in the baseline.").lower(),
    metric("monitor_per_exec", "Monitor's cost per exec", "monitor", Unit::CostPerExec, read::monitor_per_exec,
        "What the monitor uses: its own processes, and the kernel threads that work for it.").lower(),
    metric("monitor_kernel_per_exec", "Monitor's kernel threads", "its kernel\nthreads", Unit::CostPerExec, read::monitor_kernel_per_exec,
        "The share of the monitor's cost that kernel threads use in its service.").lower(),
    metric("rest_per_exec", "Rest of the added cost", "rest", Unit::AddedCostPerExec, read::rest_per_exec,
        "The difference that neither the workload nor the monitor pays: other kernel threads, softirqs.").lower(),
    metric("slope_per_exec", "Settled cost per exec", "settled", Unit::CostPerExec, read::slope_per_exec,
        "What one more exec costs the whole system once the storm has settled.").of_baseline(),
    metric("slope_added_per_exec", "Settled added cost", "settled,\nadded", Unit::AddedCostPerExec, read::slope_added_per_exec,
        "What watching adds to one more exec once both storms have settled; what a monitor puts off until later is not in it.").lower(),
    metric("slope_spread", "Spread of the settled cost", "spread", Unit::Percent, read::slope_spread,
        "By how much a part of the settled storm differs from the whole of it at most.").of_baseline(),
    metric("settled_after", "Settled after", "settled\nafter", Unit::Count, read::settled_after,
        "Execs before the cost of one more exec had settled.").of_baseline(),
    metric("stall_per_exec", "Stall per exec", "stall", Unit::Nanoseconds, read::stall_per_exec,
        "Time of the storm in which nothing ran at all, for each exec; no part of any cost.").of_baseline(),
    metric("switches_per_exec", "Context switches per exec", "switches", Unit::Count, read::switches_per_exec,
        "How often the CPU was given to another task for each exec: a monitor that is woken changes who runs when, and with that what the workload pays.").of_baseline(),
    metric("latency_p50", "Latency, median", "latency\np50", Unit::Nanoseconds, read::latency_p50,
        "Time from exec to delivery: half of the sightings took no longer.").lower(),
    metric("latency_p99", "Latency, 99th percentile", "latency\np99", Unit::Nanoseconds, read::latency_p99,
        "Time from exec to delivery: 99 of 100 sightings took no longer.").lower().heat(WAITED),
    metric("latency_max", "Latency, longest", "latency\nmax", Unit::Nanoseconds, read::latency_max,
        "Time from exec to delivery, at worst.").lower(),
    metric("memory_peak", "Monitor's memory", "memory", Unit::Bytes, read::memory,
        "Highest resident set of the monitor's processes.").lower(),
    metric("worst_lateness", "Behind schedule", "behind", Unit::Nanoseconds, read::worst_lateness,
        "By how much an open-loop storm fell behind its schedule at worst.").of_baseline(),
    metric("path_exact", "Path: exact", "exact", Unit::Count, read::path_exact,
        "Seen execs with the canonical path in their own mount namespace."),
    metric("path_host", "Path: host", "host", Unit::Count, read::path_host,
        "Seen execs with a path by which the initial mount namespace reaches the file."),
    metric("path_in_root", "Path: in root", "in root", Unit::Count, read::path_in_root,
        "Seen execs with the path from their own root directory."),
    metric("path_as_given", "Path: as given", "as given", Unit::Count, read::path_as_given,
        "Seen execs with the string that was passed to the call."),
    metric("path_basename", "Path: base name", "basename", Unit::Count, read::path_basename,
        "Seen execs with only a last component or a `comm`."),
    metric("path_interpreter", "Path: interpreter", "interp.", Unit::Count, read::path_interpreter,
        "Seen execs with the interpreter in place of the script, or the reverse."),
    metric("path_stale", "Path: stale", "stale", Unit::Count, read::path_stale,
        "Seen execs with a path of another time."),
    metric("path_truncated", "Path: truncated", "truncated", Unit::Count, read::path_truncated,
        "Seen execs with a piece of the right path."),
    metric("path_wrong", "Path: wrong", "wrong", Unit::Count, read::path_wrong,
        "Seen execs with the path of another file."),
    metric("path_absent", "Path: absent", "absent", Unit::Count, read::path_absent,
        "Seen execs without any path."),
];
