//! Whether results repeat: two lines of one digest against each other, and what the repeats said.

use std::collections::HashMap;

use execlab_model::{
    exit::ExitCode,
    repeat::{Difference, Repeat, Start, Verdict},
    result::{Status, TrialResult},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{clean, plural, shorten};

/// Two lines of one digest that are not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Differing {
    /// A trial.
    pub one: String,
    /// One of the same digest; the same trial where it was run again.
    pub other: String,
    /// How the guest of the repeat was started, where one trial was run again.
    pub start: Option<Start>,
    /// The first difference.
    pub difference: Difference,
}

/// What is known of whether results repeat.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Repeatability {
    /// How many trials were run again, and what came out.
    pub repeated: usize,
    /// How many of them in a guest that was booted and not restored.
    pub cold: usize,
    /// How many came out the same.
    pub same: usize,
    /// How many could not be run again.
    pub failed: usize,
    /// Everything that did not repeat.
    pub differing: Vec<Differing>,
}

impl Repeatability {
    /// Of all results of a run and all of its repeats.
    pub fn new(results: &[TrialResult], repeats: &[Repeat]) -> Self {
        let count = |verdict| repeats.iter().filter(|r| r.verdict == verdict).count();
        let mut differing: Vec<Differing> = repeats
            .iter()
            .filter_map(|repeat| {
                Some(Differing {
                    one: repeat.trial.clone(),
                    other: repeat.trial.clone(),
                    start: Some(repeat.start),
                    difference: repeat.difference.clone()?,
                })
            })
            .collect();
        // Their order is that in which they ended.
        differing.sort_by(|a, b| a.one.cmp(&b.one));
        differing.extend(of_one_digest(results));
        Self {
            repeated: repeats.len(),
            cold: repeats.iter().filter(|r| r.start == Start::Cold).count(),
            same: count(Verdict::Same),
            failed: count(Verdict::Failed),
            differing,
        }
    }

    /// What it makes of a run.
    pub fn exit_code(&self) -> ExitCode {
        match (self.failed, self.differing.is_empty()) {
            (1.., _) => ExitCode::Incomplete,
            (0, false) => ExitCode::Nondeterministic,
            (0, true) => ExitCode::Ok,
        }
    }

    /// `2 trials (1 cold): 2 same`; `None` where nothing was run again.
    pub fn line(&self) -> Option<String> {
        if self.repeated == 0 {
            return None;
        }
        let cold = match self.cold {
            0 => String::new(),
            n => format!(" ({n} cold)"),
        };
        let differ = self.repeated - self.same - self.failed;
        let parts: Vec<String> = [
            (self.same, "same to the last bit"),
            (differ, "not the same"),
            (self.failed, "could not be run again"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        Some(format!(
            "{}{cold}: {}",
            plural(self.repeated, "trial"),
            parts.join(", ")
        ))
    }

    /// One sentence without a full stop for each difference, the first few.
    pub fn warnings(&self) -> Vec<String> {
        const SHOWN: usize = 5;
        let mut all: Vec<String> = self
            .differing
            .iter()
            .take(SHOWN)
            .map(|d| clean(&d.to_string()))
            .collect();
        let more = self.differing.len().saturating_sub(SHOWN);
        if more > 0 {
            all.push(format!("not deterministic: {more} more"));
        }
        if self.failed > 0 {
            let failed = plural(self.failed, "trial");
            all.push(format!(
                "{failed} could not be run again: whether they repeat is not known"
            ));
        }
        all
    }
}

impl std::fmt::Display for Differing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LONGEST: usize = 120;
        let Difference { path, one, other } = &self.difference;
        let (one, other) = (shorten(one, LONGEST), shorten(other, LONGEST));
        match self.start {
            Some(start) => write!(
                f,
                "not deterministic: {} differs when it is run again ({start}): {path} was {one} and then {other}",
                self.one
            ),
            None => write!(
                f,
                "not deterministic: {} and {} have one digest and differ: {path} is {one} and {other}",
                self.one, self.other
            ),
        }
    }
}

/// Trials that were made from the same inputs and did not come out the same.
fn of_one_digest(lines: &[TrialResult]) -> Vec<Differing> {
    let mut first: HashMap<&str, &TrialResult> = HashMap::new();
    let mut pairs = Vec::new();
    let comparable = |l: &&TrialResult| l.status == Status::Completed && !l.digest.is_empty();
    let mut lines: Vec<&TrialResult> = lines.iter().filter(comparable).collect();
    lines.sort_by(|a, b| a.trial.cmp(&b.trial));
    for line in lines {
        let Some(other) = first.get(line.digest.as_str()) else {
            first.insert(&line.digest, line);
            continue;
        };
        if let Some(difference) = difference(other, line) {
            pairs.push(Differing {
                one: other.trial.clone(),
                other: line.trial.clone(),
                start: None,
                difference,
            });
        }
    }
    pairs
}

/// The first difference of two lines that must not differ; `None` where they agree.
///
/// Names of trial and variant, and facts of the host, are no part of it.
pub fn difference(one: &TrialResult, other: &TrialResult) -> Option<Difference> {
    first_difference(&figures(one), &figures(other))
}

fn figures(line: &TrialResult) -> Value {
    let mut line = line.clone();
    line.trial.clear();
    line.backend.variant.clear();
    line.host.clear();
    // Through text: what was read from a file and what was not must be told apart by nothing.
    let text = serde_json::to_string(&line).expect("plain data always encodes");
    serde_json::from_str(&text).expect("what was just written can be read")
}

/// Walks two values in order to the first field in which they differ.
pub fn first_difference(one: &Value, other: &Value) -> Option<Difference> {
    walk(&mut String::new(), Some(one), Some(other))
}

fn walk(path: &mut String, one: Option<&Value>, other: Option<&Value>) -> Option<Difference> {
    match (one, other) {
        (Some(Value::Object(a)), Some(Value::Object(b))) => {
            let only_other = b.keys().filter(|key| !a.contains_key(*key));
            a.keys().chain(only_other).find_map(|key| {
                let step = if path.is_empty() {
                    key.clone()
                } else {
                    format!(".{key}")
                };
                below(path, &step, a.get(key), b.get(key))
            })
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) => (0..a.len().max(b.len()))
            .find_map(|at| below(path, &format!("[{at}]"), a.get(at), b.get(at))),
        (one, other) if one == other => None,
        (one, other) => {
            let say = |v: Option<&Value>| v.map_or_else(|| "nothing".to_owned(), Value::to_string);
            Some(Difference {
                path: path.clone(),
                one: say(one),
                other: say(other),
            })
        }
    }
}

fn below(
    path: &mut String,
    step: &str,
    one: Option<&Value>,
    other: Option<&Value>,
) -> Option<Difference> {
    let length = path.len();
    path.push_str(step);
    let found = walk(path, one, other);
    path.truncate(length);
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn told(one: &Value, other: &Value) -> Option<String> {
        first_difference(one, other).map(|d| d.to_string())
    }

    #[test]
    fn the_first_difference_is_told_with_its_path_and_both_values() {
        let one = json!({"a": 1, "b": {"c": [1, {"d": null}], "e": "x"}, "f": 2});
        let with = |pointer: &str, value: Value| {
            let mut other = one.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            told(&one, &other)
        };
        assert_eq!(told(&one, &one), None);
        let shown = |pointer, value| with(pointer, value).unwrap();
        assert_eq!(shown("/a", json!(2)), "a is 1 and 2");
        assert_eq!(shown("/b/c/1/d", json!("n")), "b.c[1].d is null and \"n\"");
        assert_eq!(
            shown("/b/c", json!([1])),
            "b.c[1] is {\"d\":null} and nothing"
        );
        assert_eq!(
            shown("/b", json!([])),
            r#"b is {"c":[1,{"d":null}],"e":"x"} and []"#
        );
        assert_eq!(
            told(&json!({}), &json!({"z": 0})).unwrap(),
            "z is nothing and 0"
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            (0..3).prop_map(|n| json!(n)),
            Just(json!(1.5))
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..3)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn there_is_a_difference_exactly_where_values_differ(one in values(), other in values()) {
            prop_assert_eq!(first_difference(&one, &other).is_some(), one != other);
        }
    }
}
