//! The group: what `fanotify_init(2)` gives, and the events that are read from it.
//!
//! A read opens the file of each event for us, as if we had called open(2): where its filesystem has a server (FUSE, NFS), the read waits
//! for that.

use std::{
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    path::Path,
};

use nix::{
    errno::Errno,
    fcntl::AT_FDCWD,
    sys::fanotify::{
        EventFFlags, Fanotify, FanotifyResponse, InitFlags, MarkFlags, MaskFlags, Response,
    },
};

use super::wire;
use crate::AttachError;

/// So many events are read at once at most, each with up to two new descriptors: below the usual limit of
/// 1,024, as an event whose file cannot be opened is lost.
const BATCH: usize = 192;
/// An event whose file cannot be opened is delivered all the same (6.13; Debian's 6.12 has it too).
const FAN_REPORT_FD_ERROR: u32 = 0x2000;
/// No descriptor: the process is gone (`FAN_NOPIDFD`).
const FAN_NOPIDFD: i32 = -1;

/// How a group is made.
#[derive(Debug, Clone, Copy)]
pub struct Form {
    /// Opens wait for an answer.
    pub asks: bool,
    /// Each event carries a pidfd.
    pub pidfd: bool,
    /// More than `fs.fanotify.max_queued_events` may wait.
    pub unlimited: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Group {
    fanotify: Fanotify,
    form: Form,
    errors_told: bool,
}

/// Room for what one read gives.
#[derive(Debug)]
pub struct Buffer(Vec<u8>);

impl Default for Buffer {
    fn default() -> Self {
        Self(vec![0; BATCH * wire::LARGEST])
    }
}

/// The process of an event, as a descriptor.
#[derive(Debug)]
pub enum Pidfd {
    /// Not asked for.
    None,
    /// Asked for, and not to be had.
    Refused,
    /// It was reaped before the event was read.
    Gone,
    /// Holds on to the process.
    Of(OwnedFd),
}

/// What an event says.
#[derive(Debug)]
pub struct Opened {
    /// By whom: the process, also where one of its threads did it.
    pub pid: Option<u32>,
    /// The file, or why it could not be opened for us.
    pub file: Result<OwnedFd, Errno>,
    /// See [`Pidfd`].
    pub pidfd: Pidfd,
}

/// One event.
#[derive(Debug)]
pub enum Event {
    /// A file was opened to be executed.
    Opened(Opened),
    /// The queue was full, and events were dropped from here on.
    Overflow,
}

/// What one read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// Nothing is queued.
    Empty,
    /// Some events.
    Events,
    /// The event that was to come could not be delivered, and is lost.
    Lost(Errno),
    /// Some events, and behind them so many bytes that are none that we know.
    Unread(usize),
}

impl Read {
    /// What was lost by it, if anything was: what says so, and how many where that is known.
    pub fn loss(&self) -> Option<(String, Option<u64>)> {
        match self {
            Self::Empty | Self::Events => None,
            Self::Lost(error) => Some((format!("read of the fanotify group: {error}"), Some(1))),
            Self::Unread(bytes) => Some((
                format!("{bytes} bytes of the fanotify group are no events that we know"),
                None,
            )),
        }
    }
}

/// What an error of read(2) means. The kernel takes an event from the queue, and opens its file and its process then:
/// whatever these answer is the answer of the read, and the event is lost.
fn of_error(error: Errno) -> nix::Result<Read> {
    match error {
        Errno::EAGAIN => Ok(Read::Empty),
        Errno::EINTR => Ok(Read::Events),
        // Of the call itself.
        Errno::EBADF | Errno::EFAULT | Errno::EINVAL => Err(error),
        _ => Ok(Read::Lost(error)),
    }
}

impl Group {
    /// Makes a group of a form.
    pub fn new(form: Form) -> Result<Self, AttachError> {
        let mut flags = InitFlags::FAN_CLOEXEC | InitFlags::FAN_NONBLOCK;
        flags |= InitFlags::FAN_UNLIMITED_MARKS;
        flags.set(InitFlags::FAN_CLASS_CONTENT, form.asks);
        flags.set(InitFlags::FAN_REPORT_PIDFD, form.pidfd);
        flags.set(InitFlags::FAN_UNLIMITED_QUEUE, form.unlimited);
        let files = EventFFlags::O_RDONLY
            | EventFFlags::O_LARGEFILE
            | EventFFlags::O_CLOEXEC
            | EventFFlags::O_NOATIME;
        let told = flags | InitFlags::from_bits_retain(FAN_REPORT_FD_ERROR);
        // Of an exec that waits nothing is gained by it: the kernel denies what it could not open for us.
        let (made, errors_told) = match Fanotify::init(told, files) {
            Ok(made) if !form.asks => (Ok(made), true),
            _ => (Fanotify::init(flags, files), false),
        };
        let call = format!("fanotify_init({:#x})", flags.bits());
        let fanotify = made.map_err(|error| match error {
            Errno::EINVAL | Errno::ENOSYS => AttachError::Unsupported(format!(
                "{call}: {error}{}",
                if form.pidfd {
                    " (FAN_REPORT_PIDFD: 5.15, and Debian's 5.10)"
                } else {
                    ""
                }
            )),
            _ => AttachError::call(call)(error),
        })?;
        Ok(Self {
            fanotify,
            form,
            errors_told,
        })
    }

    /// Whether opens wait for an answer.
    pub fn asks(&self) -> bool {
        self.form.asks
    }

    /// The event that is asked for.
    pub fn mask(&self) -> MaskFlags {
        if self.form.asks {
            MaskFlags::FAN_OPEN_EXEC_PERM
        } else {
            MaskFlags::FAN_OPEN_EXEC
        }
    }

    /// Marks the mount or the filesystem at a path. Marking it again changes nothing.
    pub fn mark(&self, kind: MarkFlags, path: &Path) -> nix::Result<()> {
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_DONT_FOLLOW | kind;
        self.fanotify.mark(flags, self.mask(), AT_FDCWD, Some(path))
    }

    /// Takes what is queued, without waiting.
    pub fn read(&self, buffer: &mut Buffer, into: &mut Vec<Event>) -> io::Result<Read> {
        let n = match nix::unistd::read(&self.fanotify, &mut buffer.0) {
            Ok(n) => n,
            Err(error) => return of_error(error).map_err(Into::into),
        };
        let (events, left) = wire::events(&buffer.0[..n]);
        into.extend(events.into_iter().map(own));
        Ok(match left {
            0 => Read::Events,
            _ => Read::Unread(left),
        })
    }

    /// Lets an open go on.
    pub fn allow(&self, file: BorrowedFd<'_>) -> nix::Result<()> {
        self.fanotify
            .write_response(FanotifyResponse::new(file, Response::FAN_ALLOW))
    }

    /// What the kernel says of it: the flags that it was made with, and how many marks it has.
    pub fn evidence(&self) -> io::Result<Vec<String>> {
        let text =
            std::fs::read_to_string(format!("/proc/self/fdinfo/{}", self.fanotify.as_raw_fd()))?;
        let flags = text
            .lines()
            .find(|line| line.starts_with("fanotify flags:"));
        let marks = text
            .lines()
            .filter(|line| {
                ["fanotify mnt_id:", "fanotify sdev:", "fanotify ino:"]
                    .iter()
                    .any(|start| line.starts_with(start))
            })
            .count();
        Ok(vec![
            format!("{} (fdinfo)", flags.unwrap_or("a fanotify group")),
            format!("{marks} marks of {:?} (fdinfo)", self.mask()),
            if self.errors_told {
                "events are delivered even where their file cannot be opened (FAN_REPORT_FD_ERROR)"
                    .into()
            } else {
                "an event whose file cannot be opened is dropped by read(2)".into()
            },
        ])
    }
}

impl AsFd for Group {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fanotify.as_fd()
    }
}

fn own(event: wire::Event) -> Event {
    if event.mask & MaskFlags::FAN_Q_OVERFLOW.bits() != 0 {
        return Event::Overflow;
    }
    let descriptor = |number: i32| {
        // SAFETY: the kernel made this descriptor for the read that gave the event, which is taken apart
        // once; nobody else knows of it.
        (number >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
    };
    Event::Opened(Opened {
        pid: u32::try_from(event.pid).ok().filter(|&pid| pid != 0),
        // `FAN_NOFD` is -1; with FAN_REPORT_FD_ERROR it is the error number, negative.
        file: descriptor(event.fd).ok_or_else(|| Errno::from_raw(event.fd.wrapping_neg())),
        pidfd: match event.pidfd {
            Some(FAN_NOPIDFD) => Pidfd::Gone,
            Some(number) => descriptor(number).map_or(Pidfd::Refused, Pidfd::Of),
            None => Pidfd::None,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_opening_answers_is_a_lost_event() {
        for lost in [
            Errno::EMFILE,
            Errno::ENXIO,
            Errno::EOPNOTSUPP,
            Errno::EREMOTEIO,
        ] {
            assert_eq!(of_error(lost), Ok(Read::Lost(lost)));
        }
        assert_eq!(of_error(Errno::EAGAIN), Ok(Read::Empty));
        assert_eq!(of_error(Errno::EINTR), Ok(Read::Events));
        assert_eq!(of_error(Errno::EINVAL), Err(Errno::EINVAL));
    }

    #[test]
    fn a_file_that_could_not_be_opened_says_why() {
        let event = |fd| wire::Event {
            mask: MaskFlags::FAN_OPEN_EXEC.bits(),
            fd,
            pid: 7,
            pidfd: Some(FAN_NOPIDFD),
        };
        let Event::Opened(opened) = own(event(-libc::ENXIO)) else {
            panic!("it is no overflow");
        };
        assert_eq!(opened.pid, Some(7));
        assert_eq!(opened.file.unwrap_err(), Errno::ENXIO);
        assert!(matches!(opened.pidfd, Pidfd::Gone));
    }
}
