//! The connector's own choice of events: a LISTEN of eight bytes with a mask, since Linux 6.6
//! (`cn_filter`, `drivers/connector/cn_proc.c`).
//!
//! A kernel that heeds it sends no acknowledgement, which is of none of the chosen kinds; an older one ignores
//! a request of that length without a word. So it is proved otherwise: this process renames itself, to the name
//! that it has. The kernel sends that event while the call lasts, so it is in the queue after it or
//! will never be.

use nix::sys::prctl;

use super::{
    socket::{Batch, Listener},
    wire::{Event, PROC_EVENT_COMM, PROC_EVENT_EXEC},
};
use crate::AttachError;

/// Chooses execs, on a socket that listens to everything, and proves that the choice is heeded. What was seen.
pub fn narrow(listener: &mut Listener) -> Result<String, AttachError> {
    listener.listen_to(PROC_EVENT_EXEC | PROC_EVENT_COMM)?;
    if !shows_renaming(listener)? {
        return Err(AttachError::Unsupported(
            "LISTEN with a mask of execs and renamings was sent, and no event came of this process renaming \
             itself"
                .into(),
        ));
    }
    listener.listen_to(PROC_EVENT_EXEC)?;
    if shows_renaming(listener)? {
        return Err(AttachError::Unsupported(
            "the kernel ignored the event mask (those since 6.6 heed it): LISTEN with a mask of execs alone was \
             sent, and an event came of this process renaming itself"
                .into(),
        ));
    }
    Ok(
        "event mask: with execs and renamings in it this process was seen to rename itself, with execs alone \
        it no longer was"
            .into(),
    )
}

/// Gives this thread the name that it has: an event of a renaming, and no change.
pub fn rename_self() -> nix::Result<()> {
    prctl::set_name(&prctl::get_name()?)
}

/// Whether an event comes when this process renames itself. Empties the queue.
fn shows_renaming(listener: &mut Listener) -> Result<bool, AttachError> {
    rename_self().map_err(AttachError::call("prctl PR_SET_NAME"))?;
    let pid = std::process::id();
    let mut seen = false;
    loop {
        match listener
            .read_batch()
            .map_err(AttachError::call("recv of the connector"))?
        {
            Batch::Messages(n) => {
                seen |= (0..n).any(|slot| listener.event(slot) == Some(Event::Name { pid }));
            }
            Batch::Overflowed => {}
            Batch::Empty => return Ok(seen),
        }
    }
}
