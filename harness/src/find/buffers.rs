//! Which setting of a backend is its buffer, and which of its values are worth looking at.

use execlab_reports::find::Values;

use crate::registry::BackendInfo;

/// Names of settings that say how much waits for a monitor before something is lost; of a backend that
/// has several, the first is where it loses first.
const BUFFERS: [&str; 7] = [
    "backlog",
    "rcvbuf",
    "buffer-pages",
    "buffer-kb",
    "pages",
    "queue",
    "size-kib",
];

/// A quarter of its default, its default, and as tuned; `None` where it has no buffer.
pub fn usual(info: &BackendInfo) -> Option<Values> {
    let name = BUFFERS
        .into_iter()
        .find(|name| info.default.contains_key(*name))?;
    let default = &info.default[name];
    let quarter = default.parse().ok().map(|n: u64| (n / 4).to_string());
    let tuned = info.tuned.get(name).cloned();
    let mut values: Vec<String> = Vec::new();
    for value in quarter.into_iter().chain([default.clone()]).chain(tuned) {
        if !values.contains(&value) && info.check_setting(name, &value).is_ok() {
            values.push(value);
        }
    }
    Some(Values {
        setting: name.to_owned(),
        values,
    })
}
