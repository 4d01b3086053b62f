//! What was lost, by truth and by the monitor's own word.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sighting::{LossReport, LossUnit};

/// Whether the monitor knew what it lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Honesty {
    /// What it reports and what it lost agree, in execs; nothing lost and nothing reported agree too.
    Knew,
    /// It reports fewer than it lost.
    KnewTooLittle,
    /// It reports more than it lost.
    KnewTooMuch,
    /// It says that it lost something, without a number of execs.
    KnewWithoutANumber,
    /// It lost execs and says nothing.
    DidNotKnow,
}

impl Honesty {
    /// The name used in every output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Knew => "knew",
            Self::KnewTooLittle => "knew-too-little",
            Self::KnewTooMuch => "knew-too-much",
            Self::KnewWithoutANumber => "knew-without-a-number",
            Self::DidNotKnow => "did-not-know",
        }
    }
}

/// Loss, true and self-reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Loss {
    /// Execs missed, by truth.
    #[serde(rename = "true")]
    pub actual: u64,
    /// Execs lost by the backend's own word, where it gives a number of execs; 0 where it reports
    /// no loss at all; `null` where it reports loss in another unit or without a number.
    pub self_reported: Option<u64>,
    /// How the two compare.
    pub honesty: Honesty,
    /// Every loss report, summed by source and unit.
    pub reports: Vec<LossSum>,
}

/// All loss reports of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LossSum {
    /// As in [`LossReport::source`].
    pub source: String,
    /// As in [`LossReport::unit`].
    pub unit: LossUnit,
    /// Sum of the counts; `null` where none had one.
    pub count: Option<u64>,
    /// How many reports there were.
    pub reports: u64,
}

impl LossSum {
    /// Sums reports by source and unit, in order of first appearance.
    pub fn sum(reports: &[LossReport]) -> Vec<Self> {
        let mut sums: Vec<Self> = Vec::new();
        for report in reports {
            let known = sums
                .iter()
                .position(|s| s.source == report.source && s.unit == report.unit);
            let at = known.unwrap_or_else(|| {
                sums.push(Self {
                    source: report.source.clone(),
                    unit: report.unit,
                    count: None,
                    reports: 0,
                });
                sums.len() - 1
            });
            let sum = &mut sums[at];
            sum.reports += 1;
            if let Some(count) = report.count {
                sum.count = Some(sum.count.unwrap_or(0).saturating_add(count));
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_reports_are_summed_by_source() {
        let report = |source: &str, count| LossReport {
            source: source.into(),
            unit: LossUnit::Event,
            count,
            window_ns: (0, 1),
        };
        let sums = LossSum::sum(&[
            report("a", Some(2)),
            report("b", None),
            report("a", Some(3)),
        ]);
        assert_eq!(sums.len(), 2);
        assert_eq!((sums[0].count, sums[0].reports), (Some(5), 2));
        assert_eq!((sums[1].count, sums[1].reports), (None, 1));
    }
}
