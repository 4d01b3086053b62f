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

/// Documentation/admin-guide/LSM/Yama.rst.
fn yama(roots: &Roots) -> Finding {
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
}
