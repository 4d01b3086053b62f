//! Real-time priority for a monitor, for techniques that gain by running before the program does.

use std::io;

use crate::{AttachError, Kind, Setting};

/// Of rows that look up what a program may have left behind by then.
pub const SCHEDULING: Setting = Setting {
    name: "scheduling",
    help: "fifo: real-time priority, so that the lookup comes before the program runs on",
    kind: Kind::Word(&["normal", "fifo"]),
    default: "normal",
    tuned: "fifo",
};

/// The calling thread's, while it exists (`sched(7)`).
#[derive(Debug)]
pub struct Priority(());

impl Priority {
    /// `SCHED_FIFO` for the calling thread; what it starts later begins as everybody else. 1 is the lowest and above
    /// everything that has no real-time priority.
    pub fn raise(priority: i32) -> Result<Self, AttachError> {
        set_scheduler(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, priority).map_err(
            AttachError::call(format!("sched_setscheduler SCHED_FIFO {priority}")),
        )?;
        Ok(Self(()))
    }
}

impl Drop for Priority {
    fn drop(&mut self) {
        // Going back down is always allowed.
        let _ = set_scheduler(libc::SCHED_OTHER, 0);
    }
}

fn set_scheduler(policy: i32, priority: i32) -> io::Result<()> {
    let parameter = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the parameter lives through the call; 0 means this thread.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const parameter) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
