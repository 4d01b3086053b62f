//! What the thread that answers and the monitor's own have in common: the queue of news between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use execlab_model::Bytes;
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::front::Taken;
use crate::{AttachError, MonitorError};

/// So many events wait for the monitor's thread at most. Each holds up to four descriptors, of the usual 1,024; an exec
/// whose file cannot be opened for us is denied.
pub const ROOM: usize = 128;
/// How long the first event waits for room.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many files that name others are remembered; at this number all are forgotten together.
const MOST_FURTHER: usize = 4096;

/// What the thread has to tell.
#[derive(Debug)]
pub enum News {
    /// An exec that was allowed.
    Taken(Box<Taken>),
    /// Events were lost: what says so, how many where that is known, and when the queue of the kernel was seen empty last.
    Lost(String, Option<u64>, u64),
    /// The queue of the kernel overflowed; see [`Self::Lost`].
    Overflow(u64),
    /// It cannot go on.
    Failed(MonitorError),
}

/// What is under the lock.
#[derive(Debug, Default)]
pub struct State {
    news: Vec<News>,
    /// Events that wait here, or are in the hands of the monitor's thread.
    in_flight: usize,
    /// There was no room in time: nobody is waited for until there is some again.
    stuck: bool,
    /// Thrown away since that was last told, and since when.
    thrown: Option<(u64, u64)>,
    /// Paths whose execs went on to open those files: interpreters and loaders, of which nothing has to be asked.
    pub further: BTreeMap<Bytes, BTreeSet<Bytes>>,
    /// No more is to be told than what is queued now.
    pub finishing: bool,
    /// All of that is told.
    finished: bool,
    /// The thread is to end.
    pub over: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    room: Condvar,
    /// Readable while there are news.
    pub ready: EventFd,
    /// Readable when the thread has to look at the state.
    pub bell: EventFd,
    /// The mounts were gone through again since the thread last asked.
    renewed: AtomicBool,
}

impl Shared {
    /// With nothing in it.
    pub fn new() -> Result<Self, AttachError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = || EventFd::from_flags(flags).map_err(AttachError::call("eventfd"));
        Ok(Self {
            state: Mutex::default(),
            room: Condvar::new(),
            ready: bell()?,
            bell: bell()?,
            renewed: AtomicBool::new(false),
        })
    }

    /// Nothing in here panics with the lock held.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the monitor's thread.
    pub fn tell(&self, news: News) {
        self.lock().news.push(news);
        self.wake();
    }

    /// No more will be told.
    pub fn finished(&self) {
        self.lock().finished = true;
        self.wake();
    }

    /// Tells of an exec where there is room for it, or comes to be in time; else gives it back, counted as lost.
    pub fn put(&self, taken: Box<Taken>) -> Result<(), Box<Taken>> {
        let mut state = self.lock();
        if state.in_flight >= ROOM && !state.stuck {
            let full = |state: &mut State| state.in_flight >= ROOM && !state.over;
            let waited = self.room.wait_timeout_while(state, PATIENCE, full);
            let (after, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.stuck |= waited.timed_out();
        }
        if state.in_flight >= ROOM {
            let first = state.thrown.is_none();
            let since = taken.sighting.received_ns;
            state.thrown.get_or_insert((0, since)).0 += 1;
            drop(state);
            if first {
                self.wake();
            }
            return Err(taken);
        }
        state.in_flight += 1;
        state.news.push(News::Taken(taken));
        drop(state);
        self.wake();
        Ok(())
    }

    /// The news, and whether there will be none any more.
    pub fn take(&self) -> (Vec<News>, bool) {
        let _ = self.ready.read();
        let mut state = self.lock();
        let mut news = std::mem::take(&mut state.news);
        if let Some((count, since)) = state.thrown.take() {
            news.push(News::Lost(
                "allowed while the monitor waited for a file".into(),
                Some(count),
                since,
            ));
        }
        (news, state.finished)
    }

    /// There is room for one more. `learned` are two paths of which the second belonged to the exec of the first.
    pub fn done(&self, learned: Option<(Bytes, Bytes)>) {
        let mut state = self.lock();
        if let Some((first, second)) = learned {
            if state.further.len() >= MOST_FURTHER {
                state.further.clear();
            }
            state.further.entry(first).or_default().insert(second);
        }
        state.in_flight = state.in_flight.saturating_sub(1);
        state.stuck = false;
        self.room.notify_one();
    }

    /// The mounts were gone through again.
    pub fn renew(&self) {
        self.renewed.store(true, Ordering::Relaxed);
    }

    /// Whether they were since this was last asked.
    pub fn was_renewed(&self) -> bool {
        self.renewed.swap(false, Ordering::Relaxed)
    }

    /// Nobody is waited for any more, and the thread is to end.
    pub fn end(&self) {
        let mut state = self.lock();
        state.over = true;
        state.stuck = true;
        drop(state);
        self.room.notify_one();
        let _ = self.bell.write(1);
    }

    fn wake(&self) {
        // Its counter is far from full.
        let _ = self.ready.write(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fanotify::front::tests::taken;

    #[test]
    fn a_loss_is_told_at_once_and_what_is_lost_comes_back() {
        let shared = Shared::new().unwrap();
        let one = || Box::new(taken(7));
        {
            let mut state = shared.lock();
            (state.in_flight, state.stuck) = (ROOM, true);
        }
        assert!(shared.ready.read().is_err());
        assert_eq!(shared.put(one()).unwrap_err().sighting.pid, Some(7));
        shared.put(one()).unwrap_err();
        // Written once for both.
        assert_eq!(shared.ready.read(), Ok(1));
        let (news, finished) = shared.take();
        assert!(matches!(&news[..], [News::Lost(_, Some(2), _)]) && !finished);
        shared.done(None);
        shared.put(one()).unwrap();
        assert!(matches!(&shared.take().0[..], [News::Taken(_)]));
    }

    #[test]
    fn a_renewal_is_noticed_once() {
        let shared = Shared::new().unwrap();
        assert!(!shared.was_renewed());
        shared.renew();
        assert!(shared.was_renewed());
        assert!(!shared.was_renewed());
    }
}
