//! The registry: every backend of this build, and how one is found.
//!
//! It is the one list from which commands, help, checks of settings and reports follow.

use std::collections::BTreeMap;

use crate::{Backend, Setting};

/// Every backend of this build, in the order in which lists and reports show them.
pub const BACKENDS: &[&dyn Backend] = &[
    &crate::none::NoMonitor,
    #[cfg(feature = "polling")]
    &crate::polling::ps::Ps,
    #[cfg(feature = "polling")]
    &crate::polling::proc_poll::ProcPoll,
    #[cfg(feature = "polling")]
    &crate::polling::proc_poll_start::ProcPollStart,
    #[cfg(feature = "polling")]
    &crate::polling::proc_poll_pidfd::ProcPollPidfd,
    #[cfg(feature = "netlink")]
    &crate::netlink::Netlink,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkPlain,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkFilter,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkEventFilter,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkResync,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkTable,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkThread,
    #[cfg(feature = "netlink")]
    &crate::netlink::NetlinkPerCpu,
    #[cfg(feature = "accounting")]
    &crate::accounting::taskstats::Taskstats,
    #[cfg(feature = "accounting")]
    &crate::accounting::acct::Acct,
    #[cfg(feature = "audit")]
    &crate::audit::AuditRules,
    #[cfg(feature = "audit")]
    &crate::audit::multicast::Multicast,
    #[cfg(feature = "audit")]
    &crate::audit::sixty_four::SixtyFourBit,
    #[cfg(feature = "audit")]
    &crate::audit::seccomp::SeccompLog,
    #[cfg(feature = "tracefs")]
    &crate::tracefs::exec::TracefsExec,
    #[cfg(feature = "tracefs")]
    &crate::tracefs::exec_text::TracefsExecText,
    #[cfg(feature = "tracefs")]
    &crate::tracefs::syscalls::TracefsSyscalls,
    #[cfg(feature = "tracefs")]
    &crate::tracefs::cwd::TracefsCwd,
    #[cfg(feature = "tracefs")]
    &crate::tracefs::kprobe::TracefsKprobe,
    #[cfg(feature = "tracefs")]
    &crate::tracefs::kretprobe::TracefsKretprobe,
    #[cfg(feature = "perf")]
    &crate::perf::exec::Exec,
    #[cfg(feature = "perf")]
    &crate::perf::syscalls::Calls,
    #[cfg(feature = "perf")]
    &crate::perf::sideband::Sideband,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::EbpfProgram,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::RawTracepoint,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Tracepoint,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Kprobe,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Kretprobe,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Fentry,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Fexit,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::LsmCheck,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Lsm,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::LsmSleepable,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::PathKfunc,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::DPath,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Proc,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Execsnoop,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::PerfBuffer,
    #[cfg(feature = "ebpf")]
    &crate::ebpf::Filter,
    #[cfg(feature = "ptrace")]
    &crate::ptrace::Ptrace,
    #[cfg(feature = "ptrace")]
    &crate::ptrace::notify::SeccompNotify,
    #[cfg(feature = "ptrace")]
    &crate::ptrace::seccomp_trace::SeccompTrace,
    #[cfg(feature = "ptrace")]
    &crate::ptrace::traceme::PtraceTraceme,
    #[cfg(feature = "fanotify")]
    &crate::fanotify::filesystem::Filesystem,
    #[cfg(feature = "fanotify")]
    &crate::fanotify::mount::Mount,
    #[cfg(feature = "fanotify")]
    &crate::fanotify::perm::Permission,
    #[cfg(feature = "fanotify")]
    &crate::fanotify::with_pidfd::WithPidfd,
    #[cfg(feature = "preload")]
    &crate::preload::environment::Preload,
    #[cfg(feature = "preload")]
    &crate::preload::file::PreloadFile,
    #[cfg(feature = "audit")]
    &crate::audit::apparmor::AppArmor,
    #[cfg(feature = "lsm")]
    &crate::lsm::tomoyo::Tomoyo,
    #[cfg(feature = "lsm")]
    &crate::lsm::ima::Ima,
    #[cfg(feature = "kmod")]
    &crate::kmod::KmodTracepoint,
    #[cfg(feature = "kmod")]
    &crate::kmod::KmodSyscallTable,
    #[cfg(feature = "kmod")]
    &crate::kmod::KmodSyscallHook,
];

/// The backend of that name.
pub fn find(name: &str) -> Option<&'static dyn Backend> {
    BACKENDS
        .iter()
        .copied()
        .find(|backend| backend.name() == name)
}

/// The named settings (`default` or `tuned`) of a backend, as text; `None` for another name.
pub fn variant(backend: &dyn Backend, name: &str) -> Option<BTreeMap<String, String>> {
    let pick: fn(&Setting) -> &'static str = match name {
        "default" => |s| s.default,
        "tuned" => |s| s.tuned,
        _ => return None,
    };
    Some(
        backend
            .settings()
            .iter()
            .map(|s| (s.name.to_owned(), pick(s).to_owned()))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Settings;

    #[test]
    fn names_are_unique_and_fit_into_trial_ids() {
        let names: BTreeSet<_> = BACKENDS.iter().map(|b| b.name()).collect();
        assert_eq!(names.len(), BACKENDS.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
        }
    }

    /// A kernel cuts names at 15 bytes; a longer one would match no thread, and its cost would be
    /// nobody's.
    #[test]
    fn names_of_kernel_threads_are_such_as_a_kernel_has() {
        for backend in BACKENDS {
            for name in backend.kernel_threads() {
                assert!((1..=15).contains(&name.len()), "{name}");
            }
        }
    }

    #[cfg(feature = "audit")]
    #[test]
    fn the_kernel_thread_of_audit_is_told() {
        assert_eq!(find("audit").unwrap().kernel_threads(), ["kauditd"]);
    }

    #[test]
    fn every_default_and_tuned_value_is_one_that_the_setting_takes() {
        for backend in BACKENDS {
            for name in ["default", "tuned"] {
                let values = variant(*backend, name).unwrap();
                Settings::new(backend.settings(), values).unwrap();
            }
        }
    }
}
