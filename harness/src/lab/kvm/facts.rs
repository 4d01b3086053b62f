//! What the host did beside a trial that ran in real time.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

/// A tick of `/proc/stat` in milliseconds: `USER_HZ` is 100 on x86.
const TICK_MS: u64 = 10;

/// What is known at one moment; what cannot be read is left out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// Runnable tasks, averaged over a minute.
    load: Option<f64>,
    /// What this host's own host took from it, in ticks.
    steal: Option<u64>,
}

impl Facts {
    /// Reads them.
    pub(super) fn now(proc: &Path) -> Self {
        let read = |name: &str| fs::read_to_string(proc.join(name)).ok();
        let load = |text: String| text.split(' ').next()?.parse().ok();
        let steal = |text: String| {
            let all_cpus = text.lines().next()?.strip_prefix("cpu ")?;
            all_cpus.split_ascii_whitespace().nth(7)?.parse().ok()
        };
        Self {
            load: read("loadavg").and_then(load),
            steal: read("stat").and_then(steal),
        }
    }

    /// The facts of the time between two moments: how busy the host was when it began, and what was
    /// taken from it.
    pub(super) fn until(&self, end: &Self) -> BTreeMap<String, Value> {
        let load = self.load.map(|load| ("host_load".to_owned(), json!(load)));
        let steal = self.steal.zip(end.steal);
        let steal = steal.map(|(then, now)| {
            let ms = now.saturating_sub(then) * TICK_MS;
            ("host_steal_ms".to_owned(), json!(ms))
        });
        load.into_iter().chain(steal).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_and_steal_are_told_and_what_is_not_there_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Facts::now(dir.path()), Facts::default());
        fs::write(dir.path().join("loadavg"), "1.50 0.75 0.10 2/300 4242\n").unwrap();
        let stat = |steal: u64| {
            let text = format!("cpu  1 2 3 4 5 6 7 {steal} 0 0\ncpu0 1\n");
            fs::write(dir.path().join("stat"), text).unwrap();
            Facts::now(dir.path())
        };
        let told = stat(3).until(&stat(15));
        assert_eq!(
            serde_json::to_string(&told).unwrap(),
            r#"{"host_load":1.5,"host_steal_ms":120}"#
        );
        assert!(Facts::default().until(&stat(15)).is_empty());
    }
}
