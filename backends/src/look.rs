//! Looking at a machine without changing it: what each technique needs of the kernel that runs.
//!
//! A feature of its own (`look`), so that no monitor carries it into a guest.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

pub use execlab_model::finding::{Finding, State, Usable};

/// Where a machine shows itself; a temporary folder in tests.
#[derive(Debug, Clone)]
pub struct Roots {
    /// `/proc`.
    pub proc: PathBuf,
    /// `/sys`.
    pub sys: PathBuf,
    /// `/dev`.
    pub dev: PathBuf,
}

impl Roots {
    /// Of the machine that this runs on.
    pub fn running() -> Self {
        Self {
            proc: "/proc".into(),
            sys: "/sys".into(),
            dev: "/dev".into(),
        }
    }
}

/// Capabilities that techniques need, with their numbers (linux/capability.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Everything about networks, the groups of netlink among it.
    NetAdmin = 12,
    /// To load modules, and to take them out.
    SysModule = 16,
    /// To trace others, and to read of them what is theirs.
    SysPtrace = 19,
    /// To switch process accounting on and off.
    SysPacct = 20,
    /// Mounts, namespaces, and much else.
    SysAdmin = 21,
    /// To change what audit does.
    AuditControl = 30,
}

impl Capability {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NetAdmin => "CAP_NET_ADMIN",
            Self::SysModule => "CAP_SYS_MODULE",
            Self::SysPtrace => "CAP_SYS_PTRACE",
            Self::SysPacct => "CAP_SYS_PACCT",
            Self::SysAdmin => "CAP_SYS_ADMIN",
            Self::AuditControl => "CAP_AUDIT_CONTROL",
        }
    }

    /// Whether this process has it (`CapEff` of `/proc/self/status`).
    pub fn look(self, roots: &Roots) -> Finding {
        let name = self.as_str();
        let effective = effective(&roots.proc.join("self/status"));
        match effective {
            Ok(set) if set & (1 << self as u32) != 0 => Finding::good(name, "this process has it"),
            Ok(_) => Finding::bad(name, "this process does not have it", "run execlab as root"),
            Err(error) => Finding::unknown(
                name,
                format!("/proc/self/status cannot be read: {error}"),
                "mount /proc",
            ),
        }
    }
}

fn effective(status: &Path) -> io::Result<u64> {
    let text = fs::read_to_string(status)?;
    let line = text.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .ok_or_else(|| io::Error::other("it has no CapEff"))
}

/// Namespaces whose first one has a fixed number since Linux 3.8 (`include/linux/proc_ns.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Of process ids.
    Pid,
    /// Of users.
    User,
}

impl Namespace {
    /// Whether this process is in the first one: some of what the kernel tells, it tells there only.
    pub fn look(self, roots: &Roots) -> Finding {
        let (name, word, first) = match self {
            Self::Pid => ("PID namespace", "pid", "pid:[4026531836]"),
            Self::User => ("user namespace", "user", "user:[4026531837]"),
        };
        let path = roots.proc.join("self/ns").join(word);
        match fs::read_link(path) {
            Ok(link) if link.as_os_str() == first => Finding::good(name, "the initial one"),
            Ok(link) => Finding::bad(
                name,
                format!("{}, and the initial one is {first}", link.display()),
                "run execlab outside containers and namespaces",
            ),
            Err(error) => Finding::unknown(
                name,
                format!("/proc/self/ns/{word} cannot be read: {error}"),
                "mount /proc",
            ),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A machine that is a folder.
    pub(crate) struct Fake(pub(crate) TempDir);

    impl Fake {
        pub(crate) fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        pub(crate) fn roots(&self) -> Roots {
            let dir = |name: &str| self.0.path().join(name);
            Roots {
                proc: dir("proc"),
                sys: dir("sys"),
                dev: dir("dev"),
            }
        }

        pub(crate) fn write(&self, name: &str, text: &str) -> &Self {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            self
        }

        pub(crate) fn link(&self, name: &str, to: &str) -> &Self {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(to, path).unwrap();
            self
        }
    }

    /// Findings as lines.
    pub(crate) fn told(findings: &[Finding]) -> String {
        let line = |finding: &Finding| {
            let Finding {
                what,
                state,
                evidence,
                remedy,
            } = finding;
            let remedy = remedy.as_deref().unwrap_or("-");
            format!("{}: {what}: {evidence} ({remedy})", state.as_str())
        };
        findings.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn capabilities_are_bits_of_the_effective_set() {
        let fake = Fake::new();
        let told = || told(&[Capability::SysPtrace.look(&fake.roots())]);
        assert!(told().starts_with("unknown: CAP_SYS_PTRACE"), "{}", told());
        fake.write("proc/self/status", "Name:\tx\nCapEff:\t0000000000080000\n");
        assert_eq!(told(), "good: CAP_SYS_PTRACE: this process has it (-)");
        fake.write("proc/self/status", "Name:\tx\nCapEff:\t000001fffff7ffff\n");
        assert_eq!(
            told(),
            "bad: CAP_SYS_PTRACE: this process does not have it (run execlab as root)"
        );
    }

    #[test]
    fn the_first_namespace_is_known_by_its_number() {
        let first = Fake::new();
        first.link("proc/self/ns/pid", "pid:[4026531836]");
        first.link("proc/self/ns/user", "user:[4026532001]");
        let found = [Namespace::Pid, Namespace::User].map(|n| n.look(&first.roots()).state);
        assert_eq!(found, [State::Good, State::Bad]);
    }
}
