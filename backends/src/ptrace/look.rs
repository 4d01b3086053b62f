//! What tracing every process needs.

use std::fs;

use crate::look::{Capability, Finding, Namespace, Roots};

pub(super) fn look(roots: &Roots) -> Vec<Finding> {
    vec![
        Capability::SysPtrace.look(roots),
        yama(roots),
        Namespace::Pid.look(roots),
    ]
}

/// What a filter with that action needs (`kernel.seccomp.actions_avail`, seccomp(2)).
pub(super) fn seccomp(roots: &Roots, action: &'static str) -> Vec<Finding> {
    vec![
        available(roots, action),
        Capability::SysAdmin.look(roots),
        Capability::SysPtrace.look(roots),
    ]
}

fn available(roots: &Roots, action: &'static str) -> Finding {
    const WHAT: &str = "seccomp";
    match fs::read_to_string(roots.proc.join("sys/kernel/seccomp/actions_avail")) {
        Err(error) => Finding::bad(
            WHAT,
            format!("its list of actions cannot be read: {error}"),
            "a kernel with CONFIG_SECCOMP_FILTER",
        ),
        Ok(all) if all.split_whitespace().any(|one| one == action) => {
            Finding::good(WHAT, format!("has the action {action}"))
        }
        Ok(all) => Finding::bad(
            WHAT,
            format!("has no action {action}, only: {}", all.trim()),
            "a newer kernel",
        ),
    }
}

/// Documentation/admin-guide/LSM/Yama.rst.
pub(super) fn yama(roots: &Roots) -> Finding {
    const WHAT: &str = "Yama";
    let scope = fs::read_to_string(roots.proc.join("sys/kernel/yama/ptrace_scope"));
    match scope.as_deref().map(str::trim) {
        Err(_) => Finding::good(WHAT, "not in this kernel"),
        Ok("3") => Finding::bad(
            WHAT,
            "ptrace_scope is 3: nobody may trace anybody until the next boot",
            "boot with a lower kernel.yama.ptrace_scope",
        ),
        Ok(scope) => Finding::good(
            WHAT,
            format!("ptrace_scope is {scope}, which CAP_SYS_PTRACE overrides"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn only_the_scope_that_forbids_all_is_in_the_way() {
        let fake = Fake::new();
        let told = || told(&[yama(&fake.roots())]);
        assert_eq!(told(), "good: Yama: not in this kernel (-)");
        fake.write("proc/sys/kernel/yama/ptrace_scope", "1\n");
        insta::assert_snapshot!(told(), @"good: Yama: ptrace_scope is 1, which CAP_SYS_PTRACE overrides (-)");
        fake.write("proc/sys/kernel/yama/ptrace_scope", "3\n");
        insta::assert_snapshot!(told(), @"bad: Yama: ptrace_scope is 3: nobody may trace anybody until the next boot (boot with a lower kernel.yama.ptrace_scope)");
    }

    #[test]
    fn an_action_is_there_or_not() {
        let fake = Fake::new();
        let told = || told(&[available(&fake.roots(), "user_notif")]);
        insta::assert_snapshot!(told(), @"bad: seccomp: its list of actions cannot be read: No such file or directory (os error 2) (a kernel with CONFIG_SECCOMP_FILTER)");
        fake.write(
            "proc/sys/kernel/seccomp/actions_avail",
            "kill trace log allow\n",
        );
        insta::assert_snapshot!(told(), @"bad: seccomp: has no action user_notif, only: kill trace log allow (a newer kernel)");
        fake.write(
            "proc/sys/kernel/seccomp/actions_avail",
            "kill user_notif allow\n",
        );
        insta::assert_snapshot!(told(), @"good: seccomp: has the action user_notif (-)");
    }
}
