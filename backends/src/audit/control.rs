//! Requests to audit and their answers, one at a time, on a socket of their own: so no answer has
//! to be looked for among thousands of records.

use std::{io, time::Duration};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_AUDIT};
use nix::sys::{
    socket::{setsockopt, sockopt::ReceiveTimeout},
    time::TimeVal,
};

use super::{
    rules::Rule,
    wire::{self, Message, Status, kind},
};

/// The kernel; every other address of an audit socket is a process.
pub const KERNEL: u32 = 0;
/// Audit answers from a kernel thread that it starts for the purpose; it is never that late.
const PATIENCE: Duration = Duration::from_secs(5);

const REQUEST: u16 = 0x1;
const ACK: u16 = 0x4;

/// A socket for requests.
#[derive(Debug)]
pub struct Control {
    socket: Socket,
    sequence: u32,
}

/// A request without its answer, because audit did not take it.
#[derive(Debug, thiserror::Error)]
#[error("{request} on the audit socket: {source}")]
pub struct Refused {
    /// Which request.
    pub request: &'static str,
    /// The answer.
    pub source: io::Error,
}

impl Refused {
    fn new(request: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { request, source }
    }

    /// The error number of the answer.
    pub fn errno(&self) -> Option<i32> {
        self.source.raw_os_error()
    }
}

/// An audit socket with an address of its own.
pub fn open() -> Result<Socket, Refused> {
    let mut socket = Socket::new(NETLINK_AUDIT).map_err(Refused::new("socket(NETLINK_AUDIT)"))?;
    socket.bind_auto().map_err(Refused::new("bind"))?;
    setsockopt(
        &socket,
        ReceiveTimeout,
        &TimeVal::new(PATIENCE.as_secs().cast_signed(), 0),
    )
    .map_err(|e| Refused::new("setsockopt(SO_RCVTIMEO)")(e.into()))?;
    Ok(socket)
}

/// An audit socket that gets a copy of every record, beside audit's owner: it is in the multicast group.
pub fn join_readers() -> Result<Socket, Refused> {
    /// `AUDIT_NLGRP_READLOG` is group 1, and groups are named by their bits.
    const READLOG: u32 = 1;
    let mut socket = Socket::new(NETLINK_AUDIT).map_err(Refused::new("socket(NETLINK_AUDIT)"))?;
    socket
        .bind(&SocketAddr::new(0, READLOG))
        .map_err(Refused::new("bind to group 1"))?;
    Ok(socket)
}

/// Asks to be the one process that gets all records, on this socket. What comes before the answer
/// and is none is handed to `record`.
pub fn become_owner(socket: &Socket, mut record: impl FnMut(Message<'_>)) -> Result<(), Refused> {
    const REQUEST_NAME: &str = "AUDIT_SET pid";
    let status = Status {
        mask: Status::PID,
        pid: std::process::id(),
        ..Status::default()
    };
    let sequence = 1;
    send(socket, kind::SET, ACK, sequence, &status.to_bytes())
        .map_err(Refused::new(REQUEST_NAME))?;
    receive(socket, sequence, |message| {
        if message.kind == kind::ACK {
            return Some(outcome(message));
        }
        record(message);
        None
    })
    .map_err(Refused::new(REQUEST_NAME))
}

fn send(socket: &Socket, kind: u16, flags: u16, sequence: u32, payload: &[u8]) -> io::Result<()> {
    let bytes = wire::request(kind, REQUEST | flags, sequence, payload);
    socket
        .send_to(&bytes, &SocketAddr::new(KERNEL, 0), 0)
        .map(|_| ())
}

fn outcome(message: Message<'_>) -> io::Result<()> {
    match message.errno() {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code)),
        None => Err(io::Error::other("an answer that is cut off")),
    }
}

/// Hands over the messages of the kernel until one settles the matter. Answers to an older request
/// that came too late are skipped.
fn receive<T>(
    socket: &Socket,
    sequence: u32,
    mut settle: impl FnMut(Message<'_>) -> Option<io::Result<T>>,
) -> io::Result<T> {
    loop {
        let (datagram, sender) = match socket.recv_from_full() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        let Some(message) = Message::parse(&datagram) else {
            continue;
        };
        let answers = message.kind < kind::SYSCALL;
        if sender.port_number() != KERNEL || (answers && message.sequence != sequence) {
            continue;
        }
        if let Some(settled) = settle(message) {
            return settled;
        }
    }
}

impl Control {
    /// With a socket of its own.
    pub fn open() -> Result<Self, Refused> {
        Ok(Self {
            socket: open()?,
            sequence: 0,
        })
    }

    fn ask<T>(
        &mut self,
        name: &'static str,
        kind: u16,
        flags: u16,
        payload: &[u8],
        settle: impl FnMut(Message<'_>) -> Option<io::Result<T>>,
    ) -> Result<T, Refused> {
        self.sequence += 1;
        send(&self.socket, kind, flags, self.sequence, payload)
            .and_then(|()| receive(&self.socket, self.sequence, settle))
            .map_err(Refused::new(name))
    }

    fn order(&mut self, name: &'static str, kind: u16, payload: &[u8]) -> Result<(), Refused> {
        self.ask(name, kind, ACK, payload, |message| {
            (message.kind == kind::ACK).then(|| outcome(message))
        })
    }

    /// The switches and counters.
    pub fn status(&mut self) -> Result<Status, Refused> {
        self.ask("AUDIT_GET", kind::GET, 0, &[], |message| {
            match message.kind {
                kind::GET => Some(Ok(Status::parse(message.payload))),
                kind::ACK => Some(Err(outcome(message)
                    .err()
                    .unwrap_or_else(|| io::Error::other("no status in the answer")))),
                _ => None,
            }
        })
    }

    /// Sets the fields that the mask names.
    pub fn set(&mut self, status: Status) -> Result<(), Refused> {
        self.order("AUDIT_SET", kind::SET, &status.to_bytes())
    }

    /// All rules of all lists. A rule that this program cannot read is left out.
    pub fn rules(&mut self) -> Result<Vec<Rule>, Refused> {
        let mut rules = Vec::new();
        self.ask(
            "AUDIT_LIST_RULES",
            kind::LIST_RULES,
            0,
            &[],
            |message| match message.kind {
                kind::LIST_RULES => {
                    rules.extend(Rule::parse(message.payload));
                    None
                }
                kind::DONE => Some(Ok(())),
                kind::ACK => Some(outcome(message)),
                _ => None,
            },
        )?;
        Ok(rules)
    }

    /// Adds a rule.
    pub fn add(&mut self, rule: &Rule) -> Result<(), Refused> {
        self.order("AUDIT_ADD_RULE", kind::ADD_RULE, &rule.to_bytes())
    }

    /// Deletes a rule.
    pub fn delete(&mut self, rule: &Rule) -> Result<(), Refused> {
        self.order("AUDIT_DEL_RULE", kind::DEL_RULE, &rule.to_bytes())
    }

    /// Puts a record with this text at the end of the kernel's queue. While audit is switched off it takes
    /// none but [`kind::USER_AVC`] (`audit_receive_msg`).
    pub fn user_message(&mut self, text: &str, switched_on: bool) -> Result<(), Refused> {
        let mut payload = text.as_bytes().to_vec();
        payload.push(0);
        if switched_on {
            self.order("AUDIT_USER", kind::USER, &payload)
        } else {
            self.order("AUDIT_USER_AVC", kind::USER_AVC, &payload)
        }
    }
}
