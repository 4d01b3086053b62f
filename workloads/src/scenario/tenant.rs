//! A process that lives in namespaces of its own and sleeps there, so that children of the storm can be
//! born in them or enter them.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::PathBuf,
};

use execlab_model::truth::Namespaces;
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    mount::{MsFlags, mount},
    sched::CloneFlags,
    sys::signal::{Signal, kill},
    unistd::{ForkResult, Pid, fork, pause, pipe2},
};

use super::{SetupError, die_with_parent, namespaces};
use crate::step::{FIRST_OWN_FD, Step};

/// So much is written to a pipe, and read from it, in one piece (`pipe(7)`).
const PIPE_BUF: usize = 4096;

/// What it answers after its work.
const DONE: u8 = 0;
const FAILED: u8 = 1;
const UNSUPPORTED: u8 = 2;

/// See the module. Killed when dropped; where it is process 1 of a PID namespace, that is the namespace's end.
#[derive(Debug)]
pub(crate) struct Tenant {
    pid: Pid,
    go: File,
    answer: File,
}

impl Tenant {
    /// Makes the process, which waits until [`Self::go`] and then does its work.
    pub fn fork(work: impl FnOnce() -> Result<(), SetupError>) -> Result<Self, SetupError> {
        let pipes = || pipe2(OFlag::O_CLOEXEC).map_err(SetupError::at("make a pipe"));
        let ((wait, go), (answer, report)) = (pipes()?, pipes()?);
        // SAFETY: the storm has one thread, so the child may run any code.
        match unsafe { fork() }.map_err(SetupError::at("fork a process for namespaces"))? {
            ForkResult::Parent { child } => Ok(Self {
                pid: child,
                go: go.into(),
                answer: answer.into(),
            }),
            ForkResult::Child => {
                die_with_parent();
                drop((go, answer));
                let _ = File::from(wait).read(&mut [0]);
                say(
                    &mut File::from(report),
                    without_orders().and_then(|()| work()),
                );
                loop {
                    pause();
                }
            }
        }
    }

    /// Makes the process and lets it do its work.
    pub fn start(work: impl FnOnce() -> Result<(), SetupError>) -> Result<Self, SetupError> {
        let tenant = Self::fork(work)?;
        tenant.go()?;
        Ok(tenant)
    }

    /// Lets it do its work, and waits for how that went.
    pub fn go(&self) -> Result<(), SetupError> {
        // Not read to its end: what the tenant has forked may hold the pipe open too.
        let mut text = [0; PIPE_BUF];
        let length = (&self.go)
            .write_all(&[1])
            .and_then(|()| (&self.answer).read(&mut text))
            .map_err(SetupError::at("talk to the process in its namespaces"))?;
        match text[..length].split_first() {
            Some((&DONE, _)) => Ok(()),
            Some((&UNSUPPORTED, why)) => {
                Err(SetupError::Unsupported(String::from_utf8_lossy(why).into()))
            }
            other => {
                let why = other.map_or(&b"it ended"[..], |(_, why)| why);
                let why = io::Error::other(String::from_utf8_lossy(why).into_owned());
                Err(SetupError::at("prepare namespaces")(why))
            }
        }
    }

    /// In the PID namespace of whoever made it.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }

    /// Where it lives. It must be in reach of this process's `/proc`.
    pub fn namespaces(&self) -> Result<Namespaces, SetupError> {
        namespaces(&self.folder())
    }

    /// What a child does to enter its namespaces of these kinds, named as in `/proc/PID/ns`; not `pid`, which only
    /// children of whoever enters it are in. The descriptors are to be kept.
    pub fn enter(&self, kinds: &[&str]) -> Result<(Vec<Step>, Vec<OwnedFd>), SetupError> {
        let mut steps = Vec::new();
        let mut doors = Vec::new();
        for kind in kinds {
            let path = self.folder().join(kind);
            let door = File::open(&path)
                .map_err(SetupError::at(format!("open {}", path.display())))
                .and_then(for_children)?;
            // 0: of whatever kind it is.
            steps.push(Step::set_ns(door.as_raw_fd(), 0));
            doors.push(door);
        }
        Ok((steps, doors))
    }

    fn folder(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns", self.pid))
    }
}

impl Drop for Tenant {
    fn drop(&mut self) {
        // That it is gone already is fine.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = nix::sys::wait::waitpid(self.pid, None);
    }
}

/// The storm's standard streams are its line to the trial runner: nobody else may read or write there, least of all
/// one who becomes another user.
fn without_orders() -> Result<(), SetupError> {
    let null = File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map_err(SetupError::at("open /dev/null"))?;
    for number in [libc::STDIN_FILENO, libc::STDOUT_FILENO] {
        // SAFETY: both are open, and nothing in this process owns the one that is replaced.
        let result = unsafe { libc::dup2(null.as_raw_fd(), number) };
        Errno::result(result).map_err(SetupError::at("leave the storm's standard streams"))?;
    }
    Ok(())
}

/// Tells how the work went, once. Without its parent there is nobody to tell.
fn say(to: &mut File, how: Result<(), SetupError>) {
    let (what, why) = match how {
        Ok(()) => (DONE, String::new()),
        Err(SetupError::Unsupported(why)) => (UNSUPPORTED, why),
        Err(error) => (FAILED, error.to_string()),
    };
    let text = [&[what], why.as_bytes()].concat();
    let _ = to.write_all(&text[..text.len().min(PIPE_BUF)]);
}

/// A descriptor where children have it and payloads do not.
pub(crate) fn for_children(fd: impl AsFd) -> Result<OwnedFd, SetupError> {
    let fd = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(FIRST_OWN_FD))
        .map_err(SetupError::at("keep a descriptor for children"))?;
    // SAFETY: it is new, and nothing else owns it.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) })
}

/// Leaves namespaces for new ones.
pub(crate) fn unshare(kinds: CloneFlags) -> Result<(), SetupError> {
    nix::sched::unshare(kinds).map_err(SetupError::at("enter new namespaces"))
}

/// From here on what is mounted is this mount namespace's own affair.
pub(crate) fn make_mounts_private() -> Result<(), SetupError> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>)
        .map_err(SetupError::at("make all mounts private"))
}

/// Mounts the `/proc` of this process's PID namespace.
pub(crate) fn mount_proc() -> Result<(), SetupError> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .map_err(SetupError::at("mount the PID namespace's own /proc"))
}

/// The only child of a process that has one, by the PID namespace of this process's `/proc`.
pub(crate) fn only_child(pid: u32) -> Result<u32, SetupError> {
    let file = format!("/proc/{pid}/task/{pid}/children");
    fs::read_to_string(&file)
        .and_then(|text| text.trim().parse().map_err(io::Error::other))
        .map_err(SetupError::at(format!("find the only child in {file}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_of_the_work_is_told() {
        let tenant = Tenant::start(|| Ok(())).unwrap();
        assert_eq!(
            tenant.namespaces().unwrap(),
            namespaces("/proc/self/ns".as_ref()).unwrap()
        );
        let no: io::Error = io::ErrorKind::NotFound.into();
        let error = Tenant::start(|| Err(SetupError::at("do it")(no))).unwrap_err();
        assert!(error.to_string().contains("cannot do it"), "{error}");
        let error = Tenant::start(|| Err(SetupError::Unsupported("too old".into()))).unwrap_err();
        assert!(matches!(error, SetupError::Unsupported(why) if why == "too old"));
    }

    #[test]
    fn descriptors_for_children_lie_where_they_look() {
        let file = tempfile::tempfile().unwrap();
        let kept = for_children(&file).unwrap();
        assert!(kept.as_raw_fd() >= FIRST_OWN_FD);
    }
}
