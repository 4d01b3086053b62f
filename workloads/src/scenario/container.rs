//! `container`: execs in a container as a runtime makes it: own mount, PID, UTS, IPC, network and
//! cgroup namespaces, an overlayfs root reached by `pivot_root`, its own `/proc`, and a cgroup named
//! as Docker under systemd names it.
//!
//! The storm itself enters all of them but the PID namespace, which only its children are in
//! (`pid_namespaces(7)`): so `fork` still returns the initial namespace's pids, and that is how
//! truth knows both numbers of each exec without asking `/proc`.

use std::{
    fs,
    io::{self, Read, Write},
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::{Path, PathBuf},
};

use execlab_model::{Bytes, workload::Workload};
use nix::{
    fcntl::OFlag,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::signal::{Signal, kill},
    unistd::{ForkResult, Pid, chdir, fork, pause, pipe2, pivot_root, sethostname},
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, cgroup_dir, die_with_parent,
    install, make_cgroup, make_dir, namespaces,
};
use crate::step::Step;

/// What a runtime would take as the container's id: 64 hexadecimal digits.
const ID: &str = "3f1c9a5e7b2d4860a1b3c5d7e9f00112233445566778899aabbccddeeff01234";

/// See the module.
#[derive(Debug)]
pub struct Container;

impl Scenario for Container {
    fn name(&self) -> &'static str {
        "container"
    }

    fn about(&self) -> &'static str {
        "own namespaces, overlayfs root, own /proc; absolute and relative paths inside"
    }

    fn modules(&self) -> &'static [&'static str] {
        &["overlay"]
    }

    fn family(&self) -> Family {
        Family::First
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let layers = Layers::new(&ground.dir.join("overlay2").join(&ID[..12]));
        layers.mount(&ground.payload)?;
        let (cgroup, cgroup_id) = enter_cgroup(ground)?;

        let kinds = CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWPID
            | CloneFlags::CLONE_NEWUTS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWCGROUP;
        unshare(kinds).map_err(SetupError::at("enter new namespaces"))?;
        mount(
            None::<&str>,
            "/",
            None::<&str>,
            MsFlags::MS_REC | MsFlags::MS_PRIVATE,
            None::<&str>,
        )
        .map_err(SetupError::at("make all mounts private"))?;
        sethostname(&ID[..12]).map_err(SetupError::at("set the container's host name"))?;

        let init = Init::start()?;
        // Only now does the PID namespace have a process, and only here is the old /proc in reach.
        let namespaces = namespaces(&PathBuf::from(format!("/proc/{}/ns", init.pid)))?;
        change_root(&layers.merged)?;
        init.finish()?;

        let place = Place {
            namespaces,
            cgroup,
            cgroup_id,
            in_container: true,
        };
        let (bin, work) = (Path::new("/app/bin"), Path::new("/app/work"));
        let file = bin.join("worker");
        let way = |given: &str, cwd: Option<&Path>| -> Result<Way, SetupError> {
            let mut site = place.site(given, cwd.unwrap_or(Path::new("/")), &file)?;
            site.frames.host = layers.names(&file);
            let steps: Vec<_> = cwd
                .map(|dir| Step::chdir(bytes(dir).0))
                .into_iter()
                .collect();
            Ok(Way::plain(site).after(&steps))
        };
        let absolute = way("/app/bin/worker", None)?;
        Ok(Prepared {
            canary: Some(absolute.clone()),
            ways: vec![
                absolute,
                way("./worker", Some(bin))?,
                way("../bin/worker", Some(work))?,
            ],
            helpers: vec![init.pid.as_raw().unsigned_abs()],
            guard: Some(Box::new(init)),
            ..Prepared::default()
        })
    }
}

/// The overlay's folders, as the initial mount namespace names them.
struct Layers {
    lower: PathBuf,
    upper: PathBuf,
    work: PathBuf,
    merged: PathBuf,
}

impl Layers {
    fn new(dir: &Path) -> Self {
        Self {
            lower: dir.join("lower"),
            upper: dir.join("upper"),
            work: dir.join("work"),
            merged: dir.join("merged"),
        }
    }

    fn mount(&self, payload: &Path) -> Result<(), SetupError> {
        install(payload, &self.lower.join("app/bin/worker"))?;
        make_dir(&self.lower.join("app/work"))?;
        make_dir(&self.lower.join("proc"))?;
        for dir in [&self.upper, &self.work, &self.merged] {
            make_dir(dir)?;
        }
        let options = format!(
            "lowerdir={},upperdir={},workdir={}",
            self.lower.display(),
            self.upper.display(),
            self.work.display()
        );
        mount(
            Some("overlay"),
            &self.merged,
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .map_err(SetupError::at(format!(
            "mount an overlay on {}",
            self.merged.display()
        )))
    }

    /// By what paths the initial mount namespace reaches a file of the container.
    fn names(&self, inside: &Path) -> Vec<Bytes> {
        let below = inside.strip_prefix("/").unwrap_or(inside);
        [&self.merged, &self.lower]
            .map(|dir| dir.join(below).as_os_str().as_bytes().into())
            .to_vec()
    }
}

/// Makes the container's cgroup and moves this process there.
fn enter_cgroup(ground: &Ground) -> Result<(Bytes, u64), SetupError> {
    let (cgroup, id) = make_cgroup(ground, &format!("system.slice/docker-{ID}.scope"))?;
    let dir = cgroup_dir(&ground.cgroups, &cgroup);
    fs::write(dir.join("cgroup.procs"), "0").map_err(SetupError::at(format!(
        "move into the cgroup {}",
        dir.display()
    )))?;
    Ok((cgroup, id))
}

/// Makes `root` the root of this mount namespace and forgets the old one (`pivot_root(2)`, the
/// variant without a folder for the old root).
fn change_root(root: &Path) -> Result<(), SetupError> {
    chdir(root).map_err(SetupError::at(format!("change to {}", root.display())))?;
    pivot_root(".", ".").map_err(SetupError::at("pivot_root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(SetupError::at("detach the old root"))?;
    chdir("/").map_err(SetupError::at("change to the new root"))
}

/// The container's process 1: it mounts `/proc` and sleeps.
#[derive(Debug)]
struct Init {
    pid: Pid,
    go: fs::File,
    done: fs::File,
}

impl Init {
    fn start() -> Result<Self, SetupError> {
        let pipes = || pipe2(OFlag::O_CLOEXEC).map_err(SetupError::at("make a pipe"));
        let ((wait, go), (done, report)) = (pipes()?, pipes()?);
        // SAFETY: the storm has one thread, so the child may run any code.
        match unsafe { fork() }.map_err(SetupError::at("fork the container's init"))? {
            ForkResult::Parent { child } => Ok(Self {
                pid: child,
                go: go.into(),
                done: done.into(),
            }),
            ForkResult::Child => {
                die_with_parent();
                drop((go, done));
                Self::live(wait, report)
            }
        }
    }

    /// In the child: waits until the root is changed, mounts, says how that went, sleeps for ever.
    fn live(wait: OwnedFd, report: OwnedFd) -> ! {
        let _ = fs::File::from(wait).read(&mut [0]);
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        let mounted = mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>);
        let errno = mounted.err().map_or(0, |e| e as i32);
        // Without its parent there is nobody to tell.
        let _ = fs::File::from(report).write_all(&errno.to_ne_bytes());
        loop {
            pause();
        }
    }

    /// Lets it mount, and waits for how that went.
    fn finish(&self) -> Result<(), SetupError> {
        let mut answer = [0; 4];
        let mut ask = || -> io::Result<()> {
            (&self.go).write_all(&[1])?;
            (&self.done).read_exact(&mut answer)?;
            match i32::from_ne_bytes(answer) {
                0 => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        };
        ask().map_err(SetupError::at("mount the container's /proc"))
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        // Its end is the end of the PID namespace; that it is gone already is fine.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = nix::sys::wait::waitpid(self.pid, None);
    }
}
