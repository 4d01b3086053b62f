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
