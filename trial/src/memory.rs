//! What memory says of a monitor: how much it held, and whether the kernel killed for lack of it.

use std::fs;

use crate::cgroups::Cgroups;

/// Highest resident set of the processes in the monitor's cgroup, in bytes, summed.
///
/// Before Linux 6.2 (commit f1a7941243c1) a thread's own counts reach those of its memory only with every 64th page
/// fault (`TASK_RSS_EVENTS_THRESH`), and one fault may map 16 pages: `VmHWM` of a small monitor was 8 KiB. So what its page
/// tables hold now counts as well.
pub(crate) fn peak_bytes(cgroups: &Cgroups) -> u64 {
    let procs = fs::read_to_string(cgroups.monitor().join("cgroup.procs")).unwrap_or_default();
    let of = |pid: &str, file: &str, field: &str| {
        let text = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
        parse_kib(&text, field)
    };
    procs
        .lines()
        .filter_map(|pid| of(pid, "status", "VmHWM:").max(of(pid, "smaps_rollup", "Rss:")))
        .sum()
}

/// How many processes the kernel has killed for lack of memory (`oom_kill` of `/proc/vmstat`).
pub(crate) fn oom_kills() -> u64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.and_then(|count| count.parse().ok()).unwrap_or(0)
}

/// A field of `/proc/PID/status` or `/proc/PID/smaps_rollup` that is given in kB, in bytes.
pub(crate) fn parse_kib(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_in_kib_are_read_in_bytes() {
        let status = "Name:\tx\nVmHWM:\t    1024 kB\n";
        assert_eq!(parse_kib(status, "VmHWM:"), Some(1 << 20));
        let rollup = "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:                1560 kB\nPss:  12 kB\n";
        assert_eq!(parse_kib(rollup, "Rss:"), Some(1560 << 10));
        assert_eq!(parse_kib("Name:\tkthreadd\n", "VmHWM:"), None);
        let full = format!("VmHWM:\t{} kB\n", u64::MAX);
        assert_eq!(parse_kib(&full, "VmHWM:"), None);
    }
}
