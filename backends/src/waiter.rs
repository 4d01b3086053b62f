//! Waiting for what a monitor reads from, and for the stop beside it (`epoll(7)`).

use std::os::fd::AsFd;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::{MonitorError, Stop};

const STOP: u64 = 0;
const OTHER: u64 = 1;

/// When a descriptor wakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wakes {
    /// As long as it can be read.
    WhileReadable,
    /// When there is something new: lingering is not cut short by what is there already.
    ForNews,
}

/// See the module.
#[derive(Debug)]
pub struct Waiter(Epoll);

impl Waiter {
    /// For the stop, and nothing else yet.
    pub fn new(stop: &Stop) -> Result<Self, MonitorError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)
            .map_err(MonitorError::call("epoll_create1"))?;
        epoll
            .add(stop.fd(), EpollEvent::new(EpollFlags::EPOLLIN, STOP))
            .map_err(MonitorError::call("epoll_ctl(ADD, signalfd)"))?;
        Ok(Self(epoll))
    }

    /// For this as well; `name` is for people.
    pub fn add(&self, fd: impl AsFd, name: &str, wakes: Wakes) -> Result<(), MonitorError> {
        let flags = match wakes {
            Wakes::WhileReadable => EpollFlags::EPOLLIN,
            Wakes::ForNews => EpollFlags::EPOLLIN | EpollFlags::EPOLLET,
        };
        self.0
            .add(fd, EpollEvent::new(flags, OTHER))
            .map_err(MonitorError::call(format!("epoll_ctl(ADD, {name})")))
    }

    /// Waits until something is there or the time is over; whether that is the stop.
    pub fn wait(&self, patience: impl Into<EpollTimeout>) -> Result<bool, MonitorError> {
        let mut events = [EpollEvent::empty(); 16];
        match self.0.wait(&mut events, patience.into()) {
            Ok(ready) => Ok(events[..ready].iter().any(|event| event.data() == STOP)),
            Err(nix::Error::EINTR) => Ok(false),
            Err(error) => Err(MonitorError::call("epoll_wait")(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn news_wake_once_and_what_can_be_read_wakes_again() {
        let stop = Stop::on_signals().unwrap();
        for (wakes, again) in [(Wakes::WhileReadable, 1), (Wakes::ForNews, 0)] {
            let waiter = Waiter::new(&stop).unwrap();
            let (reader, mut writer) = std::io::pipe().unwrap();
            waiter.add(&reader, "a pipe", wakes).unwrap();
            let ready = || {
                let mut events = [EpollEvent::empty(); 2];
                waiter.0.wait(&mut events, EpollTimeout::ZERO).unwrap()
            };
            assert_eq!(ready(), 0);
            writer.write_all(b"x").unwrap();
            assert_eq!((ready(), ready()), (1, again));
            assert!(!waiter.wait(EpollTimeout::ZERO).unwrap());
        }
    }
}
