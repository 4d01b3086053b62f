//! A replay in words.

use super::{Change, Counts, Field, Gap, Outcome, Replay, Sched, Story};
use crate::{
    number::{duration, signed, thousands},
    text::{clean, list, plural},
};

/// So many gaps are shown, and so many ids of one.
const SHOWN: usize = 10;
/// Hashes are told apart by so many digits.
const DIGITS: usize = 12;

impl Replay {
    /// For a terminal.
    pub fn terminal(&self) -> String {
        let mut lines = vec![clean(&self.trial)];
        lines.extend(self.outcome());
        if let Some(reason) = &self.reason {
            lines.push(format!("It is {}: {}", self.now.status, clean(reason)));
        }
        match (&self.counts, self.began_ns) {
            (Some(counts), _) => lines.push(counts.sentence()),
            (None, Some(_)) => lines.push("Nobody watched: there is truth alone.".into()),
            (None, None) => {}
        }
        let began = self.began_ns.unwrap_or_default();
        if !self.losses.is_empty() {
            lines.push(String::new());
            lines.push("What the monitor says that it lost".into());
            lines.extend(self.losses(began));
        }
        if !self.gaps.is_empty() && self.around.is_none() {
            lines.push(String::new());
            lines.push("Missed, and what stood around it (times since the storm began)".into());
            lines.extend(self.gaps.iter().take(SHOWN).map(|gap| self.gap(gap, began)));
            if let Some(more) = self.gaps.len().checked_sub(SHOWN).filter(|&more| more > 0) {
                lines.push(format!("  and {} more", plural(more, "gap")));
            }
            let first = self.gaps[0].execs[0];
            lines.push(format!("  the story of one: --around {first}"));
        }
        if let Some(story) = &self.around {
            lines.push(String::new());
            lines.extend(story.lines(began));
        }
        if let Some(sched) = &self.sched {
            lines.push(String::new());
            lines.extend(sched.lines());
        }
        if let Some(trace) = &self.trace {
            lines.push(String::new());
            lines.push(format!("Timeline: {}", clean(trace)));
        }
        lines.join("\n") + "\n"
    }

    fn outcome(&self) -> Vec<String> {
        let digits = |hash: &str| hash.chars().take(DIGITS).collect::<String>();
        let now = &self.now;
        let difference = self.difference.as_ref();
        let difference = difference.map(|difference| clean(&difference.to_string()));
        match self.outcome {
            Outcome::Same => {
                let digest = digits(&now.digest);
                let mut lines = vec![match &now.record_sha256 {
                    Some(record) => format!(
                        "The same to the last bit: digest {digest}, record {}.",
                        digits(record)
                    ),
                    None => format!(
                        "It is {} again: digest {digest}, and no record, as in the run.",
                        now.status
                    ),
                }];
                if let Some(difference) = difference {
                    lines.push(format!(
                        "The record is the same; another execlab scored it: {difference}"
                    ));
                }
                lines
            }
            Outcome::Differs => vec![format!(
                "NOT THE SAME: digest {} is, what came out is not: {}.",
                digits(&now.digest),
                difference.unwrap_or_else(|| "no field of the line shows it".into())
            )],
            Outcome::OtherInputs => {
                let mut lines = vec![
                    "Made from other inputs than in the run; it says nothing of that one:".into(),
                ];
                lines.extend(self.changed.iter().map(|change| format!("  {change}")));
                lines
            }
            Outcome::NothingToCompare => {
                vec!["The run has nothing to hold it against.".into()]
            }
        }
    }

    fn losses(&self, began: u64) -> Vec<String> {
        let reports = self.losses.iter().take(SHOWN);
        let mut lines: Vec<String> = reports
            .map(|report| {
                let count = report.count.map_or("no number".into(), |count| {
                    plural(
                        usize::try_from(count).unwrap_or(usize::MAX),
                        unit(report.unit),
                    )
                });
                let (from, until) = report.window_ns;
                format!(
                    "  {}: {count}, between {} and {}",
                    clean(&report.source),
                    since(from, began),
                    since(until, began)
                )
            })
            .collect();
        if let Some(more) = self
            .losses
            .len()
            .checked_sub(SHOWN)
            .filter(|&more| more > 0)
        {
            lines.push(format!("  and {} more", plural(more, "report")));
        }
        lines
    }

    fn gap(&self, gap: &Gap, began: u64) -> String {
        let ids: Vec<String> = gap.execs.iter().map(|id| format!("#{id}")).collect();
        let who = match ids.as_slice() {
            [one] => one.clone(),
            [first, .., last] => format!("{first} to {last} ({})", plural(ids.len(), "exec")),
            [] => String::new(),
        };
        let (from, until) = gap.window_ns;
        let (shortest, longest) = gap.lived_ns;
        let lived = if shortest == longest {
            format!("lived {}", duration(shortest as f64))
        } else {
            format!(
                "lived {} to {}",
                duration(shortest as f64),
                duration(longest as f64)
            )
        };
        let told = match (gap.before, gap.behind) {
            (Some(before), Some(behind)) => {
                format!("told of #{before} before and of #{behind} after")
            }
            (Some(before), None) => format!("told of #{before} before and of none after"),
            (None, Some(behind)) => format!("told of none before and of #{behind} after"),
            (None, None) => "told of none at all".into(),
        };
        let sources: Vec<String> = gap
            .losses
            .iter()
            .filter_map(|&at| Some(clean(&self.losses.get(at)?.source)))
            .fold(Vec::new(), |mut known, source| {
                if !known.contains(&source) {
                    known.push(source);
                }
                known
            });
        let knew = if sources.is_empty() {
            "no loss report touches it".into()
        } else {
            format!("loss reported by {}", list(&sources))
        };
        format!(
            "  {who} {}: {} to {}, {lived}; {told}; {knew}",
            clean(&gap.path.to_string()),
            since(from, began),
            since(until, began)
        )
    }
}

impl Counts {
    fn sentence(&self) -> String {
        let number = |count: u64| thousands(count as f64);
        let mut parts = vec![format!("{} seen", number(self.seen))];
        for (count, what) in [
            (self.missed, "missed"),
            (self.late, "late"),
            (self.duplicates, "duplicates"),
            (self.phantoms, "phantoms"),
            (self.foreign, "foreign"),
        ] {
            if count > 0 {
                parts.push(format!("{} {what}", number(count)));
            }
        }
        format!(
            "{} execs: {}; {} of those seen have the best path.",
            number(self.execs),
            list(&parts),
            number(self.best_path)
        )
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.was.is_none() && self.is.is_none() {
            return f.write_str(&clean(&self.input));
        }
        let say = |value: &Option<String>| value.as_deref().map_or("nothing".into(), clean);
        write!(
            f,
            "{}: {}, was {}",
            clean(&self.input),
            say(&self.is),
            say(&self.was)
        )
    }
}

impl Story {
    fn lines(&self, began: u64) -> Vec<String> {
        let mut lines = vec![format!(
            "Exec #{} (pid {}, {}): {}{}",
            self.exec,
            self.pid,
            clean(&self.path.to_string()),
            self.verdict,
            self.latency_ns
                .map(|ns| format!(", {} after its image started", duration(ns as f64)))
                .unwrap_or_default()
        )];
        let width = |at: u64| since(at, began).len();
        let widest = self.moments.iter().map(|m| width(m.at_ns)).max();
        let widest = widest.unwrap_or_default();
        for moment in &self.moments {
            let mark = if moment.own { '>' } else { ' ' };
            let at = since(moment.at_ns, began);
            lines.push(format!("{mark} {at:>widest$}  {}", clean(&moment.what)));
        }
        if !self.fields.is_empty() {
            lines.push(String::new());
            lines.extend(self.fields.iter().map(Field::line));
        }
        lines
    }
}

impl Field {
    fn line(&self) -> String {
        let expected = clean(&self.expected.to_string());
        let reported = self.reported.as_ref().map(|r| clean(&r.to_string()));
        let class = self.class.as_deref().unwrap_or("not told");
        match reported {
            Some(reported) if reported != expected => {
                format!(
                    "  {}: {class}; it is {expected}, told was {reported}",
                    self.field
                )
            }
            Some(_) | None => format!("  {}: {class}; it is {expected}", self.field),
        }
    }
}

impl Sched {
    fn lines(&self) -> Vec<String> {
        let number = |count: u64| thousands(count as f64);
        let mut lines = vec![
            "A second run, with the scheduler's events recorded. That perturbs it: its figures are not the trial's."
                .to_owned(),
        ];
        if let Some(problem) = &self.problem {
            lines.push(format!("  It could not be recorded: {}", clean(problem)));
        }
        let lost = match (self.lost, self.pages_left_out) {
            (0, 0) => "none lost".to_owned(),
            (lost, 0) => format!("{} LOST, as the buffer was full", number(lost)),
            (lost, pages) => format!(
                "{} LOST, as the buffer was full, and {} pages left out for want of room",
                number(lost),
                number(pages)
            ),
        };
        lines.push(format!("  {} events, {lost}", number(self.events)));
        lines.push(format!(
            "  the CPU was given to the storm {} times and to the monitor {} times, which was woken {} times",
            number(self.storm_switches),
            number(self.monitor_switches),
            number(self.monitor_wakeups)
        ));
        lines.push(match self.other_verdicts {
            None => "  not the same execs were made as in the trial".into(),
            Some(0) => "  every exec has the verdict that it has in the trial".into(),
            Some(count) => format!(
                "  {} execs have another verdict than in the trial",
                number(count)
            ),
        });
        lines.extend(self.figures.iter().map(|figure| {
            let (trial, perturbed) = (figure.trial as f64, figure.perturbed as f64);
            let share = if figure.trial == 0 {
                String::new()
            } else {
                format!(", {}%", signed((perturbed - trial) / trial * 100.0))
            };
            format!(
                "  {}: {} here, {} in the trial ({}{share})",
                figure.what,
                number(figure.perturbed),
                number(figure.trial),
                signed(perturbed - trial)
            )
        }));
        lines
    }
}

/// A time since the storm began, to the nanosecond.
fn since(at_ns: u64, began_ns: u64) -> String {
    let sign = if at_ns < began_ns { '-' } else { '+' };
    let away = at_ns.abs_diff(began_ns);
    format!("{sign}{}.{:06} ms", away / 1_000_000, away % 1_000_000)
}

fn unit(unit: execlab_model::sighting::LossUnit) -> &'static str {
    use execlab_model::sighting::LossUnit;
    match unit {
        LossUnit::Exec => "exec",
        LossUnit::Event => "event",
        LossUnit::Record => "record",
        LossUnit::Unknown => "loss of an unknown unit",
    }
}
