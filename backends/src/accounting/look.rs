//! What both kinds of accounting need.

use super::taskstats;
use crate::{
    AttachError,
    look::{Capability, Finding, Namespace, Roots},
};

/// The family is asked for, which changes nothing.
pub(super) fn of_taskstats(roots: &Roots) -> Vec<Finding> {
    vec![
        family(&taskstats::family()),
        Capability::NetAdmin.look(roots),
        Namespace::Pid.look(roots),
        Namespace::User.look(roots),
    ]
}

fn family(asked: &Result<u16, AttachError>) -> Finding {
    const WHAT: &str = "generic netlink TASKSTATS";
    match asked {
        Ok(number) => Finding::good(WHAT, format!("it is family {number}")),
        Err(AttachError::Unsupported(reason)) => Finding::bad(
            WHAT,
            reason.clone(),
            "boot a kernel with CONFIG_TASKSTATS=y",
        ),
        Err(error) => Finding::unknown(WHAT, error.to_string(), "run execlab as root"),
    }
}

pub(super) fn of_acct(roots: &Roots) -> Vec<Finding> {
    vec![
        acct(roots),
        Capability::SysPacct.look(roots),
        Capability::SysAdmin.look(roots),
        Namespace::Pid.look(roots),
    ]
}

/// A kernel that has it shows the limits of its file system (`kernel.acct`).
fn acct(roots: &Roots) -> Finding {
    const WHAT: &str = "process accounting";
    if roots.proc.join("sys/kernel/acct").exists() {
        Finding::good(WHAT, "/proc/sys/kernel/acct is there")
    } else {
        Finding::bad(
            WHAT,
            "no /proc/sys/kernel/acct",
            "boot a kernel with CONFIG_BSD_PROCESS_ACCT=y",
        )
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn accounting_is_known_by_its_limits() {
        let fake = Fake::new();
        insta::assert_snapshot!(told(&[acct(&fake.roots())]), @"bad: process accounting: no /proc/sys/kernel/acct (boot a kernel with CONFIG_BSD_PROCESS_ACCT=y)");
        fake.write("proc/sys/kernel/acct", "4\t2\t30\n");
        assert_eq!(
            told(&[acct(&fake.roots())]),
            "good: process accounting: /proc/sys/kernel/acct is there (-)"
        );
    }

    #[test]
    fn a_family_that_is_not_there_is_told_with_the_kernels_answer() {
        let asked = [
            Ok(31),
            Err(AttachError::Unsupported("it said no".into())),
            Err(AttachError::call("socket")(io::Error::from_raw_os_error(
                libc::EMFILE,
            ))),
        ];
        let findings: Vec<_> = asked.iter().map(family).collect();
        insta::assert_snapshot!(told(&findings), @r"
        good: generic netlink TASKSTATS: it is family 31 (-)
        bad: generic netlink TASKSTATS: it said no (boot a kernel with CONFIG_TASKSTATS=y)
        unknown: generic netlink TASKSTATS: socket failed: Too many open files (os error 24) (run execlab as root)
        ");
    }
}
