//! What one more exec costs: the slope of a storm's progress, once that has settled.

use execlab_model::{record::Checkpoint, result::Slope};

/// A part agrees with the others if its cost per exec lies within this share of their median. Timer
/// ticks and RCU's batches of freed tasks spread the parts of a settled storm by up to 3% around it
/// (seen on 5.10 to 7.3); what cold caches and growing tables add to first parts is more.
const TOLERANCE: f64 = 0.04;
/// Fewer settled parts tell nothing.
const FEWEST_PARTS: usize = 3;

/// The slope of a storm without its baseline; `None` where there are too few checkpoints.
///
/// The first part is never settled: what its execs leave to RCU is paid by those after them, some
/// hundred thousand instructions. From there on, the settled part starts at the earliest checkpoint
/// from which the first part agrees, all later parts but at most one agree (something may happen once,
/// like the growth of a table), and at least a quarter of all parts, and three, is left. Where there is
/// none, the second half is taken.
pub fn slope(progress: &[Checkpoint]) -> Option<Slope> {
    let parts: Vec<f64> = progress
        .array_windows()
        .map(|[from, to]| per_exec(from, to))
        .collect();
    if parts.len() <= FEWEST_PARTS {
        return None;
    }
    let fewest = FEWEST_PARTS.max(parts.len().div_ceil(4));
    let settled = (1..=parts.len() - fewest).find(|&at| agree(&parts[at..]));
    let from = settled.unwrap_or(parts.len() / 2);
    let slope = per_exec(&progress[from], progress.last()?);
    let distance = |part: &f64| (part - slope).abs() / slope * 100.0;
    let spread = parts[from..].iter().map(distance).fold(0.0, f64::max);
    (slope > 0.0).then(|| Slope {
        per_exec: slope,
        added_per_exec: None,
        settled_after: settled.map(|at| progress[at].execs),
        spread_percent: spread,
    })
}

/// A storm's slope against its baseline's, where both are settled. Where one of them never was, over the
/// second half of both: nothing says from where on the two could be compared.
pub fn slope_against(own: &[Checkpoint], plain: Option<&[Checkpoint]>) -> Option<Slope> {
    let slope_of_own = slope(own)?;
    let added = plain.and_then(|plain| {
        let (own_from, plain_from) = (slope_of_own.settled_after, slope(plain)?.settled_after);
        let from = own_from.zip(plain_from).map(|(own, plain)| own.max(plain));
        Some(slope_from(own, from)? - slope_from(plain, from)?)
    });
    Some(Slope {
        added_per_exec: added,
        ..slope_of_own
    })
}

/// The slope from the first checkpoint with so many execs, or over the second half.
fn slope_from(progress: &[Checkpoint], execs: Option<u32>) -> Option<f64> {
    let (last, before) = progress.split_last()?;
    let from = match execs {
        Some(execs) => before.iter().find(|checkpoint| checkpoint.execs >= execs)?,
        None => &before[before.len() / 2],
    };
    Some(per_exec(from, last))
}

/// Checkpoints are taken between execs, so that two of them are never at the same one.
fn per_exec(from: &Checkpoint, to: &Checkpoint) -> f64 {
    let execs = to.execs.saturating_sub(from.execs).max(1);
    to.busy_ns.saturating_sub(from.busy_ns) as f64 / f64::from(execs)
}

fn agree(parts: &[f64]) -> bool {
    let mut sorted = parts.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let differs = |part: &f64| (part - median).abs() > TOLERANCE * median;
    !differs(&parts[0]) && parts.iter().filter(|part| differs(part)).count() <= 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXECS: u32 = 60;

    /// Progress whose parts cost this much per exec.
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "costs are positive and small"
    )]
    fn progress(parts: &[f64]) -> Vec<Checkpoint> {
        let mut at = Checkpoint::default();
        let mut progress = vec![at];
        for part in parts {
            at.execs += EXECS;
            at.busy_ns += (part * f64::from(EXECS)) as u64;
            progress.push(at);
        }
        progress
    }

    fn of(parts: &[f64]) -> Slope {
        slope(&progress(parts)).expect("enough parts")
    }

    #[test]
    fn a_flat_storm_is_settled_after_its_first_part() {
        let slope = of(&[1000.0; 16]);
        assert_eq!(slope.settled_after, Some(EXECS));
        assert!((slope.per_exec - 1000.0).abs() < 1e-9 && slope.spread_percent < 1e-9);
    }

    #[test]
    fn something_that_happens_once_does_not_unsettle_unless_it_is_first() {
        let mut parts = [1000.0; 16];
        parts[7] = 1200.0;
        assert_eq!(of(&parts).settled_after, Some(EXECS));
        parts[9] = 1200.0;
        assert_eq!(of(&parts).settled_after, Some(8 * EXECS));
        let mut parts = [1000.0; 16];
        parts[1] = 1050.0;
        assert_eq!(of(&parts).settled_after, Some(2 * EXECS));
    }

    #[test]
    fn what_never_settles_shows_its_second_half_and_says_so() {
        let parts: Vec<f64> = (0..16).map(|n| 1000.0 * 1.2_f64.powi(n)).collect();
        let slope = of(&parts);
        assert_eq!(slope.settled_after, None);
        let second: f64 = parts[8..].iter().sum::<f64>() / 8.0;
        assert!((slope.per_exec - second).abs() < 1.0, "{slope:?}");
        assert!(slope.spread_percent > 10.0);
    }

    #[test]
    fn few_checkpoints_have_no_slope() {
        assert_eq!(slope(&[]), None);
        assert_eq!(slope(&progress(&[1000.0; 3])), None);
        // A meter that stands still is none.
        assert_eq!(slope(&progress(&[0.0; 8])), None);
    }

    #[test]
    fn what_is_added_is_the_difference_of_two_slopes() {
        let (own, plain) = (progress(&[1300.0; 8]), progress(&[1000.0; 16]));
        let against = slope_against(&own, Some(&plain)).unwrap();
        assert!((against.added_per_exec.unwrap() - 300.0).abs() < 1e-9);
        // Where one settles later, both are compared from there on.
        let mut late = [1300.0; 8];
        (late[1], late[2]) = (2000.0, 2000.0);
        let drifting: Vec<f64> = (0..8).map(|n| 1000.0 + f64::from(n)).collect();
        let against = slope_against(&progress(&late), Some(&progress(&drifting))).unwrap();
        assert_eq!(against.settled_after, Some(3 * EXECS));
        assert!(
            (against.added_per_exec.unwrap() - 295.0).abs() < 1e-9,
            "{against:?}"
        );
        assert_eq!(slope_against(&own, None).unwrap().added_per_exec, None);
        assert_eq!(slope_against(&own, Some(&[])).unwrap().added_per_exec, None);
    }

    /// The settled storm is so from its first quarter on: the rising one costs less there than in its
    /// second half.
    #[test]
    fn where_one_storm_never_settled_the_second_halves_are_compared() {
        let rising: Vec<f64> = (0..16).map(|n| 1000.0 * 1.2_f64.powi(n)).collect();
        let mut flat = [1000.0; 16];
        flat[..4].fill(5000.0);
        let second_half = rising[8..].iter().sum::<f64>() / 8.0;
        let (rising, flat) = (progress(&rising), progress(&flat));
        assert_eq!(slope(&rising).unwrap().settled_after, None);
        assert_eq!(slope(&flat).unwrap().settled_after, Some(4 * EXECS));

        let unsettled = slope_against(&rising, Some(&flat)).unwrap();
        let added = unsettled.added_per_exec.unwrap();
        assert!((added - (second_half - 1000.0)).abs() < 1.0, "{added}");
        let unsettled_baseline = slope_against(&flat, Some(&rising)).unwrap();
        let added = unsettled_baseline.added_per_exec.unwrap();
        assert!((added - (1000.0 - second_half)).abs() < 1.0, "{added}");
    }

    /// Noise of up to 1.5% to either side: that of a settled storm.
    fn noise() -> impl Strategy<Value = Vec<f64>> {
        proptest::collection::vec(-0.015..0.015_f64, 16)
    }

    proptest! {
        #[test]
        fn a_planted_warm_up_is_left_out(
            cost in 50_000.0..500_000.0_f64,
            cold in 0.15..3.0_f64,
            length in 0u32..8,
            noise in noise(),
        ) {
            let part = |(n, noise): (u32, &f64)| {
                // Cold parts get warmer, down to a little more than what is tolerated.
                let left = if n < length { cold * f64::from(length - n) / f64::from(length) } else { 0.0 };
                cost * (1.0 + left.max(if n < length { 0.1 } else { 0.0 })) * (1.0 + noise)
            };
            let parts: Vec<f64> = (0..).zip(&noise).map(part).collect();
            let slope = of(&parts);
            prop_assert_eq!(slope.settled_after, Some(length.max(1) * EXECS));
            prop_assert!((slope.per_exec / cost - 1.0).abs() < 0.016);
            prop_assert!(slope.spread_percent < 3.2);
        }

        #[test]
        fn a_planted_step_is_found(
            cost in 50_000.0..500_000.0_f64, at in 3u32..12, up in any::<bool>(), noise in noise(),
        ) {
            let step = if up { 1.15 } else { 0.85 };
            let part = |(n, noise): (u32, &f64)| cost * if n < at { 1.0 } else { step } * (1.0 + noise);
            let parts: Vec<f64> = (0..).zip(&noise).map(part).collect();
            let slope = of(&parts);
            prop_assert_eq!(slope.settled_after, Some(at * EXECS));
            prop_assert!((slope.per_exec / (cost * step) - 1.0).abs() < 0.016);
        }

        #[test]
        fn one_tick_in_one_part_changes_little(
            cost in 50_000.0..500_000.0_f64, at in 0usize..16, noise in noise(),
        ) {
            let mut parts: Vec<f64> = noise.iter().map(|noise| cost * (1.0 + noise)).collect();
            let calm = of(&parts);
            parts[at] += 20_000.0 / f64::from(EXECS);
            let ticked = of(&parts);
            prop_assert_eq!(ticked.settled_after, Some(EXECS));
            prop_assert!((ticked.per_exec / calm.per_exec - 1.0).abs() < 0.001);
        }

        #[test]
        fn any_progress_is_taken(points in proptest::collection::vec((any::<u32>(), any::<u64>()), 0..20)) {
            let progress: Vec<_> = points
                .into_iter()
                .map(|(execs, busy_ns)| Checkpoint { execs, wall_ns: 0, busy_ns })
                .collect();
            if let Some(slope) = slope(&progress) {
                prop_assert!(slope.per_exec.is_finite() && slope.spread_percent.is_finite());
            }
        }
    }
}
