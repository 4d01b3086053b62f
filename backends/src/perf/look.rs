//! What perf needs.

use std::{fs, path::Path};

use crate::look::{Capability, Finding, Namespace, Roots};

/// Reads alone. Tracepoints show only where tracefs is mounted; a monitor needs no mount.
pub fn look(roots: &Roots, tracepoints: &[&str]) -> Vec<Finding> {
    let mut findings = vec![perf(roots)];
    if !tracepoints.is_empty() {
        findings.push(found(&roots.sys.join("kernel/tracing/events"), tracepoints));
    }
    findings.push(Capability::SysAdmin.look(roots));
    findings.push(Namespace::Pid.look(roots));
    findings
}

/// The file is there where `CONFIG_PERF_EVENTS` is (`kernel/sysctl.c`).
fn perf(roots: &Roots) -> Finding {
    const WHAT: &str = "perf events";
    match fs::read_to_string(roots.proc.join("sys/kernel/perf_event_paranoid")) {
        Ok(level) => Finding::good(WHAT, format!("perf_event_paranoid is {}", level.trim())),
        Err(error) => Finding::bad(
            WHAT,
            format!("/proc/sys/kernel/perf_event_paranoid cannot be read: {error}"),
            "boot a kernel with CONFIG_PERF_EVENTS=y",
        ),
    }
}

fn found(events: &Path, tracepoints: &[&str]) -> Finding {
    const WHAT: &str = "tracepoints";
    if !events.exists() {
        return Finding::unknown(
            WHAT,
            "tracefs is not mounted at /sys/kernel/tracing",
            "nothing: the monitor mounts it for itself alone",
        );
    }
    let missing = tracepoints.iter().find(|name| !events.join(name).exists());
    match missing {
        None => Finding::good(WHAT, format!("tracefs has {}", tracepoints.join(", "))),
        Some(name) => Finding::bad(
            WHAT,
            format!("tracefs has no events/{name}"),
            "boot a kernel with CONFIG_EVENT_TRACING=y and CONFIG_FTRACE_SYSCALLS=y",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn what_is_missing_is_named() {
        let fake = Fake::new();
        let names = ["sched/sched_process_exec"];
        let events = fake.roots().sys.join("kernel/tracing/events");
        assert!(told(&[perf(&fake.roots())]).starts_with("bad"));
        fake.write("proc/sys/kernel/perf_event_paranoid", "3\n");
        assert_eq!(
            told(&[perf(&fake.roots())]),
            "good: perf events: perf_event_paranoid is 3 (-)"
        );
        assert!(told(&[found(&events, &names)]).starts_with("unknown"));
        fake.write("sys/kernel/tracing/events/header_page", "");
        assert!(told(&[found(&events, &names)]).contains("no events/sched/sched_process_exec"));
        fake.write("sys/kernel/tracing/events/sched/sched_process_exec/id", "1");
        assert!(told(&[found(&events, &names)]).starts_with("good"));
    }
}
