//! The family `kmod`: a module of our own in the kernel.
//!
//! Three rows, a module each, which differ in where they stand and share all else:
//!
//! | row | stands |
//! |---|---|
//! | [`kmod-tracepoint`](tracepoint) | at the tracepoint `sched_process_exec` |
//! | [`kmod-syscall-table`](syscall_table) | in the places of `execve` and `execveat` in the table of system calls |
//! | [`kmod-syscall-hook`](syscall_hook) | at the handlers of these calls, by return probes or by ftrace |
//!
//! # How it works
//!
//! A module is compiled by the host's own gcc against the headers of the very kernel (`kmod/` beside `src/`, built by
//! `execlab`), loaded with `finit_module`, and taken out again when the monitor is dropped. In the task that
//! executes it collects everything there and then: pids in both namespaces, parent, user, time, cgroup id, namespaces,
//! device and inode, the string passed to the call, the arguments (from the new stack), and the path. The path comes from
//! `d_path`, which is exported: it is the path from the root of the task that executes, so a program in a `chroot` is
//! named as the program itself would name it, and a file that was deleted says so. Up to 8,191 bytes; what is longer is
//! absent. The record goes into one ring of the module's (`kmod/report.c`) under a lock, and the reader takes many with
//! one `read` from a character device. It is woken by the first record that it finds, not by each.
//!
//! Nothing is typed and nothing verified: what the eBPF rows read through helpers and checks, a module reads by plain
//! loads, and what it does wrong stops the machine.
//!
//! # Needs
//!
//! A compiler and the headers of this very kernel; `CAP_SYS_MODULE`; a kernel that takes unsigned modules (neither
//! `module.sig_enforce` nor lockdown, which Secure Boot turns on).
//!
//! In guests `execlab` sees to the first two: it fetches the headers that `vm/headers.lock` names, builds, and sends the
//! module along. On a machine of one's own the folder with the built modules is named in `EXECLAB_MODULES`:
//!
//! ```text
//! cp -r backends/kmod /tmp/kmod
//! make -C /lib/modules/$(uname -r)/build M=/tmp/kmod modules
//! EXECLAB_MODULES=/tmp/kmod execlab watch --backend kmod-tracepoint
//! ```
//!
//! # What it leaves
//!
//! The kernel is tainted (out-of-tree, unsigned) until the next boot. A monitor that is killed leaves its module
//! loaded; it records nothing from then on, and whoever supervises the monitor takes it out.
//!
//! Sources: `kernel/module`, `kernel/tracepoint.c`, `fs/d_path.c`, `fs/exec.c` (`exec_binprm`) of Linux.

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "look")]
mod look;
mod module;
mod monitor;
mod record;
mod remains;
mod symbols;
pub mod syscall_hook;
pub mod syscall_table;
pub mod tracepoint;

pub use module::FOLDER_VARIABLE;
pub use syscall_hook::KmodSyscallHook;
pub use syscall_table::KmodSyscallTable;
pub use tracepoint::KmodTracepoint;

use crate::Offers;

const PROGRAM: &str = "kmod";

/// What a module finds on any kernel.
const OFFERS: Offers = Offers {
    pid: true,
    parent: true,
    uid: true,
    path: true,
    argv: true,
    container: true,
    time: true,
    loss: true,
};

const CHANGES: &[&str] = &[
    "a module is loaded while it watches; the kernel stays tainted (out-of-tree, unsigned) until the next boot",
];

const RING_IS_FULL: &str = "the module's own counter of records that did not fit";
