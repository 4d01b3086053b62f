//! What watching costs: differences of windows, per exec (DESIGN §5).

use execlab_model::{
    record::{Costs, WindowCost},
    result::{Cost, Lab},
};

use super::slope::{slope, slope_against};

/// What a trial cost, against its baselines.
///
/// - `lab`: where it ran, and so what belongs to it. A guest has nobody else in it, and whatever it does
///   belongs to the trial; a host has, and there only storm and monitor with its kernel threads count;
/// - `own`: the windows of the trial itself;
/// - `execs`: execs of the storm, the same in all three trials; 0 is taken as 1, so that a storm
///   that never came shows what its window cost;
/// - `plain`: no monitor and no boot options; without it nothing is a difference;
/// - `booted`: no monitor, but the boot options of the backend, where it needs any.
///
/// A figure of a trial is what its storm window used, and what its catch-up window used more than
/// its equally long idle window: work that a monitor puts off is still its work. A catch-up below
/// idle counts against the figure, so that noise has no direction.
pub fn cost(
    lab: Lab,
    own: &Costs,
    execs: u64,
    plain: Option<&Costs>,
    booted: Option<&Costs>,
) -> Cost {
    let all = whole_of(lab);
    // These are of the whole machine, and on a host that is not the trial's.
    let in_guest = lab != Lab::Host;
    let per_exec = |costs: &Costs, of: Meter| figure(costs, of) / execs.max(1) as f64;
    let whole = per_exec(own, all);
    let monitor = per_exec(own, MONITOR);
    let of_storm = |costs: &Costs, of: Meter| of(&costs.storm) as f64 / execs.max(1) as f64;
    let switches = of_storm(own, SWITCHES);
    let baseline = plain.map(|plain| per_exec(plain, all));
    let added = baseline.map(|baseline| whole - baseline);
    let inline = plain.map(|plain| per_exec(own, STORM) - per_exec(plain, STORM));
    Cost {
        unit: lab.cost_unit().to_owned(),
        baseline_per_exec: baseline,
        per_exec: whole,
        added_per_exec: added,
        added_percent: baseline
            .filter(|&baseline| baseline > 0.0)
            .map(|baseline| (whole - baseline) / baseline * 100.0),
        inline_per_exec: inline,
        monitor_per_exec: monitor,
        monitor_kernel_per_exec: per_exec(own, MONITOR_KERNEL),
        // On several CPUs more than the wall's time can be busy.
        stall_per_exec: (of_storm(own, WALL) - of_storm(own, BUSY)).max(0.0),
        switches_per_exec: switches,
        added_switches_per_exec: plain
            .filter(|_| in_guest)
            .map(|plain| switches - of_storm(plain, SWITCHES)),
        slope: slope_against(&own.progress, plain.map(|plain| plain.progress.as_slice()))
            .filter(|_| in_guest),
        rest_per_exec: added
            .filter(|_| in_guest)
            .zip(inline)
            .map(|(added, inline)| added - inline - monitor),
        boot_option_per_exec: booted
            .zip(baseline)
            .map(|(booted, baseline)| per_exec(booted, all) - baseline),
        idle_added_per_second: plain
            .and_then(|plain| Some(idle_rate(own, all)? - idle_rate(plain, all)?)),
        truth_ratio: truth_ratio(own, execs, all).filter(|_| in_guest),
        windows: own.clone(),
    }
}

/// One of the meters of a window.
type Meter = fn(&WindowCost) -> u64;
const BUSY: Meter = |window| window.busy_ns;
const STORM: Meter = |window| window.storm_ns;
const MONITOR: Meter = |window| window.monitor_ns + window.monitor_kernel_ns;
const MONITOR_KERNEL: Meter = |window| window.monitor_kernel_ns;
const WALL: Meter = |window| window.wall_ns;
const SWITCHES: Meter = |window| window.switches;
const STORM_AND_MONITOR: Meter = |window| STORM(window) + MONITOR(window);

/// The meter of everything that belongs to a trial.
fn whole_of(lab: Lab) -> Meter {
    match lab {
        Lab::Exact | Lab::Kvm => BUSY,
        Lab::Host => STORM_AND_MONITOR,
    }
}

/// What one meter showed for the storm and what it left over, in nanoseconds.
fn figure(costs: &Costs, of: Meter) -> f64 {
    // In integers up to here: a difference of two large sums must not lose its last digits.
    let left_over = i128::from(of(&costs.catch_up)) - i128::from(of(&costs.idle));
    (i128::from(of(&costs.storm)) + left_over) as f64
}

/// All that truth costs a warm storm, against the bare loop, which comes last and finds everything warm.
///
/// Of the storm it is the slope, so that what its first execs find cold is left out. Checkpoints are
/// truth's machinery too, but the progress has their cost taken off: their share is put back. Without a
/// slope it is the whole window, which holds both.
///
/// The edges of both windows are in it: the order, the answer and the meters' own reading, in the exact
/// lab some 80,000 instructions each time. Spread over fewer execs, they weigh more on the bare loop:
/// between 1,000 execs and 256 the ratio is some 0.0014 too low.
fn truth_ratio(own: &Costs, execs: u64, all: Meter) -> Option<f64> {
    let bare = own.bare.as_ref().map(all).filter(|&bare| bare > 0)?;
    let bare_execs = match own.bare_execs {
        0 => execs,
        some => some.into(),
    };
    let storm = match slope(&own.progress) {
        Some(slope) => slope.per_exec + outside_progress_ns(own) as f64 / execs.max(1) as f64,
        None => all(&own.storm) as f64 / execs.max(1) as f64,
    };
    Some(storm * bare_execs as f64 / bare as f64)
}

/// What the storm's window holds and its progress does not: the checkpoints, the last one too, and the
/// window's edges, which nothing in one record tells apart. Storms of 200 to 1,000 execs on 7.3 show
/// some 9,100 instructions for each checkpoint and 83,000 for the edges.
fn outside_progress_ns(own: &Costs) -> u64 {
    let in_progress = own.progress.last().map_or(0, |last| last.busy_ns);
    own.storm.busy_ns.saturating_sub(in_progress)
}

/// Nanoseconds busy in a second in which nothing happens.
fn idle_rate(costs: &Costs, all: Meter) -> Option<f64> {
    let idle = &costs.idle;
    (idle.wall_ns > 0).then(|| all(idle) as f64 * 1e9 / idle.wall_ns as f64)
}

#[cfg(test)]
mod tests {
    use execlab_model::record::Checkpoint;

    use super::*;

    fn window(wall_ns: u64, busy_ns: u64, storm_ns: u64, monitor_ns: u64) -> WindowCost {
        WindowCost {
            wall_ns,
            busy_ns,
            storm_ns,
            monitor_ns,
            ..WindowCost::default()
        }
    }

    fn plain() -> Costs {
        Costs {
            idle: window(2_000_000_000, 1_000, 0, 0),
            storm: window(5, 800_000, 700_000, 0),
            catch_up: window(2_000_000_000, 1_000, 0, 0),
            ..Costs::default()
        }
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn the_parts_add_up_to_the_whole() {
        let own = Costs {
            idle: window(2_000_000_000, 3_000, 0, 500),
            storm: window(5, 1_000_000, 720_000, 100_000),
            catch_up: window(2_000_000_000, 13_000, 0, 8_500),
            ..Costs::default()
        };
        let cost = cost(Lab::Exact, &own, 10, Some(&plain()), None);
        assert_eq!(cost.baseline_per_exec, Some(80_000.0));
        assert_eq!(cost.per_exec, 101_000.0);
        assert_eq!(cost.added_per_exec, Some(21_000.0));
        assert_eq!(cost.added_percent, Some(26.25));
        assert_eq!(cost.inline_per_exec, Some(2_000.0));
        assert_eq!(cost.monitor_per_exec, 10_800.0);
        assert_eq!(cost.rest_per_exec, Some(8_200.0));
        assert_eq!(cost.boot_option_per_exec, None);
        assert_eq!(cost.idle_added_per_second, Some(1_000.0));
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn a_boot_option_is_shown_apart() {
        let mut booted = plain();
        booted.storm.busy_ns += 20_000;
        let mut own = booted.clone();
        own.storm.busy_ns += 50_000;
        let cost = cost(Lab::Exact, &own, 10, Some(&plain()), Some(&booted));
        assert_eq!(cost.added_per_exec, Some(7_000.0));
        assert_eq!(cost.boot_option_per_exec, Some(2_000.0));
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn a_quieter_catch_up_keeps_its_sign() {
        let mut own = plain();
        own.catch_up.busy_ns = 0;
        let cost = cost(Lab::Exact, &own, 10, Some(&plain()), None);
        assert_eq!(cost.added_per_exec, Some(-100.0));
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn kernel_threads_of_the_monitor_are_its_own_and_no_rest() {
        let mut own = plain();
        own.storm.busy_ns += 50_000;
        own.storm.monitor_ns = 20_000;
        own.storm.monitor_kernel_ns = 10_000;
        own.catch_up.monitor_kernel_ns = 1_000;
        own.catch_up.busy_ns += 1_000;
        let cost = cost(Lab::Exact, &own, 10, Some(&plain()), None);
        assert_eq!(cost.added_per_exec, Some(5_100.0));
        assert_eq!(cost.monitor_per_exec, 3_100.0);
        assert_eq!(cost.monitor_kernel_per_exec, 1_100.0);
        assert_eq!(cost.rest_per_exec, Some(2_000.0));
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn stall_and_switches_are_of_the_storm_alone() {
        let mut own = plain();
        own.storm.wall_ns = own.storm.busy_ns + 70_000;
        own.storm.switches = 60;
        own.catch_up.switches = 1_000;
        let mut plain = plain();
        plain.storm.switches = 40;
        let against = cost(Lab::Exact, &own, 10, Some(&plain), None);
        assert_eq!(against.stall_per_exec, 7_000.0);
        assert_eq!(against.switches_per_exec, 6.0);
        assert_eq!(against.added_switches_per_exec, Some(2.0));
        // Two CPUs were busy.
        own.storm.wall_ns = own.storm.busy_ns / 2;
        assert_eq!(cost(Lab::Exact, &own, 10, None, None).stall_per_exec, 0.0);
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn a_bare_loop_is_compared_exec_by_exec() {
        let mut own = plain();
        own.bare = Some(window(0, 200_000, 0, 0));
        assert_eq!(
            cost(Lab::Exact, &own, 10, None, None).truth_ratio,
            Some(4.0)
        );
        own.bare_execs = 5;
        assert_eq!(
            cost(Lab::Exact, &own, 10, None, None).truth_ratio,
            Some(2.0)
        );
        // With a slope, only the warm part of the storm counts, and what the checkpoints took.
        let busy = [0, 440_000, 480_000, 520_000, 560_000, 600_000];
        own.progress = (0..)
            .zip(busy)
            .map(|(execs, busy_ns)| Checkpoint {
                execs,
                wall_ns: busy_ns,
                busy_ns,
            })
            .collect();
        own.storm.busy_ns = 610_000;
        let warm = cost(Lab::Exact, &own, 5, None, None);
        assert_eq!(warm.truth_ratio, Some(1.05));
        assert_eq!(warm.slope.unwrap().settled_after, Some(1));
        // A meter that shows less for the whole than for its parts gives nothing back.
        own.storm.busy_ns = 590_000;
        assert_eq!(cost(Lab::Exact, &own, 5, None, None).truth_ratio, Some(1.0));
    }

    #[test]
    #[allow(clippy::float_cmp, reason = "the figures are small integers")]
    fn on_a_host_what_others_do_is_nobodys_cost() {
        let mut own = plain();
        own.storm.busy_ns += 9_000_000;
        own.storm.storm_ns += 30_000;
        own.storm.monitor_ns = 50_000;
        own.idle.busy_ns += 7_000;
        let cost = cost(Lab::Host, &own, 10, Some(&plain()), None);
        assert_eq!(cost.unit, "CPU ns");
        assert_eq!(cost.baseline_per_exec, Some(70_000.0));
        assert_eq!(cost.added_per_exec, Some(8_000.0));
        assert_eq!(cost.inline_per_exec, Some(3_000.0));
        assert_eq!(cost.monitor_per_exec, 5_000.0);
        assert_eq!(cost.rest_per_exec, None);
        assert_eq!(cost.idle_added_per_second, Some(0.0));
    }

    #[test]
    fn without_a_baseline_nothing_is_a_difference() {
        let booted = plain();
        let cost = cost(Lab::Exact, &plain(), 0, None, Some(&booted));
        assert!(cost.per_exec.is_finite());
        assert_eq!(cost.baseline_per_exec, None);
        assert_eq!(cost.added_percent, None);
        assert_eq!(cost.rest_per_exec, None);
        assert_eq!(cost.boot_option_per_exec, None);
        assert_eq!(cost.idle_added_per_second, None);
    }
}
