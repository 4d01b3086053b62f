//! What the kernel keeps of the runs of programs, and of the times when it did not run them.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

use aya::programs::{Program, loaded_links};
use aya_obj::generated::bpf_link_info;

/// Counts of one program.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
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

/// Of a loaded program.
pub(super) fn statistics(program: &Program) -> Result<Statistics, String> {
    let fd = program.fd().map_err(|error| error.to_string())?;
    let path = format!("/proc/self/fdinfo/{}", fd.as_fd().as_raw_fd());
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Statistics {
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

// `enum bpf_perf_event_type`, and the numbers of the two calls (include/uapi/linux/bpf.h).
const KPROBE: u32 = 3;
const KRETPROBE: u32 = 4;
const BPF_OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const BPF_LINK_GET_FD_BY_ID: libc::c_int = 30;

/// Times that a kprobe was passed and its program not called, as its links count them while they exist: another
/// kprobe was being served, or, at a return, more calls were under way than the kernel keeps records for
/// (`maxactive`). `None` where the kernel tells of no such links (they are objects of their own from 5.15 on,
/// describe themselves from 6.6 on, and count from 6.7 on).
pub(super) fn probe_misses(program: &Program) -> Option<u64> {
    let id = program.info().ok()?.id();
    let links = loaded_links().filter_map(Result::ok);
    let mine = links.filter(|link| link.program_id() == id);
    mine.filter_map(|link| missed(link.id()).ok().flatten())
        .reduce(u64::wrapping_add)
}

/// `info` of `union bpf_attr`.
#[repr(C)]
struct Ask {
    fd: i32,
    bytes: u32,
    at: u64,
}

fn missed(link: u32) -> io::Result<Option<u64>> {
    // The first member of the kernel's union for this call; the others are optional.
    let mut ask = [link, 0, 0];
    let fd = bpf(BPF_LINK_GET_FD_BY_ID, &mut ask)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the call gave us this descriptor, and nobody else has it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };

    // SAFETY: plain numbers, for which zero is a value; the kernel asks that what it does not fill is zero.
    let mut info: bpf_link_info = unsafe { std::mem::zeroed() };
    let size = size_of_val(&info);
    let mut ask = Ask {
        fd: fd.as_raw_fd(),
        bytes: u32::try_from(size).expect("a small structure"),
        at: (&raw mut info) as u64,
    };
    bpf(BPF_OBJ_GET_INFO_BY_FD, &mut ask)?;
    // The kernel says how much it filled; what counts lies at the end of this member.
    let counted = 56;
    // SAFETY: all members of the unions are numbers; the type says which of them the kernel filled, and which
    // those are is checked before anything is made of it.
    let (kind, missed) = unsafe {
        let event = info.__bindgen_anon_1.perf_event;
        (event.type_, event.__bindgen_anon_1.kprobe.missed)
    };
    let perf = aya_obj::generated::bpf_link_type::BPF_LINK_TYPE_PERF_EVENT as u32;
    let known = info.type_ == perf && matches!(kind, KPROBE | KRETPROBE) && ask.bytes >= counted;
    Ok(known.then_some(missed))
}

fn bpf<T>(command: libc::c_int, argument: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: the argument is a structure of the size that is said; it and what it points to live through the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(argument),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_from_what_every_kernel_prints() {
        let old = "pos:\t0\nprog_type:\t17\nrun_time_ns:\t50\nrun_cnt:\t5\n";
        let statistics = parse(old);
        assert_eq!((statistics.misses, statistics.runs), (0, 5));
        assert_eq!(
            statistics.cost().as_deref(),
            Some("5 runs of the program took 10 ns each")
        );
        let new = parse("run_cnt:\t0\nrecursion_misses:\t7\nverified_insns:\t9\n");
        assert_eq!((new.misses, new.cost()), (7, None));
    }
}
