//! The meter of cost: what the scheduler counts anyway, in `/proc/schedstat`
//! (Documentation/scheduler/sched-stats.rst; unchanged in what is read here from version 15 to 17).

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

/// Where the kernel keeps it.
pub const SCHEDSTAT: &str = "/proc/schedstat";
/// More than one CPU with its domains takes; more CPUs are read in pieces.
const PIECE: usize = 4096;

/// What it shows, summed over all CPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Run time of all tasks but the idle one, in nanoseconds; the current slice of a task that runs
    /// is not in it yet.
    pub busy_ns: u64,
    /// How often a task was given a CPU.
    pub switches: u64,
}

/// The meter, open.
#[derive(Debug)]
pub struct Meter {
    file: File,
    text: Vec<u8>,
    /// Lines of CPUs, behind which nothing has to be read any more.
    cpus: usize,
}

impl Meter {
    /// Opens it and reads it once, so that later readings allocate nothing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut meter = Self {
            file: File::open(path)?,
            text: Vec::new(),
            cpus: usize::MAX,
        };
        meter.read()?;
        meter.cpus = cpu_lines(&meter.text).count();
        Ok(meter)
    }

    /// What it shows now.
    pub fn read(&mut self) -> io::Result<Reading> {
        let mut length = 0;
        while cpu_lines(&self.text[..length]).count() < self.cpus {
            if self.text.len() < length + PIECE {
                self.text.resize(length + PIECE, 0);
            }
            match self.file.read_at(&mut self.text[length..], length as u64)? {
                0 => break,
                more => length += more,
            }
        }
        parse(&self.text[..length]).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "the scheduler's statistics hold no run time of a CPU",
            )
        })
    }
}

/// The whole lines of CPUs, without their first word.
pub(crate) fn cpu_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|&byte| byte == b'\n')
        .filter_map(|line| line.strip_suffix(b"\n")?.strip_prefix(b"cpu"))
}

/// Sums the seventh and the ninth field of each CPU; `None` also for a sum that no counter holds.
pub(crate) fn parse(text: &[u8]) -> Option<Reading> {
    let mut sum = None;
    for line in cpu_lines(text) {
        let mut fields = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
        let mut field = |skip: usize| fields.nth(skip)?.parse::<u64>().ok();
        // The CPU's number is the first word of what is left of the line.
        let (busy_ns, switches) = (field(7)?, field(1)?);
        let so_far: &mut Reading = sum.get_or_insert_default();
        so_far.busy_ns = so_far.busy_ns.checked_add(busy_ns)?;
        so_far.switches = so_far.switches.checked_add(switches)?;
    }
    sum
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TWO: &str = "version 17\ntimestamp 4294896041\ncpu0 0 0 5 1 2 3 1000 77 9\n\
                       domain0 MC 00000003 1 2\ncpu1 0 0 5 1 2 3 200 77 30\ndomain0 MC 1 2\n";

    #[test]
    fn readings_are_summed_over_cpus() {
        let reading = Reading {
            busy_ns: 1200,
            switches: 39,
        };
        assert_eq!(parse(TWO.as_bytes()), Some(reading));
        assert_eq!(parse(b"version 15\n"), None);
        assert_eq!(parse(b"cpu0 1 2\n"), None);
        let full = format!("cpu0 0 0 5 1 2 3 {} 77 9\n", u64::MAX);
        assert_eq!(parse(full.repeat(2).as_bytes()), None);
    }

    #[test]
    fn it_is_read_anew_each_time() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(TWO.as_bytes()).unwrap();
        let mut meter = Meter::open(file.path()).unwrap();
        assert_eq!(meter.read().unwrap().busy_ns, 1200);
        let later = TWO.replace("1000", "1007");
        file.as_file().write_all_at(later.as_bytes(), 0).unwrap();
        assert_eq!(meter.read().unwrap().busy_ns, 1207);
    }

    #[test]
    fn many_cpus_are_read_in_pieces() {
        let lines = "cpu0 0 0 5 1 2 3 2 77 1\n".repeat(1000);
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().write_all_at(lines.as_bytes(), 0).unwrap();
        assert!(lines.len() > PIECE);
        let mut meter = Meter::open(file.path()).unwrap();
        assert_eq!(meter.read().unwrap().switches, 1000);
    }

    #[test]
    fn a_file_without_cpus_is_no_meter() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Meter::open(file.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
