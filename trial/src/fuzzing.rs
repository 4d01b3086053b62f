//! What holds for any text from the kernel. Called by `fuzz/` alone.

use crate::{
    cgroups::parse_usage_ns,
    guest::real_time::{is_real, parse_steal_ns},
    host::{
        cpu::{parse_megahertz, parse_steal},
        runner::find_cgroup2,
    },
    kernel_threads::kernel_thread,
    machine_meter::parse_stat,
    memory::parse_kib,
    witness::parse_forks,
};

/// The counters that a trial reads: what is told is a number that stands there, in its unit. Gives
/// whether any is told.
pub fn counters(text: &str) -> bool {
    let mut taken = false;
    let has = |number: u64| text.contains(&number.to_string());
    if let Some(reading) = parse_stat(text) {
        assert!(reading.busy_ns.is_multiple_of(10_000_000) && text.starts_with("cpu "));
        taken = true;
    }
    if let Some(ns) = parse_steal_ns(text) {
        // Leading zeros and a sign are all that a number may have beside its digits.
        assert!(has(ns / 10_000_000));
        assert_eq!(parse_steal(text), Some(ns), "two readers of one column");
        taken = true;
    }
    if let Some(ns) = parse_usage_ns(text) {
        assert!(has(ns / 1000));
        taken = true;
    }
    for field in ["VmHWM:", "Rss:"] {
        if let Some(bytes) = parse_kib(text, field) {
            assert!(has(bytes / 1024));
            taken = true;
        }
    }
    if let Some((low, high)) = parse_megahertz(text) {
        assert!(low <= high);
        taken = true;
    }
    if let Some(mount) = find_cgroup2(text) {
        assert!(text.contains(mount.to_str().expect("it is part of a text")));
        taken = true;
    }
    if let Some(forks) = parse_forks(text) {
        assert!(has(forks));
        taken = true;
    }
    let _ = is_real(text);
    taken
}

/// The name of a kernel thread is a part of its `stat`.
pub fn kernel_thread_name(stat: &[u8]) {
    if let Some(name) = kernel_thread(stat).map(|thread| thread.name) {
        assert!(str::from_utf8(stat).is_ok_and(|stat| stat.contains(name)));
    }
}
