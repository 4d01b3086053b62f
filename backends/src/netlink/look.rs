//! What the proc connector needs.

use std::{fs, io};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_CONNECTOR};

use super::{release, wire::CN_IDX_PROC};
use crate::look::{Capability, Finding, Namespace, Roots};

/// A socket joins the group and leaves it again. Who does not order `LISTEN` gets nothing and changes
/// nothing.
pub(super) fn look(roots: &Roots) -> Vec<Finding> {
    vec![
        connector(roots),
        group(&join()),
        Capability::NetAdmin.look(roots),
        Namespace::Pid.look(roots),
        Namespace::User.look(roots),
    ]
}

/// It cannot be asked for without listening, so the release has to tell.
pub(super) fn event_mask(roots: &Roots) -> Finding {
    const WHAT: &str = "event mask";
    const REMEDY: &str = "boot Linux 6.6 or later";
    let Some(text) = release::read(&roots.proc) else {
        return Finding::unknown(
            WHAT,
            "/proc/sys/kernel/osrelease cannot be read",
            "mount /proc",
        );
    };
    let evidence = format!("Linux {text}; the connector has it since 6.6");
    match release::numbers(&text) {
        Some(told) if told >= release::OF_EVENT_MASK => Finding::good(WHAT, evidence),
        Some(_) => Finding::bad(WHAT, evidence, REMEDY),
        None => Finding::unknown(WHAT, evidence, REMEDY),
    }
}

/// The kernel lists who answers on the connector; its name for the proc connector is `cn_proc`
/// (`drivers/connector/cn_proc.c`).
fn connector(roots: &Roots) -> Finding {
    const WHAT: &str = "proc connector";
    let listed = fs::read_to_string(roots.proc.join("net/connector"));
    let there = listed.as_ref().is_ok_and(|text| {
        let mut names = text
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        names.any(|name| name == "cn_proc")
    });
    if there {
        return Finding::good(WHAT, "cn_proc is in /proc/net/connector");
    }
    let evidence = match listed {
        Ok(_) => "no cn_proc in /proc/net/connector".to_owned(),
        Err(error) => format!("/proc/net/connector cannot be read: {error}"),
    };
    Finding::bad(
        WHAT,
        evidence,
        "boot a kernel with CONFIG_PROC_EVENTS=y, and run execlab in the initial network namespace",
    )
}

fn join() -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_CONNECTOR)?;
    socket.bind(&SocketAddr::new(0, 1 << (CN_IDX_PROC - 1)))
}

fn group(joined: &io::Result<()>) -> Finding {
    const WHAT: &str = "its group";
    match joined {
        Ok(()) => Finding::good(WHAT, "a socket could join it"),
        Err(error) if error.raw_os_error() == Some(libc::EPROTONOSUPPORT) => Finding::bad(
            WHAT,
            "the kernel has no connector",
            "boot a kernel with CONFIG_CONNECTOR=y",
        ),
        Err(error) => Finding::bad(
            WHAT,
            format!("a socket could not join it: {error}"),
            "run execlab as root",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::State;
    use crate::look::tests::{Fake, told};

    #[test]
    fn the_connector_is_known_by_its_name_in_the_kernels_list() {
        let fake = Fake::new();
        let roots = fake.roots();
        assert!(told(&[connector(&roots)]).contains("cannot be read"));
        fake.write("proc/net/connector", "Name            ID\nw1 3:1\n");
        insta::assert_snapshot!(told(&[connector(&roots)]), @"bad: proc connector: no cn_proc in /proc/net/connector (boot a kernel with CONFIG_PROC_EVENTS=y, and run execlab in the initial network namespace)");
        fake.write(
            "proc/net/connector",
            "Name            ID\ncn_proc         1:1\n",
        );
        insta::assert_snapshot!(told(&[connector(&roots)]), @"good: proc connector: cn_proc is in /proc/net/connector (-)");
    }

    #[test]
    fn the_event_mask_is_there_by_its_release() {
        let fake = Fake::new();
        let state = || event_mask(&fake.roots()).state;
        assert_eq!(state(), State::Unknown);
        for (release, expected) in [
            ("6.1.0-56-cloud-amd64", State::Bad),
            ("6.6.0", State::Good),
            ("7.3.4", State::Good),
            ("six", State::Unknown),
        ] {
            fake.write("proc/sys/kernel/osrelease", &format!("{release}\n"));
            assert_eq!(state(), expected, "{release}");
        }
    }

    #[test]
    fn a_group_that_cannot_be_joined_is_told_with_the_systems_answer() {
        let errors = [libc::EPROTONOSUPPORT, libc::EPERM].map(io::Error::from_raw_os_error);
        let findings: Vec<_> = errors.into_iter().map(|e| group(&Err(e))).collect();
        insta::assert_snapshot!(told(&findings), @r#"
        bad: its group: the kernel has no connector (boot a kernel with CONFIG_CONNECTOR=y)
        bad: its group: a socket could not join it: Operation not permitted (os error 1) (run execlab as root)
        "#);
        assert!(told(&[group(&Ok(()))]).starts_with("good"));
    }
}
