//! What a killed monitor leaves in audit: rules, limits, and itself as the owner.

use super::{
    control::{self, Control, Refused},
    wire::Status,
};
use crate::remains::Remains;

/// See the module.
#[derive(Debug)]
pub struct OfAudit;

impl Remains for OfAudit {
    fn note(&self) -> Result<String, String> {
        let look = || -> Result<_, Refused> {
            let mut control = Control::open()?;
            Ok((control.status()?, control.rules()?))
        };
        let (status, rules) = look().map_err(|e| e.to_string())?;
        let rules: Vec<String> = rules.iter().map(|rule| hex(&rule.to_bytes())).collect();
        Ok(text(status, &rules))
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let (before, known) = parse(noted).ok_or("what was noted of audit cannot be read")?;
        let said = |error: Refused| format!("audit: {error}");
        let mut control = Control::open().map_err(said)?;
        let mut done = Vec::new();
        for rule in control.rules().map_err(said)? {
            if rule.may_be_ours() && !known.contains(&hex(&rule.to_bytes())) {
                control.delete(&rule).map_err(said)?;
                done.push("audit: took a rule away".to_owned());
            }
        }
        let now = control.status().map_err(said)?;
        if before.pid == 0 && now.pid != 0 && is_gone(now.pid) {
            // The kernel notices that its owner is dead only when it next has a record for it, and takes
            // an owner away for itself alone: so this process becomes it for a moment.
            let socket = control::open().map_err(said)?;
            control::become_owner(&socket, |_| {}).map_err(said)?;
            let nobody = Status {
                mask: Status::PID,
                ..Status::default()
            };
            control.set(nobody).map_err(said)?;
            done.push("audit: took a dead owner away".to_owned());
        }
        let mask = before.differs(now, SETTABLE);
        if mask != 0 {
            control.set(Status { mask, ..before }).map_err(said)?;
            done.push("audit: put switches and limits back".to_owned());
        }
        Ok(done)
    }
}

/// What a monitor sets.
const SETTABLE: u32 = Status::ENABLED
    | Status::FAILURE
    | Status::RATE_LIMIT
    | Status::BACKLOG_LIMIT
    | Status::BACKLOG_WAIT_TIME;

/// Whether a process has ended, also where its parent has not taken notice yet.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state stands behind the name, which may hold anything.
    let state = stat
        .rsplit_once(") ")
        .and_then(|(_, rest)| rest.chars().next());
    state.is_none_or(|state| "ZX".contains(state))
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
