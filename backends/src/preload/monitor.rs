//! Reads the reports.

use std::{
    io::IoSliceMut,
    os::fd::{AsFd, AsRawFd},
};

use execlab_model::{
    Bytes,
    sighting::{ContainerHint, LossReport, LossUnit, Sighting},
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{ControlMessageOwned, MsgFlags, RecvMsg, UnixCredentials, recvmsg},
};

use super::{
    pairs::Pairs,
    place::Place,
    wire::{Kind, Report},
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Stop, clock::monotonic_ns, procfs_lookup::parse,
};

/// The object sends 96 KiB of arguments at most, and some pages of texts.
const LARGEST: usize = 128 << 10;
/// So many reports are taken from each socket before the stop is looked at, and the seam is flushed.
const ROUND: usize = 1024;
/// So many rounds after the stop at most: a storm goes on. A queue has 65,536 places at most (`queue`).
const LAST_ROUNDS: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Reader {
    place: Place,
    /// Beside the place, of what else was changed.
    evidence: Vec<String>,
    /// Inode of this monitor's own PID namespace.
    own_pid_ns: u32,
    buffer: Vec<u8>,
    /// Where images and calls are both reported.
    pairs: Option<Pairs>,
    /// What is lost with a report.
    unit: LossUnit,
    /// What they said is to be told.
    ready: Vec<Sighting>,
    attached_ns: u64,
    told: u64,
    images: u64,
    calls: u64,
    strange: u64,
}

impl Reader {
    /// Of reports at a place; `what` is the setting `report`.
    pub fn new(place: Place, what: &str, more: Vec<String>) -> Result<Self, AttachError> {
        let link = std::fs::read_link("/proc/self/ns/pid");
        let link = link.map_err(AttachError::call("readlink /proc/self/ns/pid"))?;
        let own_pid_ns = parse::namespace(link.as_os_str().as_encoded_bytes()).unwrap_or(0);
        let mut evidence = vec![format!(
            "{} written; reports are read at its side and from an abstract name, {} may wait",
            place.object().display(),
            place.queue
        )];
        evidence.extend(more);
        Ok(Self {
            place,
            evidence,
            own_pid_ns,
            buffer: vec![0; LARGEST],
            pairs: (what == "both").then(Pairs::default),
            unit: lost_unit(what),
            ready: Vec::new(),
            attached_ns: monotonic_ns(),
            told: 0,
            images: 0,
            calls: 0,
            strange: 0,
        })
    }

    /// Takes one datagram; whether there was one.
    fn take(&mut self, which: usize, seam: &mut Seam) -> Result<bool, MonitorError> {
        let mut space = nix::cmsg_space!(UnixCredentials);
        let fd = self.place.sockets[which].as_raw_fd();
        let mut parts = [IoSliceMut::new(&mut self.buffer)];
        let received = recvmsg::<()>(fd, &mut parts, Some(&mut space), MsgFlags::empty());
        let received = match received {
            Ok(received) => received,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(error) => return Err(MonitorError::call("recvmsg")(error)),
        };
        let sender = sender(&received);
        let length = received.bytes;
        let report = Report::parse(&self.buffer[..length]);
        let (Some(report), Some(sender)) = (report, sender) else {
            self.strange += 1;
            return Ok(true);
        };
        match report.kind {
            Kind::Image => self.images += 1,
            Kind::Call | Kind::Spawned => self.calls += 1,
        }
        let sighting = sighting(&report, &sender, self.own_pid_ns);
        match &mut self.pairs {
            Some(pairs) => pairs.take(&report, sighting, &mut |told| self.ready.push(told)),
            None => seam.sighting(sighting)?,
        }
        Ok(true)
    }

    /// What waits, but not for ever; calls that are held back too where `all` is set. Whether nothing more waits.
    fn drain(&mut self, seam: &mut Seam, all: bool) -> Result<bool, MonitorError> {
        let mut empty = true;
        for which in 0..self.place.sockets.len() {
            let mut taken = 0;
            while taken < ROUND && self.take(which, seam)? {
                taken += 1;
            }
            empty &= taken < ROUND;
        }
        if let Some(pairs) = &mut self.pairs {
            let now = if all { u64::MAX } else { monotonic_ns() };
            pairs.ripe(now, &mut |told| self.ready.push(told));
            for told in self.ready.drain(..) {
                seam.sighting(told)?;
            }
        }
        let losses = self.place.losses();
        if losses > self.told {
            seam.loss(LossReport {
                source: "the object found no room for its report".into(),
                unit: self.unit,
                count: Some(losses - self.told),
                window_ns: (self.attached_ns, monotonic_ns()),
            })?;
            self.told = losses;
        }
        Ok(empty)
    }
}

/// An image is an exec; a call may be none, and with both sides an exec makes two reports.
fn lost_unit(report: &str) -> LossUnit {
    match report {
        "constructor" => LossUnit::Exec,
        _ => LossUnit::Event,
    }
}

/// Who sent a datagram; `None` where somebody put more beside it than there is room for (`MSG_CTRUNC`): the object puts
/// nothing there, and what was put is closed by the kernel.
fn sender<S>(received: &RecvMsg<'_, '_, S>) -> Option<UnixCredentials> {
    let mut controls = received.cmsgs().ok()?;
    controls.find_map(|message| match message {
        ControlMessageOwned::ScmCredentials(sender) => Some(sender),
        _ => None,
    })
}

impl Reader {
    /// How long to sleep at most.
    fn patience(&self) -> PollTimeout {
        let Some(next) = self.pairs.as_ref().and_then(Pairs::next_ns) else {
            return PollTimeout::NONE;
        };
        // Rounded up, so that it is over by then.
        let millis = next.saturating_sub(monotonic_ns()).div_ceil(1_000_000);
        PollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
    }
}

/// What a report says. Numbers of processes come from the kernel, in this monitor's namespace; what the process says of
/// them is in its own.
fn sighting(report: &Report<'_>, sender: &UnixCredentials, own_pid_ns: u32) -> Sighting {
    let some = |bytes: &[u8]| (!bytes.is_empty()).then(|| Bytes::from(bytes));
    let pid = sender.pid().cast_unsigned();
    let pid_ns = parse::namespace(report.pid_ns);
    let same_numbers = pid == report.pid && pid_ns.is_none_or(|ns| ns == own_pid_ns);
    let mut sighting = Sighting {
        pid: Some(pid),
        ns_pid: Some(report.pid),
        ppid: same_numbers.then_some(report.ppid),
        uid: Some(sender.uid()),
        received_ns: monotonic_ns(),
        given: some(report.given),
        argv: report.argv(),
        truncated: report.cut,
        container: ContainerHint {
            cgroup: parse::cgroup(report.cgroup).map(Bytes::from),
            cgroup_id: None,
            mnt_ns: parse::namespace(report.mnt_ns),
            pid_ns,
        },
        ..Sighting::default()
    };
    sighting.path = match report.kind {
        // Without /proc only the string is known.
        Kind::Image => some(report.path).or_else(|| some(report.given)),
        Kind::Call => some(&joined(report.path, report.given)),
        Kind::Spawned => some(report.given),
    };
    if report.kind == Kind::Spawned {
        sighting.pid = same_numbers.then_some(report.child);
        sighting.ns_pid = Some(report.child);
        sighting.ppid = Some(pid);
    }
    sighting
}

/// A path behind where it begins.
fn joined(start: &[u8], given: &[u8]) -> Vec<u8> {
    if start.is_empty() || given.is_empty() {
        return [start, given].concat();
    }
    [start, b"/", given].concat()
}

impl Monitor for Reader {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        let mut stopping = false;
        loop {
            if stopping {
                for _ in 0..LAST_ROUNDS {
                    if self.drain(seam, false)? {
                        break;
                    }
                    seam.flush()?;
                }
                self.drain(seam, true)?;
                return Ok(seam.flush()?);
            }
            self.drain(seam, false)?;
            seam.flush()?;
            let [path, name] = &self.place.sockets;
            let mut fds = [
                PollFd::new(stop.fd(), PollFlags::POLLIN),
                PollFd::new(path.as_fd(), PollFlags::POLLIN),
                PollFd::new(name.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, self.patience()) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(error) => return Err(MonitorError::call("poll")(error)),
            }
            stopping = fds[0].revents().is_some_and(|events| !events.is_empty());
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!(
            "{} images and {} calls reported themselves",
            self.images, self.calls
        )];
        if let Some(pairs) = &self.pairs {
            notes.push(format!(
                "{} execs reported by both sides; {} calls followed by another one: they had failed",
                pairs.both, pairs.failed
            ));
        }
        if self.strange > 0 {
            notes.push(format!("{} datagrams were no reports", self.strange));
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::sys::socket::{
        AddressFamily, ControlMessage, SockFlag, SockType, sendmsg, setsockopt, socketpair,
        sockopt::PassCred,
    };

    use super::*;

    #[test]
    fn descriptors_that_somebody_sends_along_harm_nobody() {
        let flags = SockFlag::SOCK_CLOEXEC;
        let pair = socketpair(AddressFamily::Unix, SockType::Datagram, None, flags);
        let (ours, theirs) = pair.unwrap();
        setsockopt(&ours, PassCred, &true).unwrap();
        let fds = [0; 8].map(|_| theirs.as_raw_fd());
        for (sent, known) in [
            (&[][..], true),
            (&[ControlMessage::ScmRights(&fds)][..], false),
        ] {
            let parts = [std::io::IoSlice::new(b"x")];
            sendmsg::<()>(
                theirs.as_fd().as_raw_fd(),
                &parts,
                sent,
                MsgFlags::empty(),
                None,
            )
            .unwrap();
            let mut space = nix::cmsg_space!(UnixCredentials);
            let mut byte = [0];
            let mut parts = [IoSliceMut::new(&mut byte)];
            let flags = MsgFlags::empty();
            let received = recvmsg::<()>(ours.as_raw_fd(), &mut parts, Some(&mut space), flags);
            let pid = sender(&received.unwrap()).map(|sender| sender.pid());
            let own = std::process::id().cast_signed();
            assert_eq!(pid, known.then_some(own));
        }
    }
}
