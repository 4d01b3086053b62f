//! The loop of a tracer: wait for reports of tracees, answer them, and let all go at the end.

use std::{
    os::fd::{AsFd, BorrowedFd},
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::EventFd,
};

use super::sys::{self, Event};
use crate::{MonitorError, Seam, Stop};

/// How long detaching may take before the rest is left to the kernel, or to [`guard`].
const FAREWELL: Duration = Duration::from_millis(250);

/// What tracers differ in.
pub trait Tracing {
    /// What a report means.
    fn interpret(&mut self, tid: i32, status: i32) -> Event;

    /// A tracee is stopped after its exec.
    fn sight(&mut self, tid: i32, seam: &mut Seam) -> Result<(), MonitorError>;

    /// A tracee is stopped at its call of exec.
    fn called(&mut self, _tid: i32) {}

    /// Somebody wants to be traced.
    fn welcome(&mut self) -> Result<(), MonitorError> {
        Ok(())
    }

    /// What becomes of tracees at the end.
    fn at_end(&self) -> AtEnd {
        AtEnd::LetGo
    }

    /// Makes all tracees stop, each at its next chance.
    fn stop_all(&mut self);

    /// Whether a stopped tracee can be let go here; else it goes on to another stop.
    fn may_go(&mut self, _tid: i32) -> bool {
        true
    }
}

/// What becomes of tracees at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEnd {
    /// They are let go.
    LetGo,
    /// They have to stay tracees, and are answered by [`guard`].
    Keep,
}

/// What interrupts the tracer's wait.
#[derive(Debug, Default)]
pub struct Bell {
    /// It is to end.
    pub done: AtomicBool,
    /// Somebody wants to be traced.
    pub called: AtomicBool,
}

/// Runs a tracer until `stop`; whether tracees were left to the kernel at the end. Where `door` is given,
/// [`Tracing::welcome`] is called when it can be read.
pub fn run<T: Tracing>(
    tracing: &mut T,
    seam: &mut Seam,
    stop: &Stop,
    door: Option<BorrowedFd<'_>>,
) -> Result<bool, MonitorError> {
    let bell = Bell::default();
    let noticed = EventFd::new().map_err(MonitorError::call("eventfd"))?;
    // SAFETY: a call without arguments.
    let tracer = unsafe { libc::pthread_self() };
    let followed = std::thread::scope(|scope| {
        scope.spawn(|| watch(stop, door, tracer, &bell, &noticed));
        let followed = loop {
            let followed = follow(tracing, seam, &bell);
            if followed.is_err() || bell.done.load(Ordering::SeqCst) {
                break followed;
            }
            // Without tracees there is nothing to do but wait for the stop, or for somebody.
            sleep(stop, door);
            if door.is_some()
                && let Err(error) = tracing.welcome()
            {
                break Err(error);
            }
        };
        noticed
            .write(1)
            .expect("the counter of an eventfd is far from full");
        followed
    });
    // Tracees that are never answered would stay stopped until this process ends.
    let left = match tracing.at_end() {
        AtEnd::LetGo => detach(tracing, seam),
        AtEnd::Keep => answer_the_rest(tracing, seam),
    };
    followed.and(left)
}

/// Waits for reports and answers them until it is to end or no tracee is left.
fn follow<T: Tracing>(tracing: &mut T, seam: &mut Seam, bell: &Bell) -> Result<(), MonitorError> {
    let mut unflushed = false;
    while !bell.done.load(Ordering::SeqCst) {
        if bell.called.load(Ordering::SeqCst) {
            tracing.welcome()?;
            bell.called.store(false, Ordering::SeqCst);
        }
        // Where something is to be flushed, first look whether there is more.
        match sys::wait(!unflushed) {
            Ok(Some((tid, status))) => {
                let event = tracing.interpret(tid, status);
                unflushed |= event == Event::Exec;
                let seen = look_at(tracing, tid, event, seam);
                answer(tid, event);
                seen?;
            }
            Ok(None) => {
                seam.flush()?;
                unflushed = false;
            }
            Err(Errno::EINTR) => {}
            // No tracee is left, and nobody can become one by birth.
            Err(Errno::ECHILD) => break,
            Err(error) => return Err(MonitorError::call("waitpid(-1, __WALL)")(error)),
        }
    }
    Ok(seam.flush()?)
}

/// Reports what a stop has to say.
fn look_at<T: Tracing>(
    tracing: &mut T,
    tid: i32,
    event: Event,
    seam: &mut Seam,
) -> Result<(), MonitorError> {
    match event {
        Event::Exec => tracing.sight(tid, seam)?,
        Event::Call => tracing.called(tid),
        _ => {}
    }
    Ok(())
}

/// Lets a tracee go on from its stop.
fn answer(tid: i32, event: Event) {
    // ESRCH: it was killed while it was stopped.
    let _ = match event {
        Event::Ended => Ok(()),
        Event::Exec | Event::Call | Event::Passing => sys::go_on(tid, 0),
        Event::GroupStop => sys::listen(tid),
        Event::Signal(signal) => sys::go_on(tid, signal),
    };
}

/// Lets a tracee go from its stop, or on to another where it can be.
fn part<T: Tracing>(tracing: &mut T, tid: i32, event: Event) {
    let signal = match event {
        Event::Ended => return,
        Event::Signal(signal) => signal,
        Event::Exec | Event::Passing | Event::Call | Event::GroupStop => 0,
    };
    let _ = if tracing.may_go(tid) {
        sys::detach(tid, signal)
    } else {
        sys::go_on(tid, signal)
    };
}

/// Reports the stops that are there, but not for ever: a storm makes new ones all the time. Whether tracees are left.
fn answer_the_rest<T: Tracing>(tracing: &mut T, seam: &mut Seam) -> Result<bool, MonitorError> {
    let deadline = Instant::now() + FAREWELL;
    let mut left = true;
    while Instant::now() < deadline {
        match sys::wait(false) {
            Ok(Some((tid, status))) => {
                let event = tracing.interpret(tid, status);
                let seen = look_at(tracing, tid, event, seam);
                answer(tid, event);
                seen?;
            }
            Err(Errno::EINTR) => {}
            Ok(None) => break,
            Err(_) => {
                left = false;
                break;
            }
        }
    }
    seam.flush()?;
    Ok(left)
}

/// Answers what is left after [`run`], and reports nothing more, until no tracee is left.
pub fn guard<T: Tracing>(tracing: &mut T) {
    loop {
        match sys::wait(true) {
            Ok(Some((tid, status))) => {
                let event = tracing.interpret(tid, status);
                match tracing.at_end() {
                    AtEnd::LetGo => part(tracing, tid, event),
                    AtEnd::Keep => answer(tid, event),
                }
            }
            Ok(None) | Err(Errno::EINTR) => {}
            Err(_) => return,
        }
    }
}

/// Lets every tracee go. Execs that happen until then are reported.
fn detach<T: Tracing>(tracing: &mut T, seam: &mut Seam) -> Result<bool, MonitorError> {
    tracing.stop_all();
    let deadline = Instant::now() + FAREWELL;
    let mut left = true;
    while Instant::now() < deadline {
        match sys::wait(false) {
            Ok(Some((tid, status))) => {
                let event = tracing.interpret(tid, status);
                let seen = look_at(tracing, tid, event, seam);
                part(tracing, tid, event);
                seen?;
            }
            Ok(None) => std::thread::sleep(Duration::from_micros(200)),
            Err(Errno::EINTR) => {}
            Err(_) => {
                left = false;
                break;
            }
        }
    }
    seam.flush()?;
    Ok(left)
}

fn sleep(stop: &Stop, door: Option<BorrowedFd<'_>>) {
    let mut fds = vec![PollFd::new(stop.fd(), PollFlags::POLLIN)];
    fds.extend(door.map(|door| PollFd::new(door, PollFlags::POLLIN)));
    let _ = poll(&mut fds, PollTimeout::NONE);
}

/// Sleeps until the stop is raised or somebody is at the door, then ends the tracer's wait, again and again until
/// it noticed: a signal that comes just before the wait begins would not end it.
fn watch(
    stop: &Stop,
    door: Option<BorrowedFd<'_>>,
    tracer: libc::pthread_t,
    bell: &Bell,
    noticed: &EventFd,
) {
    let readable = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    loop {
        let mut fds = vec![
            PollFd::new(noticed.as_fd(), PollFlags::POLLIN),
            PollFd::new(stop.fd(), PollFlags::POLLIN),
        ];
        fds.extend(door.map(|door| PollFd::new(door, PollFlags::POLLIN)));
        while matches!(poll(&mut fds, PollTimeout::NONE), Err(Errno::EINTR)) {}
        let ending = fds[..2].iter().any(readable);
        let flag = if ending { &bell.done } else { &bell.called };
        flag.store(true, Ordering::SeqCst);
        while matches!(poll(&mut fds[..1], 2u8), Ok(0) | Err(Errno::EINTR)) {
            if !flag.load(Ordering::SeqCst) {
                break;
            }
            // SAFETY: the tracer's thread waits for this one to end before it ends itself.
            unsafe { libc::pthread_kill(tracer, libc::SIGUSR1) };
        }
        if ending {
            return;
        }
    }
}
