//! QEMU's machine protocol over its standard input and output: a line of JSON a message
//! (QEMU documentation, "QEMU Machine Protocol Specification").
//!
//! Over the two pipes because they end with the process: no socket is left behind, and none has a
//! path that is too long.

use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    os::fd::AsFd,
    process::{ChildStdin, ChildStdout},
    time::Instant,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::{Value, json};

/// Longer than anything that QEMU answers to what is asked here.
const LONGEST_LINE: usize = 1 << 20;

/// What QEMU did not do.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// It closed its side: it ended, or is about to.
    #[error("QEMU hung up")]
    HungUp,
    /// It did not answer in time.
    #[error("QEMU did not answer in time")]
    Late,
    /// It refused.
    #[error("QEMU refused `{command}`: {answer}")]
    Refused {
        /// The command.
        command: String,
        /// Its words.
        answer: String,
    },
    /// It said something that is not of this protocol.
    #[error("QEMU said what its protocol does not have: {0}")]
    Garbled(String),
    /// The pipes broke.
    #[error("cannot talk to QEMU: {0}")]
    Pipe(#[from] io::Error),
}

/// The conversation with one QEMU.
#[derive(Debug)]
pub struct Qmp {
    orders: ChildStdin,
    answers: ChildStdout,
    unread: Vec<u8>,
    /// Events that came while something else was waited for.
    events: VecDeque<Value>,
}

impl Qmp {
    /// Greets and leaves the mode in which only greetings are taken.
    pub fn greet(
        orders: ChildStdin,
        answers: ChildStdout,
        deadline: Instant,
    ) -> Result<Self, QmpError> {
        let mut qmp = Self {
            orders,
            answers,
            unread: Vec::new(),
            events: VecDeque::new(),
        };
        let greeting = qmp.message(deadline)?;
        if greeting.get("QMP").is_none() {
            return Err(QmpError::Garbled(greeting.to_string()));
        }
        qmp.ask("qmp_capabilities", &json!({}), deadline)?;
        Ok(qmp)
    }

    /// One command and its answer.
    pub fn ask(
        &mut self,
        command: &str,
        arguments: &Value,
        deadline: Instant,
    ) -> Result<Value, QmpError> {
        let mut line = json!({"execute": command, "arguments": arguments}).to_string();
        line.push('\n');
        self.orders.write_all(line.as_bytes())?;
        loop {
            let mut message = self.message(deadline)?;
            if let Some(answer) = message.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = message.get("error") {
                return Err(QmpError::Refused {
                    command: command.to_owned(),
                    answer: error["desc"].as_str().unwrap_or("no reason").to_owned(),
                });
            }
            self.events.push_back(message);
        }
    }

    /// The data of the next event that `wanted` takes; others before it are dropped.
    pub fn event<T>(
        &mut self,
        deadline: Instant,
        mut wanted: impl FnMut(&str, &Value) -> Option<T>,
    ) -> Result<T, QmpError> {
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => self.message(deadline)?,
            };
            let name = event["event"]
                .as_str()
                .ok_or_else(|| QmpError::Garbled(event.to_string()))?;
            if let Some(found) = wanted(name, &event["data"]) {
                return Ok(found);
            }
        }
    }

    fn message(&mut self, deadline: Instant) -> Result<Value, QmpError> {
        let line = self.line(deadline)?;
        serde_json::from_slice(&line)
            .map_err(|_| QmpError::Garbled(String::from_utf8_lossy(&line).trim().to_owned()))
    }

    fn line(&mut self, deadline: Instant) -> Result<Vec<u8>, QmpError> {
        let mut looked_at = 0;
        loop {
            if let Some(at) = self.unread[looked_at..].iter().position(|&b| b == b'\n') {
                let rest = self.unread.split_off(looked_at + at + 1);
                return Ok(std::mem::replace(&mut self.unread, rest));
            }
            looked_at = self.unread.len();
            if looked_at > LONGEST_LINE {
                return Err(QmpError::Garbled("a line without an end".into()));
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let left = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            let mut waiting = [PollFd::new(self.answers.as_fd(), PollFlags::POLLIN)];
            match poll(&mut waiting, left) {
                Ok(0) => return Err(QmpError::Late),
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(io::Error::from(errno).into()),
            }
            if waiting[0].any() != Some(true) {
                continue;
            }
            let mut piece = [0; 4096];
            match self.answers.read(&mut piece)? {
                0 => return Err(QmpError::HungUp),
                length => self.unread.extend_from_slice(&piece[..length]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use super::*;

    /// A shell script in QEMU's place.
    fn talk(script: &str, limit: Duration) -> (Child, Result<Qmp, QmpError>, Instant) {
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + limit;
        let (orders, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let qmp = Qmp::greet(orders, answers, deadline);
        (child, qmp, deadline)
    }

    const PATIENT: Duration = Duration::from_mins(5);
    const GREETING: &str = r#"echo '{"QMP": {}}'; read a; echo '{"return": {}}'; "#;

    #[test]
    fn answers_and_events_are_told_apart() {
        let script = format!(
            r#"{GREETING} read b; echo '{{"event": "STOP"}}'; echo '{{"return": {{"status": "paused"}}}}';
            echo '{{"event": "RESUME"}}'; echo '{{"event": "MIGRATION", "data": {{"status": "completed"}}}}'; read c"#
        );
        let (mut child, qmp, deadline) = talk(&script, PATIENT);
        let mut qmp = qmp.unwrap();
        let status = qmp.ask("query-status", &json!({}), deadline).unwrap();
        assert_eq!(status["status"], "paused");
        let mut seen = Vec::new();
        let state = qmp.event(deadline, |name, data| {
            seen.push(name.to_owned());
            (name == "MIGRATION").then(|| data["status"].as_str().unwrap().to_owned())
        });
        assert_eq!(state.unwrap(), "completed");
        assert_eq!(seen, ["STOP", "RESUME", "MIGRATION"]);
        drop(qmp);
        child.wait().unwrap();
    }

    #[test]
    fn what_goes_wrong_has_a_name() {
        let refusing =
            format!(r#"{GREETING} read b; echo '{{"error": {{"desc": "not now"}}}}'; read c"#);
        let (mut child, qmp, deadline) = talk(&refusing, PATIENT);
        let error = qmp.unwrap().ask("cont", &json!({}), deadline).unwrap_err();
        assert_eq!(error.to_string(), "QEMU refused `cont`: not now");
        child.wait().unwrap();

        let (mut child, qmp, _) = talk("exit 1", PATIENT);
        assert!(matches!(qmp, Err(QmpError::HungUp)), "{qmp:?}");
        child.wait().unwrap();

        let (mut child, qmp, _) = talk("echo hello; read a", PATIENT);
        assert!(matches!(qmp, Err(QmpError::Garbled(_))), "{qmp:?}");
        child.wait().unwrap();

        let (mut child, qmp, _) = talk("exec sleep 1000", Duration::from_millis(50));
        assert!(matches!(qmp, Err(QmpError::Late)), "{qmp:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
