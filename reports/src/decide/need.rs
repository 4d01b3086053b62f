//! What a candidate must show: `completeness>=0.999`, `path=exact`, `containers`, `honesty=knew|knew-too-much`.
//!
//! A need is a metric of [`METRICS`], a comparison and a value. Two have words of their own: `path=exact` is
//! `path_accuracy>=1`, every seen exec's path in the best class that its scenario allows (a memfd has no canonical path,
//! and nobody is blamed for that); and `containers` is `container>=1`. Whatever is asked of the container is asked in
//! container scenarios alone.

use std::{fmt, str::FromStr};

use execlab_model::result::Honesty;

use crate::metric::{METRICS, Metric, Reading, Unit};

/// Names for people, beside the ids of [`METRICS`].
pub const ALIASES: &[(&str, &str)] = &[
    ("path", "path_accuracy"),
    ("containers", "container"),
    ("loss", "true_loss"),
    ("cost", "added_per_exec"),
    ("idle", "idle_added"),
    ("latency", "latency_p99"),
    ("memory", "memory_peak"),
];

/// Words of honesty, best first.
pub(super) const HONESTY: [&str; 5] = [
    Honesty::Knew.as_str(),
    Honesty::KnewTooMuch.as_str(),
    Honesty::KnewWithoutANumber.as_str(),
    Honesty::KnewTooLittle.as_str(),
    Honesty::DidNotKnow.as_str(),
];

/// See the module.
#[derive(Debug, Clone)]
pub struct Need {
    pub(super) metric: &'static Metric,
    op: Op,
    wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    AtLeast,
    AtMost,
    Equal,
    Above,
    Below,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Number(f64),
    /// Any of them.
    Words(Vec<&'static str>),
}

/// A text that is no need.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNeed {
    /// A metric that there is not.
    #[error("unknown metric `{0}`")]
    Metric(String),
    /// No comparison.
    #[error(
        "`{0}` compares nothing: write it as METRIC>=VALUE, or with <=, =, > or < (only `containers` stands alone)"
    )]
    NoComparison(String),
    /// Words have no order.
    #[error("{metric} is a word, and words are only compared by `=`: `{metric}={}`", HONESTY[0])]
    NoOrder {
        /// Its id.
        metric: &'static str,
    },
    /// A value that the metric cannot have.
    #[error("`{value}` is no value of {metric}: {valid}")]
    Value {
        /// Its id.
        metric: &'static str,
        /// As it was written.
        value: String,
        /// What it can be.
        valid: String,
    },
}

impl Need {
    /// Every name that a need can begin with.
    pub fn names() -> impl Iterator<Item = &'static str> {
        let ids = METRICS.iter().map(|metric| metric.id);
        ALIASES.iter().map(|(alias, _)| *alias).chain(ids)
    }

    /// A most for what watching adds to an exec, in the unit of cost of the results.
    pub fn max_cost(most: f64) -> Self {
        Self {
            metric: metric("added_per_exec"),
            op: Op::AtMost,
            wanted: Wanted::Number(most),
        }
    }

    /// Whether it limits what watching costs or how quick it is, and not what was seen.
    pub fn is_cost(&self) -> bool {
        let unit = self.metric.unit;
        unit.is_difference()
            || matches!(
                unit,
                Unit::CostPerExec | Unit::Percent | Unit::Nanoseconds | Unit::Bytes
            )
    }

    /// Whether it is asked in container scenarios alone.
    pub(super) fn is_of_containers(&self) -> bool {
        is_of_containers(self.metric)
    }

    /// Whether a trial in which the metric says this is good enough.
    pub fn is_met(&self, reading: Reading) -> bool {
        match (&self.wanted, reading) {
            (Wanted::Number(wanted), Reading::Number(n)) => match self.op {
                Op::AtLeast => n >= *wanted,
                Op::AtMost => n <= *wanted,
                Op::Equal => n.total_cmp(wanted).is_eq(),
                Op::Above => n > *wanted,
                Op::Below => n < *wanted,
            },
            (Wanted::Words(words), Reading::Word(word)) => words.contains(&word),
            // A word in the place of a number (`not offered`) is no number that is good enough.
            _ => false,
        }
    }

    /// How far a reading is from what is wanted: of several the largest is the worst. What is no number is beyond all.
    pub(super) fn badness(&self, reading: Reading) -> f64 {
        match (&self.wanted, reading) {
            (Wanted::Number(wanted), Reading::Number(n)) => match self.op {
                Op::AtLeast | Op::Above => wanted - n,
                Op::AtMost | Op::Below => n - wanted,
                Op::Equal => (n - wanted).abs(),
            },
            (_, Reading::Word(word)) => {
                let place = HONESTY.iter().position(|known| *known == word);
                place.map_or(f64::INFINITY, |place| place as f64)
            }
            _ => f64::INFINITY,
        }
    }

    /// The strictest need of the same kind that all of these meet; `None` where there is none (a number that was never
    /// offered, or an exact number that is missed).
    pub(super) fn loosened(&self, readings: &[Reading]) -> Option<Self> {
        let wanted = match &self.wanted {
            Wanted::Words(words) => {
                let mut words = words.clone();
                for reading in readings {
                    match reading {
                        Reading::Word(word) if !words.contains(word) => words.push(word),
                        Reading::Word(_) => {}
                        Reading::Number(_) => return None,
                    }
                }
                words.sort_by_key(|word| HONESTY.iter().position(|known| known == word));
                Wanted::Words(words)
            }
            Wanted::Number(wanted) => {
                let mut numbers = vec![*wanted];
                for reading in readings {
                    match reading {
                        Reading::Number(n) => numbers.push(*n),
                        Reading::Word(_) => return None,
                    }
                }
                let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
                let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                match self.op {
                    Op::AtLeast | Op::Above => Wanted::Number(round(least, f64::floor)),
                    Op::AtMost | Op::Below => Wanted::Number(round(most, f64::ceil)),
                    Op::Equal => return None,
                }
            }
        };
        let op = match self.op {
            Op::Above => Op::AtLeast,
            Op::Below => Op::AtMost,
            op => op,
        };
        let metric = self.metric;
        Some(Self { metric, op, wanted })
    }
}

/// Whether a metric says something of containers, and so nothing where there are none.
pub(super) fn is_of_containers(metric: &Metric) -> bool {
    metric.id == "container"
}

/// With no more digits than people read, towards the looser side.
fn round(value: f64, towards: fn(f64) -> f64) -> f64 {
    let scale = if value.abs() >= 1000.0 { 1.0 } else { 1e6 };
    towards(value * scale) / scale
}

pub(super) fn metric(id: &str) -> &'static Metric {
    Metric::by_id(id).expect("a metric of the table")
}

impl PartialEq for Need {
    fn eq(&self, other: &Self) -> bool {
        (self.metric.id, self.op, &self.wanted) == (other.metric.id, other.op, &other.wanted)
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.metric.id;
        match (id, self.op, &self.wanted) {
            ("path_accuracy", Op::AtLeast, Wanted::Number(1.0)) => f.write_str("path=exact"),
            ("container", Op::AtLeast, Wanted::Number(1.0)) => f.write_str("containers"),
            (_, op, wanted) => {
                f.write_str(id)?;
                f.write_str(match op {
                    Op::AtLeast => ">=",
                    Op::AtMost => "<=",
                    Op::Equal => "=",
                    Op::Above => ">",
                    Op::Below => "<",
                })?;
                match wanted {
                    Wanted::Number(number) => write!(f, "{number}"),
                    Wanted::Words(words) => f.write_str(&words.join("|")),
                }
            }
        }
    }
}

impl FromStr for Need {
    type Err = BadNeed;

    fn from_str(text: &str) -> Result<Self, BadNeed> {
        let at = text.find(['<', '>', '=']).unwrap_or(text.len());
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let plain = name.to_lowercase().replace('-', "_");
        let alias = ALIASES.iter().find(|(alias, _)| *alias == plain);
        let id = alias.map_or(plain.as_str(), |(_, id)| id);
        let metric = Metric::by_id(id).ok_or_else(|| BadNeed::Metric(name.to_owned()))?;
        let ops = [
            (">=", Op::AtLeast),
            ("<=", Op::AtMost),
            (">", Op::Above),
            ("<", Op::Below),
            ("==", Op::Equal),
            ("=", Op::Equal),
        ];
        let found = ops
            .iter()
            .find_map(|(sign, op)| Some((*op, rest.strip_prefix(sign)?.trim())));
        let all = Self {
            metric,
            op: Op::AtLeast,
            wanted: Wanted::Number(1.0),
        };
        let (op, value) = match found {
            Some(found) => found,
            None if metric.id == "container" => return Ok(all),
            None => return Err(BadNeed::NoComparison(text.to_owned())),
        };
        match (metric.id, op, value) {
            ("path_accuracy", Op::Equal, "exact" | "best") | ("container", Op::Equal, "right") => {
                return Ok(all);
            }
            _ => {}
        }
        let wanted = if metric.unit == Unit::Word {
            if op != Op::Equal {
                return Err(BadNeed::NoOrder { metric: metric.id });
            }
            Wanted::Words(words(metric, value)?)
        } else {
            Wanted::Number(number(metric, value)?)
        };
        Ok(Self { metric, op, wanted })
    }
}

fn words(metric: &'static Metric, value: &str) -> Result<Vec<&'static str>, BadNeed> {
    let mut words = Vec::new();
    for word in value.split('|').map(str::trim) {
        let known = HONESTY.into_iter().find(|known| *known == word);
        words.push(known.ok_or_else(|| BadNeed::Value {
            metric: metric.id,
            value: word.to_owned(),
            valid: format!("{}; several are divided by `|`", HONESTY.join(", ")),
        })?);
    }
    Ok(words)
}

/// A number with the unit that suits the metric, if any is written.
fn number(metric: &'static Metric, value: &str) -> Result<f64, BadNeed> {
    let units: &[(&str, f64)] = match metric.unit {
        Unit::Share => &[("%", 0.01)],
        Unit::Percent | Unit::AddedPercent => &[("%", 1.0)],
        Unit::Nanoseconds => &[
            ("ns", 1.0),
            ("us", 1e3),
            ("µs", 1e3),
            ("ms", 1e6),
            ("s", 1e9),
        ],
        Unit::Bytes => &[
            ("KiB", 1024.0),
            ("MiB", 1_048_576.0),
            ("GiB", 1_073_741_824.0),
            ("B", 1.0),
        ],
        _ => &[],
    };
    let bad = |valid: &str| BadNeed::Value {
        metric: metric.id,
        value: value.to_owned(),
        valid: valid.to_owned(),
    };
    let (digits, factor) = units
        .iter()
        .find_map(|(unit, factor)| Some((value.strip_suffix(unit)?.trim_end(), *factor)))
        .unwrap_or((value, 1.0));
    let mut digits = digits.replace('_', "");
    let is_percentage = metric.unit == Unit::Share && factor < 1.0;
    if is_percentage {
        // Divided by 100, 99.9 would be a little more than the nearest number to 0.999.
        digits += "e-2";
    }
    let parsed: Option<f64> = digits.parse().ok();
    let Some(parsed) = parsed.filter(|n| n.is_finite()) else {
        let known: Vec<&str> = units.iter().map(|(unit, _)| *unit).collect();
        return Err(bad(&match (metric.id, known.as_slice()) {
            ("path_accuracy", _) => "a share from 0 to 1, a percentage, or `exact`".to_owned(),
            (_, []) => "a number".to_owned(),
            (_, known) => format!("a number, alone or with {}", known.join(", ")),
        }));
    };
    let number = if is_percentage {
        parsed
    } else {
        parsed * factor
    };
    if metric.unit == Unit::Share && !(0.0..=1.0).contains(&number) {
        return Err(bad("a share from 0 to 1, or a percentage as in `99.9%`"));
    }
    Ok(number)
}
