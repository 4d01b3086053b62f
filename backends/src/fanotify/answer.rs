//! Who answers execs that wait: a thread that does nothing else.
//!
//! While an exec waits for us, whatever we wait for must not need an exec. A file may lie on a filesystem whose server is a process
//! of this machine (FUSE, NFS of oneself), and may execute a helper before it serves a read: that exec would wait for us, and we for it.
//! So this thread reads events, asks [`Front`] what only `/proc` can tell while the process waits, allows the open, and
//! never touches an executed file or what is mounted. All that does (which files belong to one exec, the marks, the seam) is done by
//! the monitor's own thread, behind a queue.
//!
//! The queue holds files open, so it has room for few. When it is full the thread waits for the monitor's, but not for ever: that
//! one may be what waits for the exec. From then on events are allowed, counted and thrown away, until there is room.

use std::{
    collections::{BTreeMap, BTreeSet},
    os::fd::{AsFd, BorrowedFd},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use execlab_model::Bytes;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use super::{
    front::{Front, Taken},
    group::{Buffer, Event, Group, Opened, Read},
};
use crate::{AttachError, MonitorError, clock::monotonic_ns, priority::Priority};

/// So many events wait for the monitor's thread at most. Each holds up to four descriptors, of the usual 1,024; an exec
/// whose file cannot be opened for us is denied.
const ROOM: usize = 128;
/// How long the first event waits for room.
const PATIENCE: Duration = Duration::from_secs(1);
/// So many processes' last events are remembered, and so many files that name others; at these numbers all are forgotten together.
const MOST_PROCESSES: usize = 4096;
const MOST_FURTHER: usize = 4096;
/// So many reads before the bell is heard again.
const READS: usize = 16;
/// So many reads after the stop at most: a storm makes new events all the time.
const LAST_READS: usize = 256;

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

#[derive(Debug, Default)]
struct State {
    news: Vec<News>,
    /// Events that wait here, or are in the hands of the monitor's thread.
    in_flight: usize,
    /// There was no room in time: nobody is waited for until there is some again.
    stuck: bool,
    /// Thrown away since that was last told, and since when.
    thrown: Option<(u64, u64)>,
    /// Paths whose execs went on to open those files: interpreters and loaders, of which nothing has to be asked.
    further: BTreeMap<Bytes, BTreeSet<Bytes>>,
    /// No more is to be told than what is queued now.
    finishing: bool,
    /// All of that is told.
    finished: bool,
    /// The thread is to end.
    over: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    room: Condvar,
    /// Readable while there are news.
    ready: EventFd,
    /// Readable when the thread has to look at the state.
    bell: EventFd,
}

impl Shared {
    /// Nothing in here panics with the lock held.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub struct Answering {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    /// Answers from now on; `fifo` with real-time priority.
    pub fn start(group: &Arc<Group>, front: Front, fifo: bool) -> Result<Self, AttachError> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let bell = || EventFd::from_flags(flags).map_err(AttachError::call("eventfd"));
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            room: Condvar::new(),
            ready: bell()?,
            bell: bell()?,
        });
        let (theirs, group) = (Arc::clone(&shared), Arc::clone(group));
        let thread = std::thread::Builder::new().name("answers".into());
        let thread = thread.spawn(move || {
            // Where it is refused the monitor's own thread was refused it too, and says so.
            let _priority = fifo.then(|| Priority::raise(1));
            let failed = Thread::new(&theirs, &group, front).run();
            if let Err(error) = failed {
                theirs.lock().news.push(News::Failed(error));
                let _ = theirs.ready.write(1);
            }
        });
        Ok(Self {
            shared,
            thread: Some(thread.map_err(AttachError::call("start of a thread"))?),
        })
    }

    /// Readable while there are news.
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.shared.ready.as_fd()
    }

    /// The news, and whether there will be none any more. [`Self::done`] is to be called for each [`News::Taken`].
    pub fn news(&self) -> (Vec<News>, bool) {
        let _ = self.shared.ready.read();
        let mut state = self.shared.lock();
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

    /// An exec was dealt with, and holds nothing open any more. `learned` are two paths of which the second belonged
    /// to the exec of the first.
    pub fn done(&self, learned: Option<(Bytes, Bytes)>) {
        let mut state = self.shared.lock();
        if let Some((first, second)) = learned {
            if state.further.len() >= MOST_FURTHER {
                state.further.clear();
            }
            state.further.entry(first).or_default().insert(second);
        }
        state.in_flight = state.in_flight.saturating_sub(1);
        state.stuck = false;
        self.shared.room.notify_one();
    }

    /// Asks for what is queued in the kernel now; what comes later is allowed and not told.
    pub fn finish(&self) {
        self.shared.lock().finishing = true;
        let _ = self.shared.bell.write(1);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.over = true;
        state.stuck = true;
        drop(state);
        self.shared.room.notify_one();
        let _ = self.shared.bell.write(1);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Thread<'a> {
    shared: &'a Shared,
    group: &'a Group,
    front: Front,
    /// The path of each process's last event.
    last: BTreeMap<u32, Bytes>,
    /// When the queue was last seen empty.
    empty_ns: u64,
    silent: bool,
}

impl<'a> Thread<'a> {
    fn new(shared: &'a Shared, group: &'a Group, front: Front) -> Self {
        Self {
            shared,
            group,
            front,
            last: BTreeMap::new(),
            empty_ns: monotonic_ns(),
            silent: false,
        }
    }

    fn run(mut self) -> Result<(), MonitorError> {
        let mut buffer = Buffer::default();
        loop {
            let mut fds = [
                PollFd::new(self.group.as_fd(), PollFlags::POLLIN),
                PollFd::new(self.shared.bell.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            let rung = fds[1].any().unwrap_or(false);
            let mut finishing = false;
            if rung {
                let _ = self.shared.bell.read();
                let state = self.shared.lock();
                if state.over {
                    return Ok(());
                }
                finishing = state.finishing;
            }
            for _ in 0..if finishing { LAST_READS } else { READS } {
                if self.read(&mut buffer)? {
                    break;
                }
            }
            if finishing && !self.silent {
                self.silent = true;
                self.shared.lock().finished = true;
                let _ = self.shared.ready.write(1);
            }
        }
    }

    /// Reads once, and answers what came; whether there was nothing.
    fn read(&mut self, buffer: &mut Buffer) -> Result<bool, MonitorError> {
        let mut events = Vec::new();
        let read = self.group.read(buffer, &mut events);
        let read = read.map_err(MonitorError::call("read of the fanotify group"))?;
        for event in events {
            match event {
                Event::Opened(opened) => self.answer(opened)?,
                Event::Overflow => self.tell(self.shared.lock(), News::Overflow(self.empty_ns)),
            }
        }
        if read == Read::Empty {
            self.empty_ns = monotonic_ns();
        } else if let Some((source, count)) = read.loss() {
            self.tell(self.shared.lock(), News::Lost(source, count, self.empty_ns));
        }
        Ok(read == Read::Empty)
    }

    fn answer(&mut self, opened: Opened) -> Result<(), MonitorError> {
        let mut taken = self.front.begin(opened);
        if !self.silent {
            Front::hold_root(&mut taken);
            if !self.is_expected(&mut taken) {
                self.front.look_up(&mut taken, &[], true);
            }
        }
        if let Some(file) = &taken.file {
            match self.group.allow(file.as_fd()) {
                // Killed while it waited: there is nobody to answer.
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(error) => return Err(MonitorError::call("write of FAN_ALLOW")(error)),
            }
        }
        if !self.silent {
            self.hand_over(taken);
        }
        Ok(())
    }

    /// Whether an event belongs to the exec of the one before it, by all that was learned. Where that is wrong, because a file
    /// became another one, its process is looked up after the answer.
    fn is_expected(&mut self, taken: &mut Taken) -> bool {
        let (Some(pid), Some(path)) = (taken.sighting.pid, &taken.sighting.path) else {
            return false;
        };
        if self.last.len() >= MOST_PROCESSES {
            self.last.clear();
        }
        taken.before = self.last.insert(pid, path.clone());
        let state = self.shared.lock();
        let further = taken.before.as_ref();
        let further = further.and_then(|before| state.further.get(before));
        further.is_some_and(|further| further.contains(path))
    }

    fn hand_over(&self, taken: Taken) {
        let mut state = self.shared.lock();
        if state.in_flight >= ROOM && !state.stuck {
            let full = |state: &mut State| state.in_flight >= ROOM && !state.over;
            let waited = self.shared.room.wait_timeout_while(state, PATIENCE, full);
            let (after, waited) = waited.unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.stuck |= waited.timed_out();
        }
        if state.in_flight >= ROOM {
            let since = taken.sighting.received_ns;
            state.thrown.get_or_insert((0, since)).0 += 1;
            return;
        }
        state.in_flight += 1;
        self.tell(state, News::Taken(Box::new(taken)));
    }

    fn tell(&self, mut state: MutexGuard<'_, State>, news: News) {
        state.news.push(news);
        drop(state);
        // Its counter is far from full.
        let _ = self.shared.ready.write(1);
    }
}

#[cfg(all(test, feature = "live"))]
mod tests {
    use std::process::Command;

    use nix::sys::fanotify::MarkFlags;

    use super::*;
    use crate::{fanotify::group::Form, procfs_lookup::Depth};

    /// As if the monitor's thread waited for a file.
    #[test]
    fn execs_go_on_while_nobody_takes_the_news() {
        let form = Form {
            asks: true,
            pidfd: false,
            unlimited: false,
        };
        let group = match Group::new(form) {
            Ok(group) => Arc::new(group),
            Err(error) => return println!("skipped: {error}"),
        };
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::copy("/bin/true", &file).unwrap();
        group.mark(MarkFlags::empty(), &file).unwrap();
        let front = Front::open(Depth::Full, true).unwrap();
        let answering = Answering::start(&group, front, false).unwrap();
        let execs = ROOM + 40;
        for _ in 0..execs {
            assert!(Command::new(&file).status().unwrap().success());
        }
        answering.finish();
        let (mut taken, mut lost) = (0, 0);
        loop {
            let (news, finished) = answering.news();
            for news in news {
                match news {
                    News::Taken(event) => {
                        let path = event.sighting.path.unwrap();
                        assert_eq!(path.as_slice(), file.as_os_str().as_encoded_bytes());
                        taken += 1;
                        answering.done(None);
                    }
                    News::Lost(_, count, _) => lost += count.unwrap(),
                    other => panic!("{other:?}"),
                }
            }
            if finished {
                break;
            }
            let mut fds = [PollFd::new(answering.ready(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::NONE).unwrap();
        }
        assert_eq!((taken, lost), (ROOM, 40));
        // Answered until the end, and not told.
        assert!(Command::new(&file).status().unwrap().success());
        drop(answering);
        drop(group);
        assert!(Command::new(&file).status().unwrap().success());
    }
}
