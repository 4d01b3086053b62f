//! Brings the program into the kernel, or finds out why that cannot be.

use std::{error::Error, fs, io, os::fd::AsFd, os::fd::AsRawFd};

use aya::{
    Btf, Ebpf, EbpfError, EbpfLoader,
    maps::{Array, MapData, MapError, PerfEventArray, RingBuf},
    programs::{BtfTracePoint, ProgramError},
    util::{nr_cpus, online_cpus},
};
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};

use super::{Attached, Cpu, Losses, Source};
use crate::{AttachError, BadSetting, Settings, clock};

static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/exec.bpf.o"));

const TYPES: &str = "/sys/kernel/btf/vmlinux";
const TRACEPOINT: &str = "sched_process_exec";
const PAGE: u32 = 4096;

pub(super) fn attach(settings: &Settings) -> Result<Attached, AttachError> {
    let pages = settings.number("buffer-pages");
    let bytes = u32::try_from(pages)
        .ok()
        .filter(|pages| pages.is_power_of_two())
        .map(|pages| pages * PAGE)
        .ok_or_else(|| BadSetting::Value {
            name: "buffer-pages",
            value: pages.to_string(),
            takes: "a power of two from 1 to 65536".into(),
        })?;
    let perf = settings.word("buffer") == "perf";
    let linger_ms = u16::try_from(settings.number("linger-ms")).unwrap_or(u16::MAX);
    let argv_limit = u32::try_from(settings.number("argv-bytes")).unwrap_or(u32::MAX);

    // Before 5.11 a map counts as locked memory. This is a process of its own, so nobody else is
    // given more; where it may not be raised, creating the maps says what is wrong.
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);

    let types = Btf::parse_file(TYPES, aya::Endianness::default()).map_err(|error| {
        AttachError::Unsupported(format!(
            "no type information of this kernel in {TYPES}: {}",
            chain(&error)
        ))
    })?;
    let possible = nr_cpus().map_err(|(path, error)| AttachError::call(path)(error))?;
    let entries = u32::try_from(possible).unwrap_or(u32::MAX);
    let use_perf = u32::from(perf);
    let force_wakeup_at = if linger_ms > 0 {
        u64::from(bytes / 2)
    } else {
        0
    };
    let mut ebpf = EbpfLoader::new()
        .btf(Some(&types))
        .override_global("use_perf", &use_perf, true)
        .override_global("argv_limit", &argv_limit, true)
        .override_global("force_wakeup_at", &force_wakeup_at, true)
        .map_max_entries("cpus", entries)
        .map_max_entries("records", entries)
        .map_max_entries("ring", if perf { PAGE } else { bytes })
        .load(OBJECT)
        .map_err(explain)?;

    let cpus =
        Array::<MapData, Cpu>::try_from(take(&mut ebpf, "cpus")).map_err(|e| unusable(&e))?;
    let attached_ns = clock::monotonic_ns();
    let (source, what) = if perf {
        let mut array =
            PerfEventArray::try_from(take(&mut ebpf, "perf")).map_err(|e| unusable(&e))?;
        let online = online_cpus().map_err(|(path, error)| AttachError::call(path)(error))?;
        let count = online.len();
        let pages = usize::try_from(pages).expect("checked above");
        let buffers = online
            .into_iter()
            .map(|cpu| array.open(cpu, Some(pages)))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| {
                AttachError::call("perf_event_open(BPF_OUTPUT)")(io::Error::other(chain(&error)))
            })?;
        (
            Source::Perf(buffers),
            format!("{count} perf buffers of {bytes} bytes"),
        )
    } else {
        let ring = RingBuf::try_from(take(&mut ebpf, "ring")).map_err(|e| unusable(&e))?;
        (Source::Ring(ring), format!("ring buffer of {bytes} bytes"))
    };

    let program = program(&mut ebpf).map_err(|e| refused(&e))?;
    program.load(TRACEPOINT, &types).map_err(|e| refused(&e))?;
    let link = program.attach().map_err(|e| refused(&e))?;
    let info = program.info().map_err(|e| refused(&e))?;
    let mut evidence = vec![
        format!(
            "raw tracepoint {TRACEPOINT} (tp_btf): program {}",
            info.id()
        ),
        what,
    ];
    if let Some(count) = info.verified_instruction_count() {
        evidence.push(format!("{count} instructions verified"));
    }
    Ok(Attached {
        ebpf,
        link: Some(link),
        cpus,
        source,
        linger_ms,
        evidence,
        since_ns: attached_ns,
        losses: Losses::new(
            "records that found no room in the buffer",
            possible,
            attached_ns,
        ),
        malformed: 0,
        perf_lost: 0,
        drains: 0,
        notes: Vec::new(),
    })
}

/// Loads maps and program as they are without any setting, and lets them go.
#[cfg(feature = "look")]
pub(super) fn try_loading() -> Result<String, AttachError> {
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    let types = Btf::parse_file(TYPES, aya::Endianness::default())
        .map_err(|error| AttachError::Unsupported(chain(&error)))?;
    let mut ebpf = EbpfLoader::new()
        .btf(Some(&types))
        .map_max_entries("ring", PAGE)
        .load(OBJECT)
        .map_err(explain)?;
    let program = program(&mut ebpf).map_err(|e| refused(&e))?;
    program.load(TRACEPOINT, &types).map_err(|e| refused(&e))?;
    Ok(format!(
        "the kernel took it for the raw tracepoint {TRACEPOINT} (tp_btf)"
    ))
}

fn take(ebpf: &mut Ebpf, map: &str) -> aya::maps::Map {
    ebpf.take_map(map)
        .unwrap_or_else(|| panic!("bpf/exec.bpf.c has no map `{map}`"))
}

pub(super) fn program(ebpf: &mut Ebpf) -> Result<&mut BtfTracePoint, ProgramError> {
    ebpf.program_mut("exec")
        .expect("bpf/exec.bpf.c has this program")
        .try_into()
}

/// What the kernel keeps of a program's runs.
pub(super) struct Statistics {
    /// Times it was not started because it already ran on that CPU; 0 before 5.12, which never does that.
    pub misses: u64,
    runs: u64,
    time_ns: u64,
}

impl Statistics {
    /// Known only while `kernel.bpf_stats_enabled` is set.
    pub(super) fn cost(&self) -> Option<String> {
        (self.runs > 0).then(|| {
            format!(
                "{} runs of the program took {} ns each",
                self.runs,
                self.time_ns / self.runs
            )
        })
    }
}

pub(super) fn statistics(ebpf: &mut Ebpf) -> Result<Statistics, String> {
    let program = program(ebpf).map_err(|error| error.to_string())?;
    let fd = program.fd().map_err(|error| error.to_string())?;
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(parse_statistics(&text))
}

fn parse_statistics(text: &str) -> Statistics {
    let number = |name: &str| {
        text.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| *key == name)
            .and_then(|(_, value)| value.trim().parse().ok())
            .unwrap_or(0)
    };
    Statistics {
        misses: number("recursion_misses"),
        runs: number("run_cnt"),
        time_ns: number("run_time_ns"),
    }
}

/// Characters of a long explanation that are kept.
const KEEP: usize = 1500;

/// An error with its causes, and no more of a verifier's log than its end.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    if text.len() > 2 * KEEP {
        let head: String = text.chars().take(KEEP / 4).collect();
        let tail: String = text.chars().rev().take(KEEP).collect();
        let tail: String = tail.chars().rev().collect();
        text = format!("{head} … {tail}");
    }
    text
}

/// Whether the kernel said no to us, and not to what we asked.
fn errno(mut error: &(dyn Error + 'static)) -> Option<i32> {
    loop {
        if let Some(code) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Some(code);
        }
        error = error.source()?;
    }
}

fn explain(error: EbpfError) -> AttachError {
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error })
            if name == "ring" && io_error.raw_os_error() == Some(libc::EINVAL) =>
        {
            AttachError::Unsupported(
                "the kernel has no BPF ring buffer (Linux 5.8): bpf(MAP_CREATE) answered EINVAL"
                    .into(),
            )
        }
        error => judge("bpf(load object)", &error),
    }
}

fn refused(error: &ProgramError) -> AttachError {
    judge("bpf(load and attach program)", error)
}

fn unusable(error: &MapError) -> AttachError {
    judge("bpf(map)", error)
}

/// A kernel without BPF, under lockdown, or that does not let us: unsupported. All else is a failure.
fn judge(call: &str, error: &(dyn Error + 'static)) -> AttachError {
    let text = chain(error);
    match errno(error) {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) if !text.contains("processed") => {
            AttachError::Unsupported(format!("{call} is not allowed here: {text}"))
        }
        _ if text.contains("unknown func bpf_probe_read_kernel") => {
            AttachError::Unsupported(format!(
                "programs may not read the kernel's memory here (lockdown=confidentiality): {text}"
            ))
        }
        _ => AttachError::call(call)(io::Error::other(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_from_what_every_kernel_prints() {
        let old = "pos:\t0\nprog_type:\t17\nrun_time_ns:\t50\nrun_cnt:\t5\n";
        let statistics = parse_statistics(old);
        assert_eq!((statistics.misses, statistics.runs), (0, 5));
        assert_eq!(
            statistics.cost().as_deref(),
            Some("5 runs of the program took 10 ns each")
        );
        let new = parse_statistics("run_cnt:\t0\nrecursion_misses:\t7\nverified_insns:\t9\n");
        assert_eq!((new.misses, new.cost()), (7, None));
    }

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let because = |code| {
            let io_error = io::Error::from_raw_os_error(code);
            let name = "cpus".to_owned();
            explain(EbpfError::MapError(MapError::CreateError {
                name,
                io_error,
            }))
        };
        assert!(
            matches!(because(libc::EPERM), AttachError::Unsupported(why) if why.contains("cpus"))
        );
        assert!(matches!(because(libc::ENOMEM), AttachError::Call { .. }));
    }

    #[test]
    fn a_size_that_is_no_power_of_two_is_refused_before_anything_is_done() {
        let values = [("buffer-pages".to_owned(), "3".to_owned())].into();
        let settings = Settings::new(super::super::SETTINGS, values).unwrap();
        assert!(matches!(
            attach(&settings),
            Err(AttachError::Setting(BadSetting::Value {
                name: "buffer-pages",
                ..
            }))
        ));
    }
}
