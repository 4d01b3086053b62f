//! Loss: what truth says, what the monitor says, and how the two compare.

use execlab_model::{
    result::{Honesty, Loss, LossSum},
    sighting::{LossReport, LossUnit},
};

/// Compares the execs that were missed with the monitor's own reports of the time of the storm, which
/// is in nanoseconds and has both ends in it.
pub fn loss(missed: u64, reports: &[LossReport], storm_ns: (u64, u64)) -> Loss {
    let self_reported = self_reported(reports, storm_ns);
    Loss {
        actual: missed,
        self_reported,
        honesty: honesty(missed, self_reported),
        reports: LossSum::sum(reports),
    }
}

/// Execs lost by the monitor's own word: 0 where it reports nothing, `None` where any part of what
/// it reports is not a number of execs (the sum of a number and an unknown is unknown).
///
/// A report with a count of 0 says that nothing was lost, in whatever unit. One whose window has no
/// moment in common with the storm is of canaries or of somebody else: no exec of the storm can be
/// meant, and a monitor that knows that is not held to have known too much.
fn self_reported(reports: &[LossReport], storm_ns: (u64, u64)) -> Option<u64> {
    let (began, finished) = storm_ns;
    let of_storm =
        |report: &&LossReport| report.window_ns.0 <= finished && report.window_ns.1 >= began;
    reports
        .iter()
        .filter(|report| report.count != Some(0))
        .filter(of_storm)
        .try_fold(0_u64, |sum, report| match (report.unit, report.count) {
            (LossUnit::Exec, Some(count)) => Some(sum.saturating_add(count)),
            _ => None,
        })
}

fn honesty(missed: u64, self_reported: Option<u64>) -> Honesty {
    match self_reported {
        None => Honesty::KnewWithoutANumber,
        Some(said) if said == missed => Honesty::Knew,
        Some(said) if said > missed => Honesty::KnewTooMuch,
        Some(0) => Honesty::DidNotKnow,
        Some(_) => Honesty::KnewTooLittle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(unit: LossUnit, count: Option<u64>) -> LossReport {
        LossReport {
            source: "planted".to_owned(),
            unit,
            count,
            window_ns: (0, 1),
        }
    }

    #[test]
    fn honesty_compares_execs_with_execs() {
        use LossUnit::{Event, Exec, Record, Unknown};
        let cases = [
            (0, vec![], Some(0), Honesty::Knew),
            (3, vec![], Some(0), Honesty::DidNotKnow),
            (3, vec![(Exec, Some(3))], Some(3), Honesty::Knew),
            (
                3,
                vec![(Exec, Some(1)), (Exec, Some(2))],
                Some(3),
                Honesty::Knew,
            ),
            (3, vec![(Exec, Some(2))], Some(2), Honesty::KnewTooLittle),
            (3, vec![(Exec, Some(4))], Some(4), Honesty::KnewTooMuch),
            (0, vec![(Exec, Some(1))], Some(1), Honesty::KnewTooMuch),
            (3, vec![(Event, Some(3))], None, Honesty::KnewWithoutANumber),
            (
                3,
                vec![(Record, Some(9))],
                None,
                Honesty::KnewWithoutANumber,
            ),
            (3, vec![(Unknown, None)], None, Honesty::KnewWithoutANumber),
            (3, vec![(Exec, None)], None, Honesty::KnewWithoutANumber),
            (
                3,
                vec![(Exec, Some(3)), (Unknown, None)],
                None,
                Honesty::KnewWithoutANumber,
            ),
            (
                3,
                vec![(Exec, Some(3)), (Event, Some(0))],
                Some(3),
                Honesty::Knew,
            ),
            (3, vec![(Event, Some(0))], Some(0), Honesty::DidNotKnow),
        ];
        for (missed, reports, said, honesty) in cases {
            let reports: Vec<_> = reports.into_iter().map(|(u, c)| report(u, c)).collect();
            let loss = loss(missed, &reports, (0, 1));
            assert_eq!(
                (loss.actual, loss.self_reported),
                (missed, said),
                "{reports:?}"
            );
            assert_eq!(loss.honesty, honesty, "{reports:?}");
        }
    }

    #[test]
    fn only_windows_that_touch_the_storm_are_of_it() {
        let said = |window_ns| {
            let report = LossReport {
                window_ns,
                ..report(LossUnit::Exec, Some(3))
            };
            loss(3, &[report], (100, 200)).honesty
        };
        for touching in [(0, 100), (0, 900), (150, 150), (200, 200), (200, 900)] {
            assert_eq!(said(touching), Honesty::Knew, "{touching:?}");
        }
        for apart in [(0, 99), (201, 900)] {
            assert_eq!(said(apart), Honesty::DidNotKnow, "{apart:?}");
        }
        let outside = LossReport {
            window_ns: (0, 99),
            ..report(LossUnit::Unknown, None)
        };
        let loss = loss(0, &[outside], (100, 200));
        assert_eq!((loss.self_reported, loss.honesty), (Some(0), Honesty::Knew));
        assert_eq!(loss.reports.len(), 1, "it is shown all the same");
    }
}
