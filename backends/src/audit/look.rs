//! What audit needs.

use std::fs;

use super::{
    control::{Control, Refused},
    monitor::Channel,
    rules::Rule,
    wire::Status,
};
use crate::look::{Capability, Finding, Namespace, Roots};

/// Asks the kernel for audit's status and rules, and for nothing else.
pub(super) fn look(roots: &Roots, channel: Channel) -> Vec<Finding> {
    let asked = Control::open().and_then(|mut control| Ok((control.status()?, control.rules()?)));
    let mut findings = match asked {
        Ok((status, rules)) => of_status(&status, &rules, channel, roots),
        Err(refused) => vec![of_refusal(&refused)],
    };
    findings.extend([
        Capability::AuditControl.look(roots),
        Namespace::Pid.look(roots),
        Namespace::User.look(roots),
    ]);
    findings
}

fn of_status(status: &Status, rules: &[Rule], channel: Channel, roots: &Roots) -> Vec<Finding> {
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
            let name = name.trim_end();
            match channel {
                Channel::Owner => Finding::bad(
                    "its owner",
                    format!("{name} (pid {pid}); audit has one at a time"),
                    "stop it for as long as trials run (auditd: `service auditd stop`)",
                ),
                Channel::Group => Finding::good(
                    "its owner",
                    format!("{name} (pid {pid}); the group is read beside it"),
                ),
            }
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

/// Whether what a filter has logged reaches audit (`kernel.seccomp.actions_logged`).
pub(super) fn seccomp(roots: &Roots) -> Finding {
    let name = "kernel.seccomp.actions_logged";
    match fs::read_to_string(roots.proc.join("sys/kernel/seccomp/actions_logged")) {
        Ok(list) if super::seccomp::names_log(&list) => {
            Finding::good(name, "it has the action `log`")
        }
        Ok(list) => Finding::note(
            name,
            format!("it has no `log`: {}", list.trim()),
            "execlab adds it and takes it away again",
        ),
        Err(error) => Finding::bad(
            name,
            format!("it cannot be read: {error}"),
            "boot a kernel from 4.14 on with CONFIG_SECCOMP_FILTER=y",
        ),
    }
}

/// Whether profiles can be loaded into `AppArmor`.
pub(super) fn apparmor(roots: &Roots) -> Finding {
    let enabled = roots.sys.join("module/apparmor/parameters/enabled");
    let enabled = fs::read_to_string(enabled).is_ok_and(|text| text.trim() == "Y");
    let load = roots.sys.join("kernel/security/apparmor/.load");
    match (enabled, load.exists()) {
        (true, true) => Finding::good("AppArmor", "it is active, and takes profiles"),
        (true, false) => Finding::bad(
            "AppArmor",
            "it is active, and /sys/kernel/security/apparmor is not there",
            "mount securityfs at /sys/kernel/security",
        ),
        (false, _) => Finding::bad(
            "AppArmor",
            "it is not active",
            "boot with `apparmor` among the modules of `lsm=`, on a kernel that has it",
        ),
    }
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
    use crate::look::{
        State,
        tests::{Fake, told},
    };

    fn status(enabled: u32, pid: u32) -> Status {
        Status {
            enabled,
            pid,
            ..Status::default()
        }
    }

    #[test]
    fn an_action_that_is_not_logged_is_told() {
        let fake = Fake::new();
        let list = "proc/sys/kernel/seccomp/actions_logged";
        let state = || seccomp(&fake.roots()).state;
        assert_eq!(state(), State::Bad);
        fake.write(list, "kill_process trace\n");
        assert_eq!(state(), State::Note);
        fake.write(list, "kill_process trace log\n");
        assert_eq!(state(), State::Good);
    }

    #[test]
    fn apparmor_has_to_be_active_and_within_reach() {
        let fake = Fake::new();
        let state = || apparmor(&fake.roots()).state;
        assert_eq!(state(), State::Bad);
        fake.write("sys/module/apparmor/parameters/enabled", "Y\n");
        assert_eq!(state(), State::Bad);
        fake.write("sys/kernel/security/apparmor/.load", "");
        assert_eq!(state(), State::Good);
    }

    #[test]
    fn a_locked_audit_and_one_with_an_owner_are_in_the_way() {
        let fake = Fake::new();
        fake.write("proc/77/comm", "auditd\n");
        let told = |status| told(&of_status(&status, &[], Channel::Owner, &fake.roots()));
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
