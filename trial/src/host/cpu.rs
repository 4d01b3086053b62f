//! What disturbs measurements on a machine that others use too: time that a hypervisor takes, and
//! changes of frequency.

use std::{fs, path::Path};

/// What the processors were given and how fast they were, at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Processors {
    /// Time in which a virtual CPU was ready and did not run, over all of them, in nanoseconds of whole
    /// ticks (`proc_stat(5)`).
    pub steal_ns: u64,
    /// Lowest and highest frequency in kHz; `None` where nothing tells.
    pub khz: Option<(u64, u64)>,
}

impl Processors {
    /// Looks at them.
    pub fn look() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self {
            steal_ns: parse_steal(&stat).unwrap_or(0),
            khz: scaling(Path::new("/sys/devices/system/cpu")).or_else(|| {
                parse_megahertz(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
            }),
        }
    }
}

pub(crate) fn parse_steal(stat: &str) -> Option<u64> {
    const TICK_NS: u64 = 10_000_000;
    let steal = stat.lines().next()?.split_ascii_whitespace().nth(8)?;
    steal.parse::<u64>().ok()?.checked_mul(TICK_NS)
}

/// `cpuN/cpufreq/scaling_cur_freq` (Documentation/admin-guide/pm/cpufreq.rst).
fn scaling(cpus: &Path) -> Option<(u64, u64)> {
    let files = fs::read_dir(cpus).ok()?.flatten();
    let texts =
        files.filter_map(|e| fs::read_to_string(e.path().join("cpufreq/scaling_cur_freq")).ok());
    range(texts.filter_map(|text| text.trim().parse().ok()))
}

pub(crate) fn parse_megahertz(cpuinfo: &str) -> Option<(u64, u64)> {
    let values = cpuinfo
        .lines()
        .filter_map(|line| line.strip_prefix("cpu MHz")?.split_once(':'))
        .filter_map(|(_, value)| {
            // `2600.000`: kHz without the point, and without floats.
            let (whole, part) = value.trim().split_once('.')?;
            let part: u64 = part.get(..3)?.parse().ok()?;
            whole
                .parse::<u64>()
                .ok()?
                .checked_mul(1000)?
                .checked_add(part)
        });
    range(values)
}

fn range(values: impl Iterator<Item = u64>) -> Option<(u64, u64)> {
    values.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_number_and_frequencies_are_a_range() {
        assert_eq!(parse_steal("cpu  1 2 3 4 5 6 7 9 0 0\n"), Some(90_000_000));
        let text = "cpu MHz\t\t: 2600.125\nx: 1\ncpu MHz\t\t: 1999.000\n";
        assert_eq!(parse_megahertz(text), Some((1_999_000, 2_600_125)));
        assert_eq!(parse_megahertz(""), None);
        let full = u64::MAX;
        assert_eq!(parse_steal(&format!("cpu  1 2 3 4 5 6 7 {full} 0\n")), None);
        assert_eq!(parse_megahertz(&format!("cpu MHz : {full}.000\n")), None);
    }

    #[test]
    fn scaling_goes_before_what_cpuinfo_guesses() {
        let dir = tempfile::tempdir().unwrap();
        for (cpu, khz) in [("cpu0", "800000\n"), ("cpu1", "3200000\n")] {
            let folder = dir.path().join(cpu).join("cpufreq");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("scaling_cur_freq"), khz).unwrap();
        }
        assert_eq!(scaling(dir.path()), Some((800_000, 3_200_000)));
        assert_eq!(scaling(&dir.path().join("none")), None);
    }
}
