//! The trials of one place in the table.

use serde::Deserialize;

/// What is needed of a line of results.
#[derive(Debug, Clone, Deserialize)]
pub struct Line {
    pub trial: String,
    pub status: String,
    pub lab: String,
    pub backend: Backend,
    pub kernel: Kernel,
    pub workload: Workload,
    completeness: Option<Completeness>,
    path: Option<Path>,
    argv: Option<Arguments>,
    parent: Option<Field>,
    credentials: Option<Field>,
    container: Option<Field>,
    loss: Option<Loss>,
    cost: Option<Cost>,
    pub notes: Vec<String>,
    pub provenance: Provenance,
}

impl Line {
    /// Whether it has all that a completed trial is to have.
    pub fn is_whole(&self) -> bool {
        self.completeness.is_some() && self.path.is_some() && self.cost.is_some()
    }

    /// Whether the lab itself doubts its costs (`reports/src/doubts.rs`).
    fn is_doubted(&self) -> bool {
        const DOUBTS: [&str; 3] = [
            "the meter is not to be trusted",
            "compared with a baseline whose meter is not to be trusted",
            "the kernel did not settle before the trial",
        ];
        let doubts = |note: &String| DOUBTS.iter().any(|begin| note.starts_with(begin));
        self.notes.iter().any(doubts)
    }
}

#[derive(Debug, Clone, Deserialize)]
pub struct Backend {
    pub name: String,
    pub variant: String,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Kernel {
    pub name: String,
    pub release: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Workload {
    pub scenario: String,
    pub load: String,
    pub execs: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Completeness {
    seen: u32,
    missed: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Path {
    best: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Arguments {
    exact: u32,
}

/// What is right or not, of those that were seen.
#[derive(Debug, Clone, Deserialize)]
struct Field {
    right: u32,
}

#[derive(Debug, Clone, Deserialize)]
struct Loss {
    self_reported: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
struct Cost {
    added_per_exec: Option<f64>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Provenance {
    pub qemu: Option<String>,
    pub monitor: Option<String>,
}

/// The trials of one backend, variant and kernel, seed by seed.
#[derive(Debug, Default)]
pub struct Cell<'a>(pub Vec<&'a Line>);

impl Cell<'_> {
    /// Median of what an exec costs more, and half of the range; instructions.
    pub fn added(&self) -> Option<(f64, f64)> {
        let costs = self.0.iter().filter_map(|line| line.cost.as_ref());
        let mut added: Vec<f64> = costs.filter_map(|cost| cost.added_per_exec).collect();
        added.sort_by(f64::total_cmp);
        let (first, last) = (added.first()?, added.last()?);
        Some((added[added.len() / 2], (last - first) / 2.0))
    }

    /// Of all seeds: execs, those seen, and those of them that came with the best path there is.
    pub fn seen(&self) -> (u32, u32, u32) {
        let of = |line: &&Line| {
            let seen = line.completeness.as_ref().map_or(0, |c| c.seen);
            let missed = line.completeness.as_ref().map_or(0, |c| c.missed);
            (
                seen + missed,
                seen,
                line.path.as_ref().map_or(0, |p| p.best),
            )
        };
        let parts = self.0.iter().map(of);
        parts.fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
    }

    /// Whether the lab doubts what this cost, in any seed.
    pub fn is_doubted(&self) -> bool {
        self.0.iter().any(|line| line.is_doubted())
    }

    /// What sees little is cheap, and what is doubted may be.
    pub fn may_be_cheapest(&self) -> bool {
        self.saw_all() && !self.is_doubted()
    }

    fn saw_all(&self) -> bool {
        let (all, seen, _) = self.seen();
        seen == all
    }

    /// What a cost is not to be read without: how many of the execs were not seen, or came without their path.
    pub fn shortfall(&self) -> String {
        let (all, seen, best) = self.seen();
        match (seen == all, best == seen) {
            (true, true) => String::new(),
            (true, false) => format!(" ({} right paths)", share(best, seen)),
            (false, _) if seen == 0 => " (saw none)".to_owned(),
            (false, true) => format!(" (saw {})", share(seen, all)),
            (false, false) => format!(
                " (saw {}, {} right paths)",
                share(seen, all),
                share(best, seen)
            ),
        }
    }

    /// What is told right of so many execs.
    fn told(&self) -> [(&'static str, u32); 5] {
        let sum = |of: fn(&Line) -> Option<u32>| self.0.iter().filter_map(|line| of(line)).sum();
        [
            ("right paths", sum(|line| Some(line.path.as_ref()?.best))),
            ("arguments", sum(|line| Some(line.argv.as_ref()?.exact))),
            ("parents", sum(|line| Some(line.parent.as_ref()?.right))),
            ("users", sum(|line| Some(line.credentials.as_ref()?.right))),
            (
                "containers",
                sum(|line| Some(line.container.as_ref()?.right)),
            ),
        ]
    }

    /// Whether this one saw a smaller part than the other, and what it tells right of a smaller part, by over a tenth, of
    /// those that it saw.
    pub fn fewer_than(&self, other: Option<&Self>) -> String {
        let Some(other) = other else {
            return String::new();
        };
        let part = |of: u32, all: u32| f64::from(of) / f64::from(all.max(1));
        let ((all, seen, _), (others, others_seen, _)) = (self.seen(), other.seen());
        let mut fewer = Vec::new();
        if part(seen, all) < part(others_seen, others) {
            fewer.push("execs");
        }
        for ((what, of_this), (_, of_other)) in self.told().into_iter().zip(other.told()) {
            if part(of_other, others_seen) - part(of_this, seen) > 0.1 {
                fewer.push(what);
            }
        }
        if fewer.is_empty() {
            return String::new();
        }
        format!(" fewer {}", fewer.join(", "))
    }

    pub fn self_reported(&self) -> Option<f64> {
        self.0.first()?.loss.as_ref()?.self_reported
    }
}

/// In whole percent, of which 0 and 100 mean none and all.
fn share(part: u32, all: u32) -> String {
    let percent = f64::from(part) * 100.0 / f64::from(all);
    match part {
        0 => "0 %".to_owned(),
        _ if part == all => "100 %".to_owned(),
        _ => format!("{:.0} %", percent.clamp(1.0, 99.0)),
    }
}
