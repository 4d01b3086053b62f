//! What holds for any two runs.

use execlab_model::result::{Status, TrialResult};
use execlab_reports::gate::{Gate, Verdict};
use proptest::prelude::*;

use super::{burden, compare, rebuilt, run};
use crate::fixture::realistic;

/// What may become of a backend in the other run.
#[derive(Debug, Clone)]
enum Fate {
    Same,
    Costs(f64),
    Loses(u64),
    Vanishes,
    Unsupported,
    NoCost,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        2 => Just(Fate::Same),
        4 => (0.7_f64..1.4).prop_map(Fate::Costs),
        2 => (1_u64..50).prop_map(Fate::Loses),
        1 => Just(Fate::Vanishes),
        1 => Just(Fate::Unsupported),
        1 => Just(Fate::NoCost),
    ]
}

const NAMES: [&str; 3] = ["audit", "ebpf", "ptrace"];

fn meet(results: &[TrialResult], fates: &[Fate]) -> Vec<TrialResult> {
    let fate = |t: &TrialResult| {
        let at = NAMES.iter().position(|n| *n == t.backend.name);
        at.map_or(&Fate::Same, |at| &fates[at])
    };
    let stays = |t: &TrialResult| !matches!(fate(t), Fate::Vanishes);
    let met = rebuilt(results, |t| match fate(t).clone() {
        Fate::Same | Fate::Vanishes => {}
        Fate::Costs(factor) => burden(t, factor),
        Fate::Loses(count) => {
            // Not the same in each seed.
            let count = count * (t.seed % 3);
            let seen = t.completeness.as_mut().unwrap();
            (seen.seen, seen.missed) = (seen.seen - count, seen.missed + count);
        }
        Fate::Unsupported => {
            t.status = Status::Unsupported;
            (t.completeness, t.path, t.cost, t.loss) = (None, None, None, None);
        }
        Fate::NoCost => t.cost = None,
    });
    met.into_iter().filter(stays).collect()
}

fn mirrored(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Improved => Verdict::Regressed,
        Verdict::Regressed => Verdict::Improved,
        Verdict::New => Verdict::Disappeared,
        Verdict::Disappeared => Verdict::New,
        other => other,
    }
}

fn of_findings(gate: &Gate) -> Vec<(&str, &str, Verdict)> {
    let each = |row| {
        let row: &execlab_reports::gate::Row = row;
        let cell = row.cell.as_str();
        let finding = move |f| {
            let f: &execlab_reports::gate::Finding = f;
            (cell, f.metric.as_str(), f.verdict)
        };
        row.findings.iter().map(finding)
    };
    gate.rows.iter().flat_map(each).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_run_against_itself_is_silent(
        seeds in 1_u64..9, spread in 0.0_f64..0.5, fates in prop::collection::vec(fates(), 3),
    ) {
        let one = meet(&run(&NAMES, 0, seeds, 1000, spread), &fates);
        let gate = compare(&one, &one);
        prop_assert_eq!(gate.exit_code, 0);
        prop_assert_eq!(gate.verdict, Verdict::Unchanged);
        prop_assert!(gate.rows.iter().all(|r| r.changed.is_empty()));
    }

    #[test]
    fn what_is_worse_one_way_is_better_the_other(
        seeds in 1_u64..9, first in 0_u64..12, spread in 0.0_f64..0.05,
        ours in prop::collection::vec(fates(), 3), theirs in prop::collection::vec(fates(), 3),
    ) {
        let one = meet(&run(&NAMES, 0, seeds, 1000, spread), &ours);
        let other = meet(&run(&NAMES, first, seeds, 1000, spread), &theirs);
        let (there, back) = (compare(&one, &other), compare(&other, &one));
        let turned: Vec<_> = of_findings(&back)
            .into_iter()
            .map(|(cell, metric, verdict)| (cell, metric, mirrored(verdict)))
            .collect();
        prop_assert_eq!(of_findings(&there), turned);
        for (row, other) in there.rows.iter().zip(&back.rows) {
            prop_assert_eq!(&row.cell, &other.cell);
            // A row is as bad as its worst figure, and which that is depends on the direction.
            let gap = 0 < row.seeds.common && row.seeds.common < row.seeds.base;
            if gap {
                // As many are gone the other way.
                prop_assert!(row.exit_code == 14 && other.exit_code == 14);
            }
            let alone = row.findings.len() < 2 && !gap;
            prop_assert!(!alone || row.verdict == mirrored(other.verdict));
            let silent = |v| matches!(v, Verdict::Unchanged);
            prop_assert_eq!(silent(row.verdict), silent(other.verdict));
        }
        let fails = there.exit_code != 0;
        let found = there.rows.iter().any(|r| r.exit_code != 0);
        prop_assert_eq!(fails, found);
    }
}

#[test]
fn a_whole_matrix_against_itself_is_silent() {
    let all = realistic();
    let mut shuffled = all.clone();
    shuffled.reverse();
    let gate = compare(&all, &shuffled);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Unchanged));
    assert_eq!(gate.rows.len(), 54);
}
