//! Scenarios: the ways in which an exec is made. One file for each, and the list of all.

use std::fmt;

use execlab_model::{
    result::PathClass,
    workload::{Load, Workload},
};

mod acting;
mod attempt;
mod bare;
mod chain;
mod emulation;
mod handlers;
mod interpreted;
mod layers;
mod memory;
mod mounts;
mod overlay;
mod place;
mod prepare;
mod privileges;
mod rewriter;
mod runtime;
mod tenant;
#[cfg(test)]
mod testing;
mod way;
mod worker;

pub mod absolute;
pub mod argv0_other;
pub mod argv_overwritten;
pub mod bind_mount;
pub mod binfmt_misc;
pub mod binfmt_misc_transparent;
pub mod build;
pub mod burst_over_buffers;
pub mod cgroup_moved_after;
pub mod cgroup_moved_before;
pub mod cgroup_v1;
pub mod chdir;
pub mod chroot;
pub mod clone3_cgroup;
pub mod compat_32;
pub mod container;
pub mod deep_path;
pub mod deleted;
pub mod double_exec;
pub mod dynamic;
pub mod e2big;
pub mod eacces;
pub mod eloop;
pub mod empty_argv;
pub mod enoent;
pub mod enoexec;
pub mod enotdir;
pub mod etxtbsy;
pub mod execve_check;
pub mod execveat_dirfd;
pub mod fchdir;
pub mod fexecve;
pub mod file_capabilities;
pub mod fork;
pub mod fork_only;
pub mod hard_link;
pub mod huge_argument;
pub mod int80;
pub mod kernel_helper;
pub mod long_components;
pub mod many_arguments;
pub mod memfd;
pub mod memfd_sealed;
pub mod mm_exe_file;
pub mod nested_pid_namespace;
pub mod no_proc;
pub mod no_read_permission;
pub mod o_path;
pub mod odd_names;
pub mod overlay_lower;
pub mod overlay_upper;
pub mod overwritten_after;
pub mod pid_reuse;
pub mod posix_spawn;
pub mod prctl_name;
pub mod private_proc;
pub mod proc_self_exe;
pub mod proc_self_fd;
pub mod programs;
pub mod quiet_victim;
pub mod relative;
pub mod renamed_after;
pub mod rewritten_argv;
pub mod rewritten_path;
pub mod runtime_bubblewrap;
pub mod runtime_crun;
pub mod script;
pub mod script_arguments;
pub mod script_by_fd;
pub mod script_chain;
pub mod script_without_interpreter_line;
pub mod setns;
pub mod setuid;
pub mod squashfs;
pub mod symlink;
pub mod symlink_chain;
pub mod thread_exec;
pub mod tmpfs;
pub mod user_namespace;
pub mod vfork;

pub(crate) use place::{Place, bytes, cgroup_dir, cgroup_id, make_cgroup, namespaces};
pub use prepare::{Ground, Prepared, SetupError, Witness};
pub(crate) use prepare::{die_with_parent, install, make_dir};
pub use way::{Way, Witnessed};

/// Every scenario, in the order in which lists and reports show them. The only list.
pub const SCENARIOS: &[&dyn Scenario] = &[
    &absolute::Absolute,
    &relative::Relative,
    &symlink::Symlink,
    &container::Container,
    &fork::Fork,
    &vfork::Vfork,
    &posix_spawn::PosixSpawn,
    &clone3_cgroup::Clone3Cgroup,
    &double_exec::DoubleExec,
    &thread_exec::ThreadExec,
    &fork_only::ForkOnly,
    &pid_reuse::PidReuse,
    &chdir::Chdir,
    &fchdir::Fchdir,
    &execveat_dirfd::ExecveatDirfd,
    &fexecve::Fexecve,
    &o_path::OPath,
    &proc_self_exe::ProcSelfExe,
    &proc_self_fd::ProcSelfFd,
    &symlink_chain::SymlinkChain,
    &hard_link::HardLink,
    &bind_mount::BindMount,
    &memfd::Memfd,
    &memfd_sealed::MemfdSealed,
    &deleted::Deleted,
    &renamed_after::RenamedAfter,
    &overwritten_after::OverwrittenAfter,
    &argv0_other::Argv0Other,
    &empty_argv::EmptyArgv,
    &long_components::LongComponents,
    &deep_path::DeepPath,
    &odd_names::OddNames,
    &dynamic::Dynamic,
    &script::Script,
    &script_arguments::ScriptArguments,
    &script_chain::ScriptChain,
    &script_by_fd::ScriptByFd,
    &script_without_interpreter_line::ScriptWithoutInterpreterLine,
    &binfmt_misc::BinfmtMisc,
    &binfmt_misc_transparent::BinfmtMiscTransparent,
    &compat_32::Compat32,
    &int80::Int80,
    &setuid::Setuid,
    &file_capabilities::FileCapabilities,
    &no_read_permission::NoReadPermission,
    &tmpfs::Tmpfs,
    &overlay_upper::OverlayUpper,
    &overlay_lower::OverlayLower,
    &squashfs::Squashfs,
    &enoent::Enoent,
    &eacces::Eacces,
    &enoexec::Enoexec,
    &e2big::E2big,
    &etxtbsy::Etxtbsy,
    &enotdir::Enotdir,
    &eloop::Eloop,
    &execve_check::ExecveCheck,
    &chroot::Chroot,
    &nested_pid_namespace::NestedPidNamespace,
    &user_namespace::UserNamespace,
    &setns::Setns,
    &private_proc::PrivateProc,
    &no_proc::NoProc,
    &cgroup_v1::CgroupV1,
    &cgroup_moved_before::CgroupMovedBefore,
    &cgroup_moved_after::CgroupMovedAfter,
    &runtime_crun::RuntimeCrun,
    &runtime_bubblewrap::RuntimeBubblewrap,
    // Against the monitor.
    &rewritten_path::RewrittenPath,
    &rewritten_argv::RewrittenArgv,
    &mm_exe_file::MmExeFile,
    &prctl_name::PrctlName,
    &argv_overwritten::ArgvOverwritten,
    &quiet_victim::QuietVictim,
    &burst_over_buffers::BurstOverBuffers,
    &many_arguments::ManyArguments,
    &huge_argument::HugeArgument,
    &kernel_helper::KernelHelper,
    // Real life.
    &build::Build,
];

/// What the scenarios of a suite have in common: lists show them under these headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// The first matrix: what a run without any other word does.
    First,
    /// How the child is made.
    Child,
    /// How the file is named.
    Name,
    /// What the file is.
    File,
    /// Where it runs.
    Where,
    /// What did not happen.
    Attempt,
    /// Against the monitor.
    Against,
    /// Real life.
    Life,
}

impl Family {
    /// The heading.
    pub const fn about(self) -> &'static str {
        match self {
            Self::First => "the first matrix",
            Self::Child => "how the child is made",
            Self::Name => "how the file is named",
            Self::File => "what the file is",
            Self::Where => "where it runs",
            Self::Attempt => "what did not happen",
            Self::Against => "against the monitor",
            Self::Life => "real life",
        }
    }
}

/// One way, or a few that belong together, in which execs are made.
pub trait Scenario: Sync {
    /// Name in commands, results and reports: lower case, words joined by `-`.
    fn name(&self) -> &'static str;

    /// One line for lists and help.
    fn about(&self) -> &'static str;

    /// Under which heading it stands.
    fn family(&self) -> Family;

    /// The path classes that are as good as a path can be here.
    fn best(&self) -> &'static [PathClass] {
        &[PathClass::Exact]
    }

    /// The first locked kernel series that can do it; `None` where all can. On older ones [`prepare`]
    /// finds [`SetupError::Unsupported`], and tests hold the two against each other.
    ///
    /// [`prepare`]: Self::prepare
    fn since(&self) -> Option<&'static str> {
        None
    }

    /// Kernel modules that are loaded for it before the trial, and for no other scenario.
    fn modules(&self) -> &'static [&'static str] {
        &[]
    }

    /// Programs of a distribution that it runs: sets of `vm/userland.toml`. Their files are in the guest's root,
    /// and only in guests of trials of this scenario; so it is also [`Self::only_in_guests`].
    fn userland(&self) -> &'static [&'static str] {
        &[]
    }

    /// Why it cannot run on a kernel that others use too: what it changes and cannot take back, or what
    /// it needs that only a guest of ours has. `None` where it runs on a host as well.
    fn only_in_guests(&self) -> Option<&'static str> {
        None
    }

    /// The load that it is made for, where the usual one would not show what it shows.
    fn load(&self) -> Option<Load> {
        None
    }

    /// The fewest children with which it shows what it shows; fewer are not run.
    fn least_execs(&self) -> u32 {
        1
    }

    /// The most children of which a guest holds what monitors and witnesses say; more are not run.
    fn most_execs(&self) -> u32 {
        u32::MAX
    }

    /// Prepares files and namespaces for this workload, in the process that will make the execs. Nothing
    /// that it starts may call exec, but for checks of what the kernel can do.
    fn prepare(&self, ground: &Ground, workload: &Workload) -> Result<Prepared, SetupError>;
}

impl fmt::Debug for dyn Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static dyn Scenario> {
    SCENARIOS
        .iter()
        .copied()
        .find(|scenario| scenario.name() == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_fit_into_trial_ids() {
        let names: BTreeSet<_> = SCENARIOS.iter().map(|s| s.name()).collect();
        assert_eq!(names.len(), SCENARIOS.len());
        for name in names {
            assert!(
                name.bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'),
                "{name}"
            );
        }
    }

    #[test]
    fn what_needs_a_userland_runs_in_guests_alone() {
        for scenario in SCENARIOS.iter().filter(|s| !s.userland().is_empty()) {
            assert!(scenario.only_in_guests().is_some(), "{scenario:?}");
        }
    }
}
