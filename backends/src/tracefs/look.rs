//! What the rows of this family need of a machine.

use super::dynamic;
use crate::{
    AttachError,
    look::{Capability, Finding, Roots},
    tracing_fs::Tracefs,
};

/// Opens tracefs and looks whether these events are there; changes nothing.
pub fn look(roots: &Roots, events: &[&str]) -> Vec<Finding> {
    let tracefs = Tracefs::open();
    let mut findings = vec![found(&tracefs)];
    if let Ok(tracefs) = &tracefs {
        findings.extend(events.iter().map(|event| self::event(tracefs, event)));
    }
    findings.push(Capability::SysAdmin.look(roots));
    findings
}

/// The same for rows that define events on functions of the kernel.
pub fn look_for_probes(roots: &Roots) -> Vec<Finding> {
    const WHAT: &str = "kprobe events";
    let mut findings = look(roots, &[]);
    if let Ok(tracefs) = Tracefs::open() {
        // `dynamic_events` is there for uprobes alone as well.
        let there = ["kprobe_events", dynamic::FILE].map(|name| tracefs.path(name).exists());
        findings.push(if there == [true; 2] {
            Finding::good(WHAT, "kprobe_events and dynamic_events are there")
        } else {
            Finding::bad(
                WHAT,
                "tracefs has no kprobe_events, or no dynamic_events",
                "boot a kernel with CONFIG_KPROBE_EVENTS=y, 5.0 or newer",
            )
        });
    }
    findings
}

fn found(tracefs: &Result<Tracefs, AttachError>) -> Finding {
    const WHAT: &str = "tracefs";
    match tracefs {
        Ok(tracefs) => Finding::good(WHAT, tracefs.how()),
        Err(AttachError::Unsupported(reason)) => Finding::bad(
            WHAT,
            reason.clone(),
            "boot a kernel with CONFIG_TRACING=y, or mount tracefs at /sys/kernel/tracing",
        ),
        Err(error) => Finding::bad(WHAT, error.to_string(), "run execlab as root"),
    }
}

fn event(tracefs: &Tracefs, event: &str) -> Finding {
    match tracefs.read(&format!("events/{event}/format")) {
        Ok(_) => Finding::good(event, "its format can be read"),
        Err(error) => Finding::bad(
            event,
            error.to_string(),
            "boot a kernel that has this event",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::told;

    #[test]
    fn what_the_system_answered_is_told() {
        let refused = Err(AttachError::call("fsopen")(
            std::io::Error::from_raw_os_error(libc::EPERM),
        ));
        insta::assert_snapshot!(told(&[found(&refused)]), @"bad: tracefs: fsopen failed: Operation not permitted (os error 1) (run execlab as root)");
        let none = Err(AttachError::Unsupported("no tracefs".into()));
        insta::assert_snapshot!(told(&[found(&none)]), @"bad: tracefs: no tracefs (boot a kernel with CONFIG_TRACING=y, or mount tracefs at /sys/kernel/tracing)");
    }
}
