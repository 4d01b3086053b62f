//! What the two threads of a reader share: a queue of events, and what was lost before they came into it.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::{drops::Lost, wire::Event};
use crate::MonitorError;

/// See the module. What is said of the queue is said with its lock held.
#[derive(Debug)]
pub struct Handoff {
    queue: Mutex<Queue>,
    /// Readable while there is something to be taken.
    pub ready: EventFd,
    /// Readable once the receiver is to empty the socket for the last time.
    pub finish: EventFd,
}

#[derive(Debug)]
pub struct Queue {
    events: VecDeque<Event>,
    /// No more than this are kept.
    room: usize,
    /// What the socket could not queue.
    pub lost: Vec<Lost>,
    /// Events for which there was no room here, and the time of the first and of the last.
    pub dropped: Option<(u64, (u64, u64))>,
    /// The most that lay here at once.
    pub most: usize,
    /// The receiver will put in nothing more, and why if it could not go on.
    pub ended: Option<Result<(), MonitorError>>,
}

impl Handoff {
    /// With room for so many events.
    pub fn new(room: usize) -> nix::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self {
            queue: Mutex::new(Queue {
                events: VecDeque::new(),
                room,
                lost: Vec::new(),
                dropped: None,
                most: 0,
                ended: None,
            }),
            ready: EventFd::from_flags(flags)?,
            finish: EventFd::from_flags(flags)?,
        })
    }

    /// Locks the queue. Nothing in here panics with the lock held.
    pub fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the one who looks up. To be called when something was put in.
    pub fn wake(&self) {
        // It fails only where so many wake-ups wait already that one more changes nothing.
        let _ = self.ready.write(1);
    }

    /// Wakes the one who receives, to end.
    pub fn end(&self) {
        let _ = self.finish.write(1);
    }
}

impl Queue {
    /// Puts an exec in; what else there is is left out.
    pub fn put(&mut self, event: Event) {
        let Event::Exec { time_ns, .. } = event else {
            return;
        };
        if self.events.len() < self.room {
            self.events.push_back(event);
            self.most = self.most.max(self.events.len());
        } else {
            let (count, (first, last)) = self.dropped.unwrap_or((0, (time_ns, time_ns)));
            self.dropped = Some((count + 1, (first.min(time_ns), last.max(time_ns))));
        }
    }

    /// Takes so many out at most.
    pub fn take(&mut self, most: usize) -> Vec<Event> {
        let n = most.min(self.events.len());
        self.events.drain(..n).collect()
    }

    /// Whether there are no events.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Whether there is nothing at all to take.
    pub fn is_idle(&self) -> bool {
        self.events.is_empty() && self.lost.is_empty() && self.dropped.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let handoff = Handoff::new(2).unwrap();
        let mut queue = handoff.lock();
        for time_ns in [30, 10, 20, 15] {
            queue.put(Event::Exec { pid: 1, time_ns });
        }
        queue.put(Event::Other);
        assert_eq!(queue.dropped, Some((2, (15, 20))));
        assert_eq!(queue.most, 2);
        assert_eq!(
            queue.take(1),
            [Event::Exec {
                pid: 1,
                time_ns: 30
            }]
        );
        assert_eq!(
            queue.take(9),
            [Event::Exec {
                pid: 1,
                time_ns: 10
            }]
        );
        assert!(queue.is_empty() && !queue.is_idle());
    }
}
