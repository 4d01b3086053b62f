//! What a table cannot say.

use super::{Find, Proof, Question, Row, State, What, show::number};
use crate::{
    number::{duration, thousands},
    text::{list, plural},
};

/// Enough of a digest to know it by.
const DIGEST: usize = 12;

impl Find {
    pub(super) fn title(&self) -> String {
        let what = match self.asked.what {
            What::BlindWindow => "Blind window: how long must a process live?",
            What::LossKnee => "Loss knee: at which load is the first exec lost?",
            What::Isolation => "Isolation: how loud must a neighbour be?",
        };
        let unfinished = if self.complete { "" } else { " (unfinished)" };
        format!("{what}{unfinished}")
    }

    pub(super) fn reading(&self) -> Vec<String> {
        let asked = &self.asked;
        let mut lines = Vec::new();
        let seeds = usize::try_from(asked.seeds.1 - asked.seeds.0).unwrap_or(usize::MAX);
        let closeness = if asked.precision > 0.0 {
            let first = asked.questions.iter().map(|asking| asking.first).max();
            let below = match (asked.what, first) {
                (What::BlindWindow, Some(first)) => format!(
                    ", of lives below {} within {}",
                    thousands(first as f64),
                    thousands((first as f64 * asked.precision).round())
                ),
                _ => String::new(),
            };
            format!("within {} % of each other{below}", asked.precision * 100.0)
        } else {
            "next to each other".to_owned()
        };
        lines.push(format!(
            "{}, scenario {}, lab exact{}; the bounds of each seed are {closeness}.",
            plural(seeds, "seed"),
            asked.workload,
            if self.qemu.is_empty() {
                String::new()
            } else {
                format!(" (QEMU {})", list(&self.qemu))
            },
        ));
        match asked.what {
            What::BlindWindow => lines.push(format!(
                "A life is how long a payload sleeps before it exits, in guest instructions (nanoseconds of the guest): each of the {} execs of a trial lives within a tenth of it. What the program itself takes, and the kernel's timer slack of 50,000 where it sleeps at all, come on top. A life did where every exec of the trial was seen (right path: and had the best path that the scenario allows).",
                asked.execs
            )),
            What::LossKnee | What::Isolation => {
                let whose = if asked.what == What::Isolation {
                    "an exec of the quiet container"
                } else {
                    "an exec"
                };
                lines.push(format!(
                    "A load lost where {whose} was missed. A burst is one of so many execs at once; a rate is kept for {} execs. Payloads live {}.",
                    number(asked.execs.into()),
                    if asked.lifetime_ns == 0 {
                        "no longer than they must".to_owned()
                    } else {
                        #[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
                        duration(asked.lifetime_ns as f64)
                    }
                ));
            }
        }
        lines.push(
            "Both bounds are of all seeds together, each proved by one trial; the median is of the values from which on it was so wherever a seed asked. The first seed looks over the whole range in steps of four, the others where its edges are."
                .to_owned(),
        );
        if let Some(cost) = self.rows.iter().find_map(|row| row.cost.as_ref()) {
            lines.push(format!(
                "Cost: {} added to each of {} execs of a closed storm of the scenario {}, median of {}; the monitor's highest resident set, without buffers in the kernel.",
                cost.unit,
                cost.execs,
                cost.scenario,
                plural(cost.seeds, "seed")
            ));
        }
        lines
    }

    /// Where it held below a value at which it did not, seed by seed.
    pub(super) fn not_monotone(&self) -> Vec<String> {
        const SHOWN: usize = 3;
        let mut lines = Vec::new();
        for row in &self.rows {
            let all: Vec<_> = row.not_monotone().collect();
            for seed in all.iter().take(SHOWN) {
                if let (Some(yes), Some(no)) = (&seed.lowest_yes, &seed.highest_no) {
                    lines.push(format!(
                        "{}: seed {} {} at {} ({}), and {} at {} above it ({})",
                        name(row),
                        seed.seed,
                        verb(row.asking.question, true),
                        number(yes.value),
                        yes.trial,
                        verb(row.asking.question, false),
                        number(no.value),
                        no.trial
                    ));
                }
            }
            if all.len() > SHOWN {
                lines.push(format!(
                    "{}: so did {} more",
                    name(row),
                    plural(all.len() - SHOWN, "seed")
                ));
            }
        }
        lines
    }

    pub(super) fn unanswered(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let reason = row.reason.as_deref().unwrap_or("no reason is known");
            match row.state {
                State::Unsupported => lines.push(format!("{}: unsupported: {reason}", name(row))),
                State::Failed => lines.push(format!("{}: {reason}", name(row))),
                State::Unfinished => lines.push(format!("{}: cut off", name(row))),
                State::Answered => {}
            }
            if row.state != State::Failed {
                let broken = row
                    .seeds
                    .iter()
                    .filter_map(|s| s.broken.as_ref().map(|b| (s.seed, b)));
                lines
                    .extend(broken.map(|(seed, why)| format!("{}: seed {seed}: {why}", name(row))));
            }
        }
        lines
    }

    pub(super) fn proofs(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for row in &self.rows {
            let proof = |proof: &Option<Proof>, holds| {
                let proof = proof.as_ref()?;
                Some(format!(
                    "{} {}: {} (digest {})",
                    verb(row.asking.question, holds),
                    number(proof.value),
                    proof.trial,
                    proof.digest.chars().take(DIGEST).collect::<String>()
                ))
            };
            let both = [proof(&row.lowest_yes, true), proof(&row.highest_no, false)];
            let both: Vec<String> = both.into_iter().flatten().collect();
            if !both.is_empty() {
                lines.push(format!("{}: {}", name(row), both.join("; ")));
            }
        }
        lines
    }
}

fn name(row: &Row) -> String {
    format!(
        "{}, {}, {}",
        row.kernel,
        row.backend_label(),
        row.asking.question.as_str()
    )
}

fn verb(question: Question, holds: bool) -> &'static str {
    match (question, holds) {
        (Question::Seen | Question::RightPath, true) => "did",
        (Question::Seen | Question::RightPath, false) => "did not",
        (Question::Burst | Question::Rate, true) => "lost",
        (Question::Burst | Question::Rate, false) => "did not lose",
    }
}
