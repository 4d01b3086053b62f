//! One event of a trace.

use std::{cmp::Reverse, collections::BTreeMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What an event says beside its name; strings in it are of people and of kernels, in the spelling of
/// [`Bytes`](execlab_model::Bytes) where they are bytes.
pub type Args = BTreeMap<String, Value>;

/// What kind of event it is: its `ph`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum Phase {
    /// The name or the place of a track or of a group of tracks.
    #[serde(rename = "M")]
    Metadata,
    /// A slice: from `ts` on, `dur` long.
    #[serde(rename = "X")]
    Slice,
    /// An arrow begins in the slice around it.
    #[serde(rename = "s")]
    ArrowBegin,
    /// An arrow ends in the slice around it.
    #[serde(rename = "f")]
    ArrowEnd,
    /// A moment.
    #[serde(rename = "i")]
    Instant,
    /// Counters from `ts` on.
    #[serde(rename = "C")]
    Counter,
}

/// A time in microseconds, exact to the nanosecond up to 11 days.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Micros(f64);

impl Micros {
    /// From nanoseconds.
    pub fn from_ns(ns: u64) -> Self {
        Self(ns as f64 / 1000.0)
    }

    /// Back to nanoseconds.
    pub fn ns(self) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it was a whole number of nanoseconds"
        )]
        let ns = (self.0 * 1000.0).round() as u64;
        ns
    }
}

/// See the module. What an event has not is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Shown on it; of metadata, what is named.
    pub name: String,
    /// By what viewers filter and colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cat: Option<String>,
    /// Its kind.
    pub ph: Phase,
    /// When.
    pub ts: Micros,
    /// For how long; of slices only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dur: Option<Micros>,
    /// The group of tracks: not a process of the guest.
    pub pid: u32,
    /// The track: not a thread of the guest. No two groups share one.
    pub tid: u32,
    /// What the two ends of an arrow have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// `e`: an arrow ends in the slice around it and not in the next one; of the ends of arrows only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bp: Option<String>,
    /// `t`: a moment of its track alone; of moments only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<String>,
    /// More about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: Args,
}

impl Event {
    fn new(ph: Phase, name: impl Into<String>, (pid, tid): (u32, u32), at_ns: u64) -> Self {
        Self {
            name: name.into(),
            cat: None,
            ph,
            ts: Micros::from_ns(at_ns),
            dur: None,
            pid,
            tid,
            id: None,
            bp: None,
            s: None,
            args: Args::new(),
        }
    }

    /// The name of a group of tracks, and its place among the others: as its number says.
    pub fn group(pid: u32, name: &str) -> [Self; 2] {
        let named = |what: &str| Self::new(Phase::Metadata, what, (pid, 0), 0);
        [
            named("process_name").with("name", name),
            named("process_sort_index").with("sort_index", pid),
        ]
    }

    /// The name of a track, and its place in its group: as its number says.
    pub fn track(track: (u32, u32), name: &str) -> [Self; 2] {
        let named = |what: &str| Self::new(Phase::Metadata, what, track, 0);
        [
            named("thread_name").with("name", name),
            named("thread_sort_index").with("sort_index", track.1),
        ]
    }

    /// A slice between two times.
    pub fn slice(
        category: &str,
        name: impl Into<String>,
        track: (u32, u32),
        (from_ns, until_ns): (u64, u64),
    ) -> Self {
        Self {
            cat: Some(category.into()),
            dur: Some(Micros::from_ns(until_ns.saturating_sub(from_ns))),
            ..Self::new(Phase::Slice, name, track, from_ns)
        }
    }

    /// A moment.
    pub fn instant(category: &str, name: impl Into<String>, track: (u32, u32), at_ns: u64) -> Self {
        Self {
            cat: Some(category.into()),
            s: Some("t".into()),
            ..Self::new(Phase::Instant, name, track, at_ns)
        }
    }

    /// An arrow from one track and time to another.
    pub fn arrow(
        category: &str,
        name: &str,
        id: u64,
        from: ((u32, u32), u64),
        to: ((u32, u32), u64),
    ) -> [Self; 2] {
        let end = |ph, bp: Option<&str>, (track, at_ns)| Self {
            cat: Some(category.into()),
            id: Some(id),
            bp: bp.map(str::to_owned),
            ..Self::new(ph, name, track, at_ns)
        };
        [
            end(Phase::ArrowBegin, None, from),
            end(Phase::ArrowEnd, Some("e"), to),
        ]
    }

    /// Counters from a time on.
    pub fn counters(name: &str, track: (u32, u32), at_ns: u64, values: &[(&str, u64)]) -> Self {
        let mut event = Self::new(Phase::Counter, name, track, at_ns);
        for &(name, value) in values {
            event = event.with(name, value);
        }
        event
    }

    /// Says one thing more.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.insert(name.into(), value.into());
        self
    }

    /// Says one thing more, if there is anything to say.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The place of an event in its trace.
    pub(super) fn order(&self) -> (bool, u32, u32, u64, Reverse<u64>, Phase) {
        let length = self.dur.map_or(0, Micros::ns);
        let named = self.ph != Phase::Metadata;
        (
            named,
            self.pid,
            self.tid,
            self.ts.ns(),
            Reverse(length),
            self.ph,
        )
    }
}
