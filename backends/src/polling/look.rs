//! What scanning `/proc` needs.

use std::fs;

use crate::look::{Capability, Finding, Namespace, Roots};

pub(super) fn look(roots: &Roots) -> Vec<Finding> {
    vec![
        hiding(roots),
        Capability::SysPtrace.look(roots),
        Namespace::Pid.look(roots),
    ]
}

/// What running `ps` needs beside that.
pub(super) fn of_ps(roots: &Roots, program: Option<&str>) -> Vec<Finding> {
    let found = match program {
        Some(path) => Finding::good("ps", format!("{path} is there")),
        None => Finding::bad("ps", "there is none", "install procps"),
    };
    let mut findings = vec![found];
    findings.extend(look(roots));
    findings
}

/// Whether processes are hidden from others (`hidepid`, Documentation/filesystems/proc.rst): from 2 on
/// they are, but not from who has `CAP_SYS_PTRACE`, except with `ptraceable`, which goes by access.
fn hiding(roots: &Roots) -> Finding {
    const WHAT: &str = "/proc";
    let mounts = match fs::read_to_string(roots.proc.join("self/mountinfo")) {
        Ok(text) => text,
        Err(error) => {
            return Finding::bad(WHAT, format!("it cannot be read: {error}"), "mount /proc");
        }
    };
    let options = mounts.lines().rev().find_map(|line| {
        let (place, kind) = line.split_once(" - ")?;
        let is_proc = place.split(' ').nth(4) == Some("/proc") && kind.starts_with("proc ");
        is_proc.then(|| kind.split(' ').nth(2).unwrap_or_default())
    });
    let hidepid = options.and_then(|all| all.split(',').find_map(|o| o.strip_prefix("hidepid=")));
    match hidepid {
        None | Some("0" | "off") => Finding::good(WHAT, "it shows all processes"),
        Some(how) => Finding::note(
            WHAT,
            format!(
                "mounted with hidepid={how}: others' processes show only to who may trace them"
            ),
            "run execlab as root, or mount /proc without hidepid",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::tests::{Fake, told};

    #[test]
    fn hidden_processes_are_told() {
        let fake = Fake::new();
        let told = || told(&[hiding(&fake.roots())]);
        assert!(
            told().starts_with("bad: /proc: it cannot be read"),
            "{}",
            told()
        );
        let mount = |options: &str| {
            format!(
                "22 1 0:21 / /proc rw,nosuid - proc proc {options}\n\
                 23 1 0:22 / /srv/proc rw - proc proc rw,hidepid=2\n"
            )
        };
        fake.write("proc/self/mountinfo", &mount("rw"));
        assert_eq!(told(), "good: /proc: it shows all processes (-)");
        fake.write("proc/self/mountinfo", &mount("rw,gid=4,hidepid=invisible"));
        insta::assert_snapshot!(told(), @"note: /proc: mounted with hidepid=invisible: others' processes show only to who may trace them (run execlab as root, or mount /proc without hidepid)");
    }

    #[test]
    fn a_machine_without_ps_is_told_so() {
        let fake = Fake::new();
        let first = |program| told(&of_ps(&fake.roots(), program)[..1]);
        assert_eq!(first(Some("/bin/ps")), "good: ps: /bin/ps is there (-)");
        assert_eq!(first(None), "bad: ps: there is none (install procps)");
    }
}
