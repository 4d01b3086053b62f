//! What audit needs.

use std::fs;

use super::{
    control::{Control, Refused},
    rules::Rule,
    wire::Status,
};
use crate::look::{Capability, Finding, Namespace, Roots};

/// Asks the kernel for audit's status and rules, and for nothing else.
pub(super) fn look(roots: &Roots) -> Vec<Finding> {
    let asked = Control::open().and_then(|mut control| Ok((control.status()?, control.rules()?)));
    let mut findings = match asked {
        Ok((status, rules)) => of_status(&status, &rules, roots),
        Err(refused) => vec![of_refusal(&refused)],
    };
    findings.extend([
        Capability::AuditControl.look(roots),
        Namespace::Pid.look(roots),
        Namespace::User.look(roots),
    ]);
    findings
}

fn of_status(status: &Status, rules: &[Rule], roots: &Roots) -> Vec<Finding> {
    let mut findings = vec![match status.enabled {
        0 => Finding::note(
            "audit",
            "it answers, and is switched off",
            "execlab switches it on and off again; processes that start meanwhile keep what it added to \
             them, and `audit=1` on the kernel's command line makes it the same for all",
        ),
        1 => Finding::good("audit", "it answers, and is switched on"),
        locked => Finding::bad(
            "audit",
            format!("its configuration is locked (enabled {locked})"),
            "boot without `auditctl -e 2` among the rules",
        ),
    }];
    findings.push(match status.pid {
        0 => Finding::good("its owner", "nobody: the records are there to be had"),
        pid => {
            let name = fs::read_to_string(roots.proc.join(pid.to_string()).join("comm"));
            let name = name.unwrap_or_default();
            Finding::bad(
                "its owner",
                format!("{} (pid {pid}); audit has one at a time", name.trim_end()),
                "stop it for as long as trials run (auditd: `service auditd stop`)",
            )
        }
    });
    if let Some(why) = rules.iter().find_map(Rule::blinds) {
        findings.push(Finding::bad(
            "its rules",
            why,
            "delete that rule for as long as trials run (`auditctl -l` lists them)",
        ));
    }
    findings
}

fn of_refusal(refused: &Refused) -> Finding {
    let remedy = match refused.errno() {
        Some(libc::EPROTONOSUPPORT) => "boot a kernel with CONFIG_AUDIT=y, without `audit=0`",
        Some(libc::EPERM) => "run execlab as root, in the initial namespaces",
        Some(libc::ECONNREFUSED) => "run execlab in the initial namespaces, without `audit=0`",
        _ => "see whether another tool holds audit",
    };
    Finding::bad("audit", refused.to_string(), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    fn status(enabled: u32, pid: u32) -> Status {
        Status {
            enabled,
            pid,
            ..Status::default()
        }
    }

    #[test]
    fn a_locked_audit_and_one_with_an_owner_are_in_the_way() {
        let fake = Fake::new();
        fake.write("proc/77/comm", "auditd\n");
        let told = |status| told(&of_status(&status, &[], &fake.roots()));
        insta::assert_snapshot!(told(status(1, 0)), @r#"
        good: audit: it answers, and is switched on (-)
        good: its owner: nobody: the records are there to be had (-)
        "#);
        insta::assert_snapshot!(told(status(0, 77)), @r#"
        note: audit: it answers, and is switched off (execlab switches it on and off again; processes that start meanwhile keep what it added to them, and `audit=1` on the kernel's command line makes it the same for all)
        bad: its owner: auditd (pid 77); audit has one at a time (stop it for as long as trials run (auditd: `service auditd stop`))
        "#);
        insta::assert_snapshot!(told(status(2, 0)), @r#"
        bad: audit: its configuration is locked (enabled 2) (boot without `auditctl -e 2` among the rules)
        good: its owner: nobody: the records are there to be had (-)
        "#);
    }
}
