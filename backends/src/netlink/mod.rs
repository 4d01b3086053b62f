//! The proc connector, in several forms: the fact that there was an exec comes from there, what was executed
//! from `/proc`.
//!
//! The kernel broadcasts process events (forks, execs, exits …) to sockets that joined the group of
//! the connector and asked with LISTEN (`drivers/connector/cn_proc.c`; since 2.6.15). An exec event
//! has the process id in the initial namespace and a `CLOCK_MONOTONIC` time and nothing else, so
//! each one is looked up in `/proc`.
//!
//! Each row adds one thing to another:
//!
//! | row | what it is |
//! |---|---|
//! | [`plain`] | every event of every process, one by one, looked up at once and believed |
//! | [`filter`] | a program on the socket lets execs through alone; what `/proc` says is checked |
//! | [`event_filter`] | the same, the connector itself being told which events to send |
//! | [`thread`] | `filter`, with a thread that only receives and another that looks up |
//! | [`table`] | `filter`, with a table of processes that answers what `/proc` no longer can |
//! | [`resync`] | `filter`, with a search in `/proc` after a loss |
//! | [`per_cpu`] | `filter`, once for each CPU |
//! | [`all`] | `filter` and `resync` in one, always in batches |
//!
//! What holds for all of them:
//! - Needs: root in the initial user, PID and network namespaces; `CONFIG_PROC_EVENTS` (every distribution).
//!   Elsewhere the kernel ignores LISTEN without a word (`cn_proc_mcast_ctl`), so its acknowledgement is awaited.
//! - What `/proc` says is put aside where it is not of this event's image (`resolve`, all but `plain`): the
//!   process has not called exec since its fork (`PF_FORKNOEXEC`) or began later than the event, so it is another
//!   one with the same number; or a later event of the same process happened before the lookup ended. Sightings
//!   are therefore handed over only when the queue has been seen empty after the lookup.
//! - A queue that overflows is told by `ENOBUFS`, and from then on the kernel drops everything until the queue is
//!   empty (`NETLINK_S_CONGESTED`). The setting `overflow=go-on` turns both off (`NETLINK_NO_ENOBUFS`): less is
//!   lost, and the loss is still known, because in both ways the socket's counter of drops is read
//!   (`SO_MEMINFO`, 4.12) whenever the queue is empty (`drops`, all but `plain`). The kernel counts after
//!   filters, so where only execs pass, the unit is execs.
//! - What it cannot see: failed execs. The path of a process that ended before it was looked up (its name, cut at
//!   15 bytes, while it is a zombie; nothing after): with `scheduling=fifo` on one CPU the reader runs before the
//!   new program does. The first of two images of one process where the second exec was under way during the
//!   lookup and its event came after it. The string that was passed to the call.
//! - A monitor that is killed leaves the kernel's count of listeners raised (until 6.5), so events go on being made
//!   for nobody, until the next boot or until somebody signs it off (`remains`).
//! - Releases of January and February 2024 (6.6 and 6.7 stable among them, none of the locked ones) forget a
//!   listener whose filter drops an event that nobody else wants: `send_msg` set the count of listeners to zero then
//!   (c46bfba1337d, reverted by 8929f95b2b58).

use crate::priority;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
#[cfg(any(test, feature = "fuzzing"))]
mod kernel;
#[cfg(feature = "look")]
mod look;

mod bpf;
mod connector;
mod drops;
mod gaps;
mod handoff;
mod mask;
mod options;
mod processes;
mod release;
mod remains;
mod resolve;
mod search;
mod socket;
mod wire;

pub mod all;
pub mod event_filter;
pub mod filter;
pub mod per_cpu;
pub mod plain;
pub mod resync;
pub mod table;
pub mod thread;

pub use all::Netlink;
pub use event_filter::NetlinkEventFilter;
pub use filter::NetlinkFilter;
pub use per_cpu::NetlinkPerCpu;
pub use plain::NetlinkPlain;
pub use remains::OfConnector;
pub use resync::NetlinkResync;
pub use table::NetlinkTable;
pub use thread::NetlinkThread;
