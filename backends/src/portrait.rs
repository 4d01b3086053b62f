//! What a technique is, in the words in which people choose one.

/// What belongs together under one heading in lists: techniques of one mechanism, or of one maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// Nothing watches.
    None,
    /// Looks again and again.
    Polling,
    /// The proc connector.
    Netlink,
    /// Told when a process ends: taskstats and BSD process accounting.
    Accounting,
    /// The audit subsystem.
    Audit,
    /// Events of ftrace, read through tracefs.
    Tracefs,
    /// The same events, and perf's own, read from perf's rings.
    Perf,
    /// Programs in the kernel's own virtual machine.
    Ebpf,
    /// Stops the process at the call or at its return: ptrace and seccomp.
    Ptrace,
    /// Notified of files that are opened to be executed.
    Fanotify,
    /// A library in each process.
    Libc,
    /// Security modules that keep a log, without BPF.
    Lsm,
    /// A module in the kernel.
    KernelModule,
    /// Somebody else's program, through the seam.
    Program,
}

impl Family {
    /// The heading.
    pub const fn about(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Polling => "polling",
            Self::Netlink => "netlink",
            Self::Accounting => "accounting",
            Self::Audit => "audit",
            Self::Tracefs => "tracefs",
            Self::Perf => "perf",
            Self::Ebpf => "eBPF",
            Self::Ptrace => "ptrace and seccomp",
            Self::Fanotify => "fanotify",
            Self::Libc => "libc",
            Self::Lsm => "LSM without BPF",
            Self::KernelModule => "kernel module",
            Self::Program => "your own program",
        }
    }
}

/// Whom a technique can watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every process of the machine, those that were there before too.
    System,
    /// What it started itself, and what that starts: it must own the process tree. Its
    /// [`Backend::launch`](crate::Backend::launch) is called in the process that is to be watched.
    Descendants,
}

impl Reach {
    /// For lists.
    pub const fn about(self) -> &'static str {
        match self {
            Self::System => "the whole system",
            Self::Descendants => "its own process tree",
        }
    }
}

/// From which kernel on a technique works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Since {
    /// The first release of Linux that has it, with the reason where it is not plain: `2.6.15`.
    pub release: &'static str,
    /// The first of the locked series on which it attaches as Debian configures and boots it; `None` where it does on
    /// all. Held against what was measured.
    pub series: Option<&'static str>,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portrait {
    /// Its heading.
    pub family: Family,
    /// How an exec gets from the kernel to the reader, in half a sentence.
    pub mechanism: &'static str,
    /// What the kernel, and the one who runs it, must have: one noun phrase each.
    pub needs: &'static [&'static str],
    /// From which kernel on.
    pub since: Since,
    /// By what it knows that it lost something; empty where it cannot know.
    pub loss_signals: &'static [&'static str],
    /// Whom it can watch.
    pub reach: Reach,
}
