//! JSON schemas of what other programs read, made from the types themselves.
//!
//! They are checked in under `schema/`; a test makes them again and compares.

use execlab_model::{result::TrialResult, seam::Message};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

/// Of one line of `results.jsonl`.
pub fn results() -> Value {
    of::<TrialResult>("One line of results.jsonl")
}

/// Of `summary.json`.
pub fn summary() -> Value {
    of::<crate::Summary>("summary.json")
}

/// Of what `execlab compare --format json` prints.
pub fn across() -> Value {
    of::<crate::Across>("Order of costs across labs")
}

/// Of what `execlab compare --format json` prints of two runs of one lab.
pub fn gate() -> Value {
    of::<crate::gate::Gate>("Gate")
}

/// Of what `execlab decide --format json` prints.
pub fn decision() -> Value {
    of::<crate::decide::Decision>("A design decision")
}

/// Of what `execlab report --conformance --format json` prints.
pub fn conformance() -> Value {
    of::<crate::conformance::Conformance>("Conformance table")
}

/// Of what `execlab replay --format json` prints.
pub fn replay() -> Value {
    of::<crate::replay::Replay>("A replay")
}

/// Of the timeline that `execlab replay` writes: what it uses of the Trace Event Format.
pub fn trace() -> Value {
    of::<crate::trace::Trace>("A timeline")
}

/// Of `find.json`, and of what `execlab find --format json` prints.
pub fn find() -> Value {
    of::<crate::find::Find>("find.json")
}

/// Of one line that a monitor prints: `execlab watch`, and any program behind `exec:`. As it is read: what a program
/// may leave out is not required.
pub fn monitor() -> Value {
    let settings = SchemaSettings::draft2020_12().for_deserialize();
    titled::<Message>("One line of a monitor", settings)
}

fn of<T: JsonSchema>(title: &str) -> Value {
    // As it is written, not as it is read: a reader of the file may rely on every field.
    titled::<T>(title, SchemaSettings::draft2020_12().for_serialize())
}

fn titled<T: JsonSchema>(title: &str, settings: SchemaSettings) -> Value {
    let generator = settings.into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), title.into());
    schema.to_value()
}
