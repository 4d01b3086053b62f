//! Real-time priority for a monitor, for techniques that gain by running before the program does.

use std::io;

use crate::AttachError;

/// `SCHED_FIFO` with the lowest real-time priority, while it exists (`sched(7)`).
#[derive(Debug)]
pub struct Priority(());

impl Priority {
    /// Raises this thread; what it starts later begins as everybody else.
    pub fn raise() -> Result<Self, AttachError> {
        set_scheduler(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, 1)
            .map_err(AttachError::call("sched_setscheduler SCHED_FIFO 1"))?;
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
