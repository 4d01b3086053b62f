//! Traces in the Trace Event Format (JSON), which Perfetto and `chrome://tracing` open.
//!
//! The format is described in "Trace Event Format" (the Chromium project). Times are microseconds there, with a
//! fraction: three digits of it are the nanoseconds of a guest, so none is lost. What readers expect beyond what the
//! description says (slices of one track lie in each other or apart, both ends of an arrow lie in slices) is held by
//! [`check`](fn@check).

mod check;
mod event;

pub use check::{Flaw, check};
pub use event::{Args, Event, Micros, Phase};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text::json_line;

/// A whole trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trace {
    /// In the order of their tracks and, on each, of time.
    pub trace_events: Vec<Event>,
    /// `ns`: how viewers print times.
    pub display_time_unit: String,
    /// What the trace is of, for people.
    pub other_data: Args,
}

impl Trace {
    /// Of these events, put into order.
    ///
    /// The order is kept by readers where times are equal: what names tracks comes first, and a slice comes before
    /// what lies in it.
    pub fn new(mut events: Vec<Event>, other_data: Args) -> Self {
        events.sort_by_key(Event::order);
        Self {
            trace_events: events,
            display_time_unit: "ns".into(),
            other_data,
        }
    }

    /// As a file, one event a line.
    pub fn to_json(&self) -> String {
        let mut out = String::from("{\"traceEvents\":[\n");
        for (at, event) in self.trace_events.iter().enumerate() {
            if at > 0 {
                out.push_str(",\n");
            }
            out.push_str(&json_line(event));
        }
        out.push_str("\n],\"displayTimeUnit\":");
        out.push_str(&json_line(&self.display_time_unit));
        out.push_str(",\"otherData\":");
        out.push_str(&json_line(&self.other_data));
        out.push_str("}\n");
        out
    }
}
