//! What a killed monitor leaves in audit: rules, limits, and itself as the owner.

use std::io::ErrorKind;

use super::{
    control::{self, Control, Refused},
    wire::Status,
};
use crate::remains::Remains;

/// See the module.
#[derive(Debug)]
pub struct OfAudit;

impl Remains for OfAudit {
    fn note(&self) -> Result<Option<String>, String> {
        let look = || -> Result<_, Refused> {
            let mut control = Control::open()?;
            Ok((control.status()?, control.rules()?))
        };
        match look() {
            Ok((status, rules)) => {
                let rules: Vec<_> = rules.iter().map(|rule| hex(&rule.to_bytes())).collect();
                Ok(Some(text(status, &rules)))
            }
            Err(error)
                if error
                    .errno()
                    .is_some_and(|errno| NOT_FOR_US.contains(&errno)) =>
            {
                Ok(None)
            }
            Err(error) => Err(format!("audit: {error}")),
        }
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let (before, known) = parse(noted).ok_or("what was noted of audit cannot be read")?;
        let said = |error: Refused| format!("audit: {error}");
        let mut control = Control::open().map_err(said)?;
        let (mut done, mut problems) = (Vec::new(), Vec::new());
        // Each of the three for itself: what cannot be put back is no reason to leave the rest.
        for part in [take_rules_away, take_owner_away, put_switches_back] {
            match part(&mut control, before, &known) {
                Ok(what) => done.extend(what.map(str::to_owned)),
                Err(error) => problems.push(said(error)),
            }
        }
        if problems.is_empty() {
            Ok(done)
        } else {
            Err(problems.join("; "))
        }
    }
}

/// By these answers audit refuses whoever asks from here: not built in, not the initial namespaces, no right.
const NOT_FOR_US: [i32; 3] = [libc::EPROTONOSUPPORT, libc::ECONNREFUSED, libc::EPERM];

type Done = Result<Option<&'static str>, Refused>;

fn take_rules_away(control: &mut Control, _: Status, known: &[String]) -> Done {
    let mut done = None;
    for rule in control.rules()? {
        if !rule.may_be_ours() || known.contains(&hex(&rule.to_bytes())) {
            continue;
        }
        match control.delete(&rule) {
            Ok(()) => done = Some("audit: took rules away"),
            // Somebody was faster.
            Err(error) if error.errno() == Some(libc::ENOENT) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// The kernel notices that its owner is dead only when it next has a record for it, and takes an owner
/// away for itself alone: so this process becomes it for a moment.
fn take_owner_away(control: &mut Control, before: Status, _: &[String]) -> Done {
    let now = control.status()?;
    if before.pid != 0 || now.pid == 0 || !is_gone(now.pid) {
        return Ok(None);
    }
    let socket = control::open()?;
    control::become_owner(&socket, |_| {})?;
    control.set(Status {
        mask: Status::PID,
        ..Status::default()
    })?;
    Ok(Some("audit: took a dead owner away"))
}

fn put_switches_back(control: &mut Control, before: Status, _: &[String]) -> Done {
    let mask = before.differs(control.status()?, SETTABLE);
    if mask == 0 {
        return Ok(None);
    }
    control.set(Status { mask, ..before })?;
    Ok(Some("audit: put switches and limits back"))
}

/// What a monitor sets.
const SETTABLE: u32 = Status::ENABLED
    | Status::FAILURE
    | Status::RATE_LIMIT
    | Status::BACKLOG_LIMIT
    | Status::BACKLOG_WAIT_TIME;

/// Whether a process has ended, also where its parent has not taken notice yet.
fn is_gone(pid: u32) -> bool {
    let stat = match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat,
        // The second one where it ends between being opened and being read.
        Err(e) => {
            return e.kind() == ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH);
        }
    };
    // The state stands behind the name, which may hold anything.
    let name_end = stat.iter().rposition(|&byte| byte == b')');
    let state = name_end.and_then(|end| stat.get(end + 2));
    state.is_some_and(|state| b"ZX".contains(state))
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn text(status: Status, rules: &[String]) -> String {
    let mut lines = vec![
        format!("enabled {}", status.enabled),
        format!("failure {}", status.failure),
        format!("pid {}", status.pid),
        format!("rate_limit {}", status.rate_limit),
        format!("backlog_limit {}", status.backlog_limit),
        format!("backlog_wait_time {}", status.backlog_wait_time),
    ];
    lines.extend(rules.iter().map(|rule| format!("rule {rule}")));
    lines.join("\n")
}

fn parse(noted: &str) -> Option<(Status, Vec<String>)> {
    let field = |name: &str| {
        let words = noted.lines().filter_map(|line| line.split_once(' '));
        let mut values = words.filter_map(|(key, value)| (key == name).then_some(value));
        values.next()?.parse().ok()
    };
    let status = Status {
        enabled: field("enabled")?,
        failure: field("failure")?,
        pid: field("pid")?,
        rate_limit: field("rate_limit")?,
        backlog_limit: field("backlog_limit")?,
        backlog_wait_time: field("backlog_wait_time")?,
        ..Status::default()
    };
    let rules = noted.lines().filter_map(|line| line.strip_prefix("rule "));
    Some((status, rules.map(str::to_owned).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::rules::{ARCHITECTURES, Rule};

    #[test]
    fn a_process_that_nobody_waited_for_is_gone_all_the_same() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        while !is_gone(child.id()) {
            std::thread::yield_now();
        }
        assert!(std::path::Path::new(&format!("/proc/{}", child.id())).exists());
        child.wait().unwrap();
        assert!(is_gone(child.id()));
        assert!(!is_gone(std::process::id()));
    }

    #[test]
    fn what_was_noted_reads_back() {
        let status = Status {
            enabled: 1,
            failure: 2,
            pid: 3,
            rate_limit: 4,
            backlog_limit: 5,
            backlog_wait_time: 6,
            ..Status::default()
        };
        let rules = [hex(&Rule::execs(ARCHITECTURES[0], true).to_bytes())];
        assert_eq!(parse(&text(status, &rules)), Some((status, rules.to_vec())));
        assert_eq!(parse("enabled 1"), None);
    }
}
