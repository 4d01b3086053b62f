//! What fanotify needs.

use std::{fs, path::Path};

use nix::{
    errno::Errno,
    sys::fanotify::{EventFFlags, Fanotify, InitFlags},
};

use crate::look::{Capability, Finding, Namespace, Roots};

/// What a row needs beside fanotify itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing.
    Events,
    /// Opens that wait.
    Permission,
    /// A pidfd with each event.
    Pidfd,
}

/// A group is made and closed again: without a mark it changes nothing.
pub fn look(roots: &Roots, need: Need) -> Vec<Finding> {
    let flags = match need {
        Need::Events => InitFlags::empty(),
        Need::Permission => InitFlags::FAN_CLASS_CONTENT,
        Need::Pidfd => InitFlags::FAN_REPORT_PIDFD,
    };
    let made = Fanotify::init(flags | InitFlags::FAN_CLOEXEC, EventFFlags::O_RDONLY);
    vec![
        group(made.map(drop), need),
        limit(&roots.proc),
        Capability::SysAdmin.look(roots),
        Capability::SysPtrace.look(roots),
        Namespace::Pid.look(roots),
    ]
}

fn group(made: nix::Result<()>, need: Need) -> Finding {
    const WHAT: &str = "fanotify";
    let Err(error) = made else {
        return Finding::good(WHAT, "a group could be made");
    };
    let remedy = match (error, need) {
        (Errno::ENOSYS, _) => "boot a kernel with CONFIG_FANOTIFY=y",
        (Errno::EINVAL, Need::Permission) => {
            "boot a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y"
        }
        (Errno::EINVAL, Need::Pidfd) => "boot Linux 5.15 or newer",
        _ => "run execlab as root, outside containers",
    };
    Finding::bad(WHAT, format!("a group could not be made: {error}"), remedy)
}

/// How many events may wait. There is no such file before 5.13.
fn limit(proc: &Path) -> Finding {
    let text = fs::read_to_string(proc.join("sys/fs/fanotify/max_queued_events"));
    let evidence = match text {
        Ok(text) => format!(
            "{} events may wait (fs.fanotify.max_queued_events)",
            text.trim()
        ),
        Err(_) => "16384 events may wait (FANOTIFY_DEFAULT_MAX_EVENTS)".into(),
    };
    Finding::note("its queue", evidence, "queue=unlimited lifts the limit")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn a_group_that_cannot_be_made_is_told_with_what_is_missing() {
        let findings = [
            group(Err(Errno::ENOSYS), Need::Events),
            group(Err(Errno::EINVAL), Need::Permission),
            group(Err(Errno::EINVAL), Need::Pidfd),
            group(Err(Errno::EPERM), Need::Events),
            group(Ok(()), Need::Events),
        ];
        insta::assert_snapshot!(told(&findings), @r"
        bad: fanotify: a group could not be made: ENOSYS: Function not implemented (boot a kernel with CONFIG_FANOTIFY=y)
        bad: fanotify: a group could not be made: EINVAL: Invalid argument (boot a kernel with CONFIG_FANOTIFY_ACCESS_PERMISSIONS=y)
        bad: fanotify: a group could not be made: EINVAL: Invalid argument (boot Linux 5.15 or newer)
        bad: fanotify: a group could not be made: EPERM: Operation not permitted (run execlab as root, outside containers)
        good: fanotify: a group could be made (-)
        ");
    }

    #[test]
    fn the_length_of_the_queue_is_told() {
        let fake = Fake::new();
        assert!(told(&[limit(&fake.roots().proc)]).contains("16384"));
        fake.write("proc/sys/fs/fanotify/max_queued_events", "99\n");
        assert!(told(&[limit(&fake.roots().proc)]).contains("99 events may wait"));
    }
}
