//! Being a trial on a machine that has other things to do, and leaving it as it was.
//!
//! ```text
//! execlab run ── supervisor ── runner ── storm, monitor
//!     │              │            └ own mount, UTS and IPC namespaces, own cgroups; dies with the supervisor
//!     │              └ notes what may be changed, waits, ends everything, puts everything back
//!     └ holds the supervisor's standard input open: its end is the end of the trial
//! ```
//!
//! Whichever of them is killed, the next one to the left puts things back; where all are, what was noted
//! still lies in the [`session`]'s folder, and `execlab doctor --clean` or the next run does it.
//!
//! PID, network, user and cgroup namespaces stay the machine's own: the process connector and audit speak
//! to the initial ones only, and cgroup ids and host pids are what monitors report.

pub mod claim;
pub mod clean;
pub mod cpu;
pub mod runner;
pub mod session;
pub mod supervisor;
