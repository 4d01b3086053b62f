//! Who answers execs that wait: a thread that does nothing else.
//!
//! While an exec waits for us, whatever we wait for must not need an exec. A file may lie on a filesystem whose server is a process
//! of this machine (FUSE, NFS of oneself), and may execute a helper before it serves a read: that exec would wait for us, and we for it.
//! So this thread reads events, asks [`Front`] what only `/proc` can tell while the process waits, allows the open, and
//! asks nothing of an executed file or of what is mounted. All that does (which files belong to one exec, the marks, the seam) is done by
//! the monitor's own thread, behind a queue.
//!
//! One touch cannot be had without: read(2) of the group opens the file for us (`create_fd`), and on FUSE or NFS that is a request to
//! the server. If that one executes something before it answers an open, this thread never comes back, and every exec under a mark
//! waits until that server, or what it executes, is killed. So filesystems of FUSE get no mark of this row ([`marks`](super::marks)). What remains is NFS
//! of oneself, an overlay whose layer is on FUSE, and other servers on this machine.
//!
//! The queue holds files open, so it has room for few. When it is full the thread waits for the monitor's, but not for ever: that
//! one may be what waits for the exec. From then on events are allowed, counted and thrown away, until there is room.

use std::{
    collections::BTreeMap,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
    thread::JoinHandle,
};

use execlab_model::Bytes;
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use super::{
    front::{Front, Taken},
    group::{Buffer, Event, Group, Opened, Read},
    queue::{News, Shared},
};
use crate::{AttachError, MonitorError, clock::monotonic_ns, priority::Priority};

/// So many processes' last events are remembered; at this number all are forgotten together.
const MOST_PROCESSES: usize = 4096;
/// So many reads before the bell is heard again.
const READS: usize = 16;
/// So many reads after the stop at most: a storm makes new events all the time.
const LAST_READS: usize = 256;

/// The thread, which ends when this is dropped.
#[derive(Debug)]
pub struct Answering {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Answering {
    /// Answers from now on; `fifo` with real-time priority.
    pub fn start(group: &Arc<Group>, front: Front, fifo: bool) -> Result<Self, AttachError> {
        let shared = Arc::new(Shared::new()?);
        let (theirs, group) = (Arc::clone(&shared), Arc::clone(group));
        let thread = std::thread::Builder::new().name("answers".into());
        let thread = thread.spawn(move || {
            // Where it is refused the monitor's own thread was refused it too, and says so.
            let _priority = fifo.then(|| Priority::raise(1));
            let failed = Thread::new(&theirs, &group, front).run();
            if let Err(error) = failed {
                theirs.tell(News::Failed(error));
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
        self.shared.take()
    }

    /// An exec was dealt with, and holds nothing open any more. `learned` are two paths of which the second belonged
    /// to the exec of the first.
    pub fn done(&self, learned: Option<(Bytes, Bytes)>) {
        self.shared.done(learned);
    }

    /// The mounts were gone through again: what is remembered of them is to be forgotten.
    pub fn renewed(&self) {
        self.shared.renew();
    }

    /// Asks for what is queued in the kernel now; what comes later is allowed and not told.
    pub fn finish(&self) {
        self.shared.lock().finishing = true;
        let _ = self.shared.bell.write(1);
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.shared.end();
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
                self.shared.finished();
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
                Event::Overflow => self.shared.tell(News::Overflow(self.empty_ns)),
            }
        }
        if read == Read::Empty {
            self.empty_ns = monotonic_ns();
        } else if let Some((source, count)) = read.loss() {
            self.shared.tell(News::Lost(source, count, self.empty_ns));
        }
        Ok(read == Read::Empty)
    }

    fn answer(&mut self, opened: Opened) -> Result<(), MonitorError> {
        let mut taken = self.front.begin(opened);
        if !self.silent {
            if self.shared.was_renewed() {
                self.front.forget_all();
            }
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

    fn hand_over(&mut self, taken: Taken) {
        if let Err(thrown) = self.shared.put(Box::new(taken)) {
            self.front.forget(&thrown);
        }
    }
}

#[cfg(all(test, feature = "live"))]
mod tests {
    use std::process::Command;

    use nix::sys::fanotify::MarkFlags;

    use super::*;
    use crate::{
        fanotify::{group::Form, queue::ROOM},
        procfs_lookup::Depth,
    };

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
        // The last one goes on before it is told, and may be told when there is room again.
        assert!([(ROOM, 40), (ROOM + 1, 39)].contains(&(taken, lost)));
        // Answered until the end, and not told.
        assert!(Command::new(&file).status().unwrap().success());
        drop(answering);
        drop(group);
        assert!(Command::new(&file).status().unwrap().success());
    }
}
