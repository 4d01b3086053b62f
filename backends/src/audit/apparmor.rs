//! `apparmor`: a profile that allows everything and has each exec audited, read through audit.
//!
//! # How it works
//!
//! `AppArmor` decides on an exec in `apparmor_bprm_creds_for_exec` (`security/apparmor/domain.c`), from the profile of the
//! process that calls. The profile here (`apparmor/profile.txt`, compiled beforehand, one binary for all kernels
//! from 5.10 on; see `apparmor/README.md`) allows everything, and its one rule for execs is `audit /** ix`: run it, stay in
//! this profile, write a record. The record (AVC, 1400) has pid, `comm` of the caller, and the name of the
//! file; it goes the way of all audit records, and this monitor is audit's owner as in
//! [`super`]. No audit rule is needed, and audit may stay switched off.
//!
//! The profile is in complain mode too, so that nothing is ever refused that it does not name, and has
//! `attach_disconnected` and `mediate_deleted`: without these the name of a deleted file, or of one that is reached from
//! outside its mount namespace, cannot be made, and such an exec fails even in complain mode. Complain mode alone
//! (a profile without rules, as `aa-complain` has it) would report the same execs as `ALLOWED`, and give each executed
//! file a profile of its own (`execlab//null-…`), without bound; `ix` has none of that.
//!
//! # What it cannot see
//!
//! - Execs of processes that are not confined. A profile comes to a process at an exec, by inheritance, or by its
//!   own wish (here: `exec execlab` written to `/proc/self/attr/apparmor/exec` before the storm is executed);
//!   nobody can confine a process that runs. So it reaches what it launches. For a whole system
//!   `init` would have to be confined before it starts anything, by whoever loads policy first.
//! - Whether the exec succeeds: the hook comes before the file's format is looked at. A file that cannot be
//!   opened is not reported (there is no file yet); one of a wrong format (ENOEXEC) and a mere check
//!   (`AT_EXECVE_CHECK`) are.
//! - The interpreter of a script: the name is the script. For `binfmt_misc` it is the binary.
//! - The string that was passed, arguments, parent, real user (`fsuid` is another id), a container. The
//!   cgroup is looked up in `/proc` afterwards, as in [`super`].
//! - Programs that the kernel starts.
//!
//! The name is the path from the root of the mount namespace (`d_absolute_path`), for a chroot from outside it; without
//! ` (deleted)`.
//!
//! # Loss
//!
//! `audit_status.lost`, in records. Of every exec there is one, but the counter is of all types.
//!
//! # Cost
//!
//! One record an exec, and a profile on every process of the storm: all their file accesses are compared with it. Of
//! the rows of its family that see every exec it is the cheapest, and it tells the least: a path, of its own process
//! tree. `tomoyo` buys arguments, parent and user for more; `ima` is cheaper and sees the first exec of a content
//! alone. Tuned costs less: the reader is woken once for many records, and no cgroup is looked up in `/proc`. That
//! gives up the container and early sightings.
//!
//! Sources: `security/apparmor/domain.c`, `file.c`, `path.c`, `apparmorfs.c`; apparmor.d(5); `aa_change_onexec` in
//! `aa_change_profile(2)`.

use std::{
    fmt::Debug,
    fs, io,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
    path::{Path, PathBuf},
};

use super::{
    AuditRules,
    event::Exec,
    monitor::{AuditMonitor, Channel},
    record::{Stamp, Value, fields},
    settings,
    source::{Single, Source, Told},
    wire::kind,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    remains::Remains,
};

/// See the module.
#[derive(Debug)]
pub struct AppArmor;

/// The compiled profile, and its name.
const PROFILE: &[u8] = include_bytes!("apparmor/profile.bin");
const NAME: &str = "execlab";

/// Where policy is loaded and listed.
const POLICY: &str = "/sys/kernel/security/apparmor";

/// Where a process says what profile its next image is to have; the second until Linux 5.8, and where `AppArmor` is
/// the only module with such files.
const NEXT: [&str; 2] = ["/proc/self/attr/apparmor/exec", "/proc/self/attr/exec"];

impl Backend for AppArmor {
    fn name(&self) -> &'static str {
        "apparmor"
    }

    fn about(&self) -> &'static str {
        "an AppArmor profile that audits each exec, read as audit's own daemon"
    }

    fn program(&self) -> &'static str {
        AuditRules.program()
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Lsm,
            mechanism: "a record that AppArmor writes when it decides on the exec of a confined process, sent to audit's owner",
            needs: &[
                "AppArmor among the active security modules",
                "CAP_MAC_ADMIN and securityfs, to load a profile",
                "CAP_AUDIT_CONTROL in the initial user and PID namespaces",
                "no other audit daemon",
            ],
            since: Since {
                release: "2.6.36 (the ABI that the profile here needs, 7, is younger)",
                series: None,
            },
            loss_signals: &["audit_status.lost"],
            reach: Reach::Descendants,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        settings::OF_SINGLE_RECORDS
    }

    fn kernel_threads(&self) -> &'static [&'static str] {
        AuditRules.kernel_threads()
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "a profile called execlab is loaded into AppArmor while it runs; processes that have it are unconfined when it goes",
            "the storm's processes are confined by it: it allows everything",
            "audit's limits are set while it runs, and put back; audit itself is not switched on",
            "another owner of audit (auditd) is left alone: then the backend is unsupported",
        ]
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&OfAppArmor)
    }

    fn launch(&self, _: &Settings) -> Result<(), AttachError> {
        let wish = format!("exec {NAME}");
        let asked = fs::write(NEXT[0], &wish).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => fs::write(NEXT[1], &wish),
            _ => Err(error),
        });
        asked.map_err(AttachError::call(format!("write `{wish}` to {}", NEXT[0])))
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            path: true,
            container: true,
            time: true,
            loss: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let loaded = Loaded::load(Path::new(POLICY), OWNER)?;
        let source = Source::Single(Single {
            kind: kind::AVC,
            read,
        });
        let kept: Vec<Box<dyn Debug>> = vec![Box::new(loaded)];
        let mut monitor = AuditMonitor::attach(settings, source, Channel::Owner, kept)?;
        monitor.evidence.push(format!(
            "profile {NAME} is loaded ({} bytes)",
            PROFILE.len()
        ));
        Ok(Box::new(monitor))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        let mut findings = super::look::look(roots, Channel::Owner);
        findings.push(super::look::apparmor(roots));
        findings
    }
}

/// Reads an AVC record: the name of the file that a process of our profile was let execute.
pub(super) fn read(stamp: Stamp, text: &[u8]) -> Told {
    let (mut pid, mut path) = (None, None);
    let (mut let_through, mut exec, mut ours) = (false, false, false);
    for (name, value) in fields(text) {
        match name {
            // Not so where it was refused, or where another module wrote the record.
            b"apparmor" => let_through = matches!(value, Value::Quoted(b"AUDIT" | b"ALLOWED")),
            b"operation" => exec = value == Value::Quoted(b"exec"),
            b"profile" => ours = value == Value::Quoted(NAME.as_bytes()),
            b"name" => path = value.string(),
            b"pid" => pid = value.number(),
            _ => {}
        }
    }
    match pid {
        _ if !(let_through && exec && ours) => Told::Other,
        None => Told::Malformed,
        Some(pid) => Told::Exec(Box::new(Exec {
            path,
            ..Exec::of(stamp, pid)
        })),
    }
}

/// Held by the monitor whose profile it is: an abstract name, which goes with its process.
const OWNER: &str = "execlab-apparmor-profile";

/// Takes that name; fails where a monitor has it that lives.
fn own(name: &str) -> io::Result<UnixDatagram> {
    UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

/// The profile, loaded. Dropping it removes it, and unconfines whom it confined.
#[derive(Debug)]
struct Loaded {
    policy: PathBuf,
    /// There is one profile, and one monitor may remove it.
    _owner: UnixDatagram,
}

impl Loaded {
    fn load(policy: &Path, owner: &str) -> Result<Self, AttachError> {
        let owner = own(owner).map_err(|error| match error.raw_os_error() {
            Some(libc::EADDRINUSE) => {
                AttachError::Unsupported(format!("another monitor has the profile {NAME} loaded"))
            }
            _ => AttachError::call(format!("bind of the abstract name {owner}"))(error),
        })?;
        let load = policy.join(".load");
        fs::write(&load, PROFILE).map_err(|error| match error.raw_os_error() {
            Some(libc::ENOENT) => AttachError::Unsupported(format!(
                "write of a profile to {}: {error}: AppArmor is not active, or securityfs is not mounted",
                load.display()
            )),
            Some(libc::EPERM | libc::EACCES | libc::EPROTONOSUPPORT) => {
                AttachError::Unsupported(format!("write of a profile to {}: {error}", load.display()))
            }
            _ => AttachError::call(format!("write of a profile to {}", load.display()))(error),
        })?;
        Ok(Self {
            policy: policy.to_owned(),
            _owner: owner,
        })
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.policy) {
            eprintln!("execlab-monitor: apparmor: profile {NAME} is not removed: {error}");
        }
    }
}

fn remove(policy: &Path) -> io::Result<()> {
    fs::write(policy.join(".remove"), NAME)
}

/// Whether the profile is among those that are loaded, one a line with their mode behind them.
fn is_loaded(policy: &Path) -> io::Result<bool> {
    let list = match fs::read_to_string(policy.join("profiles")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        other => other?,
    };
    let mut names = list.lines().filter_map(|line| line.rsplit_once(" ("));
    Ok(names.any(|(name, _)| name == NAME))
}

/// What a killed monitor leaves: what [`super`] leaves, and the profile. That of a monitor that lives stays.
#[derive(Debug)]
struct OfAppArmor;

impl Remains for OfAppArmor {
    fn note(&self) -> Result<Option<String>, String> {
        let Some(audit) = super::remains::OfAudit.note()? else {
            return Ok(None);
        };
        let loaded = is_loaded(Path::new(POLICY)).map_err(|error| format!("apparmor: {error}"))?;
        Ok(Some(format!("profile {loaded}\n{audit}")))
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let said = |error: io::Error| format!("apparmor: {error}");
        let (profile, audit) = noted
            .split_once('\n')
            .ok_or("what was noted of AppArmor cannot be read")?;
        let mut done = super::remains::OfAudit.put_back(audit)?;
        let policy = Path::new(POLICY);
        let ended = own(OWNER);
        if profile == "profile false" && ended.is_ok() && is_loaded(policy).map_err(said)? {
            remove(policy).map_err(said)?;
            done.push(format!("apparmor: removed the profile {NAME}"));
        }
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::kernel_text::untrusted;

    const STAMP: Stamp = Stamp {
        millis: 1_000,
        serial: 7,
    };

    /// From 6.12; without `class` and `target` from 5.10.
    const RECORD: &str = r#" apparmor="AUDIT" operation="exec" class="file" info="ix fallback" profile="execlab" name="/bin/busybox" pid=146 comm="busybox" requested_mask="x" fsuid=0 ouid=0 target="execlab""#;

    fn told(text: &str) -> Told {
        read(STAMP, text.as_bytes())
    }

    #[test]
    fn a_record_of_a_real_kernel_is_an_exec() {
        let exec = Exec {
            path: Some("/bin/busybox".into()),
            ..Exec::of(STAMP, 146)
        };
        assert_eq!(told(RECORD), Told::Exec(Box::new(exec)));
    }

    #[test]
    fn what_others_have_decided_is_no_exec_of_ours() {
        for (from, to) in [
            ("\"AUDIT\"", "\"DENIED\""),
            ("\"exec\"", "\"open\""),
            ("profile=\"execlab\"", "profile=\"other\""),
            (" apparmor=\"AUDIT\"", " avc:  granted  { execute } for "),
        ] {
            assert_eq!(told(&RECORD.replace(from, to)), Told::Other, "{to}");
        }
        assert_eq!(told(&RECORD.replace("pid=146 ", "")), Told::Malformed);
    }

    #[test]
    fn a_profile_is_loaded_and_removed_and_known_in_the_list() {
        let policy = tempfile::tempdir().unwrap();
        let list = |text: &str| fs::write(policy.path().join("profiles"), text).unwrap();
        assert!(!is_loaded(policy.path()).unwrap());
        list("execlab2 (enforce)\n/x (a) (complain)\n");
        assert!(!is_loaded(policy.path()).unwrap());
        list("execlab (complain)\n");
        assert!(is_loaded(policy.path()).unwrap());
        let owner = format!("execlab-apparmor-test-{}", std::process::id());
        let loaded = Loaded::load(policy.path(), &owner).unwrap();
        assert_eq!(fs::read(policy.path().join(".load")).unwrap(), PROFILE);
        // Another monitor's is not touched.
        let second = Loaded::load(policy.path(), &owner);
        assert!(matches!(second, Err(AttachError::Unsupported(_))));
        assert!(!policy.path().join(".remove").exists());
        drop(loaded);
        assert_eq!(fs::read(policy.path().join(".remove")).unwrap(), b"execlab");
        let gone = Loaded::load(&policy.path().join("none"), &owner);
        assert!(matches!(gone, Err(AttachError::Unsupported(_))));
    }

    proptest! {
        #[test]
        fn hostile_names_come_through(
            path in proptest::collection::vec(1u8.., 1..60),
            comm in proptest::collection::vec(1u8.., 0..16),
            pid in 1u32..,
        ) {
            let mut text = b" apparmor=\"AUDIT\" operation=\"exec\" profile=\"execlab\" name=".to_vec();
            text.extend_from_slice(&untrusted(&path));
            text.extend_from_slice(format!(" pid={pid} comm=").as_bytes());
            text.extend_from_slice(&untrusted(&comm));
            text.extend_from_slice(b" requested_mask=\"x\" fsuid=0 ouid=0");
            let exec = Exec { path: Some(path.into()), ..Exec::of(STAMP, pid) };
            prop_assert_eq!(read(STAMP, &text), Told::Exec(Box::new(exec)));
        }

        #[test]
        fn garbage_is_never_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(STAMP, &text);
        }
    }
}
