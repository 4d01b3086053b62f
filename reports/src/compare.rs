//! Two lines of one digest against each other.

use execlab_model::{
    repeat::Difference,
    result::{Status, TrialResult},
};
use serde_json::{Value, json};

/// What two lines that were made from the same inputs say of whether these repeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compared {
    /// They are the same.
    Same,
    /// The guests said the same to the last bit, and the lines made of that differ all the same: they
    /// were scored by different versions of execlab.
    Rescored(Difference),
    /// The guests did not do the same.
    Differs(Difference),
}

/// Compares two lines that must not differ.
///
/// Where both have a record, its hash alone decides, and the walk through the fields only tells what
/// is behind it. Names of trial, variant and kernel, and facts of the host, are no part of it. A guest
/// that was lost left nothing to compare but that it was lost: the words for it come from wherever it
/// was found out.
pub fn compare(one: &TrialResult, other: &TrialResult) -> Compared {
    let without_record = |line: &TrialResult| line.record_sha256.is_none();
    let lost = |line: &TrialResult| line.status == Status::Lost && without_record(line);
    if lost(one) && lost(other) {
        return Compared::Same;
    }
    let equal_records = !without_record(one) && one.record_sha256 == other.record_sha256;
    let difference = if one.status == other.status || equal_records {
        first_difference(&figures(one), &figures(other))
    } else {
        // More basic than whatever comes before it in the order of names.
        let status = |line: &TrialResult| json!({ "status": line.status });
        first_difference(&status(one), &status(other))
    };
    match difference {
        None => Compared::Same,
        Some(difference) if equal_records => Compared::Rescored(difference),
        Some(difference) => Compared::Differs(difference),
    }
}

fn figures(line: &TrialResult) -> Value {
    let mut line = line.clone();
    line.trial.clear();
    line.backend.variant.clear();
    line.kernel.name.clear();
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
    use super::*;
    use proptest::prelude::*;

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
