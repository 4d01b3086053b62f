//! Where the object lies and the monitor listens: a shared object, a socket and a file that counts losses, side by
//! side, and a second socket without a file.

use std::{
    fs, io,
    os::{
        fd::{AsFd, OwnedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::PermissionsExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::{Path, PathBuf},
};

use nix::sys::{
    socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, bind, setsockopt, socket, sockopt::PassCred,
    },
    statvfs::{FsFlags, statvfs},
};

use super::object::{Told, tell};
use crate::AttachError;

/// How many reports may wait in a socket that is made from now on (Documentation/admin-guide/sysctl/net.rst).
pub const QUEUE: &str = "/proc/sys/net/unix/max_dgram_qlen";

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub images: bool,
    pub calls: bool,
    pub full: bool,
    /// Reports that may wait; 0 leaves what the system has.
    pub queue: u64,
}

/// All of it, and taken away when dropped.
#[derive(Debug)]
pub struct Place {
    /// A name that the files share.
    stem: PathBuf,
    pub sockets: [UnixDatagram; 2],
    /// What the sockets hold.
    pub queue: String,
}

/// The abstract name of a monitor's second socket, by its process id.
fn name(pid: &str) -> Vec<u8> {
    format!("execlab-preload-{pid}").into_bytes()
}

/// Whether the monitor of that process id still listens. The name goes with its process, and another process of that number
/// has no such name.
pub fn is_alive(pid: &str) -> bool {
    let address = SocketAddr::from_abstract_name(name(pid));
    let probe = UnixDatagram::unbound().and_then(|probe| probe.connect_addr(&address?));
    probe.is_ok()
}

/// The object's path for a place's name.
pub fn object_at(stem: &Path) -> PathBuf {
    with(stem, ".so")
}

fn with(stem: &Path, ending: &str) -> PathBuf {
    let mut path = stem.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

/// Whether programs can map what lies in a folder.
pub fn may_hold_objects(folder: &Path) -> bool {
    folder.is_dir()
        && statvfs(folder).is_ok_and(|fs| {
            !fs.flags()
                .intersects(FsFlags::ST_NOEXEC | FsFlags::ST_RDONLY)
        })
}

impl Place {
    /// Makes it; nothing of that name may be there.
    pub fn make(stem: &Path, wanted: &Wanted) -> Result<Self, AttachError> {
        let folder = stem.parent().unwrap_or(Path::new("/"));
        if !may_hold_objects(folder) {
            return Err(AttachError::Unsupported(format!(
                "{} is no folder from which objects can be loaded (noexec, or not writable)",
                folder.display()
            )));
        }
        let name = name(&std::process::id().to_string());
        let held = Queue::set(wanted.queue)?;
        let path = with(stem, ".socket");
        let by_path = listen(&UnixAddr::new(&path))
            .map_err(AttachError::call(format!("bind {}", path.display())))?;
        let by_name = listen(&UnixAddr::new_abstract(&name))
            .map_err(AttachError::call("bind of an abstract name"))?;
        let queue =
            fs::read_to_string(QUEUE).map_err(AttachError::call(format!("read {QUEUE}")))?;
        drop(held);
        // From here on, what fails takes it away again.
        let place = Self {
            stem: stem.to_owned(),
            sockets: [by_path, by_name],
            queue: queue.trim().to_owned(),
        };
        let lost = place.lost();
        let object = tell(&Told {
            images: wanted.images,
            calls: wanted.calls,
            full: wanted.full,
            path: &path,
            name: &name,
            lost: &lost,
        })
        .ok_or_else(|| {
            let long = io::Error::from(io::ErrorKind::InvalidFilename);
            AttachError::call(format!("naming a socket {}", path.display()))(long)
        })?;
        // Whatever user a program runs as.
        place.file(&lost, &[], 0o622)?;
        place.file(&place.object(), &object, 0o755)?;
        let all = fs::Permissions::from_mode(0o666);
        fs::set_permissions(&path, all)
            .map_err(AttachError::call(format!("chmod {}", path.display())))?;
        Ok(place)
    }

    fn file(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), AttachError> {
        debug_assert!(path.starts_with(self.stem.parent().unwrap_or(Path::new("/"))));
        fs::write(path, bytes)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
            .map_err(AttachError::call(format!("write {}", path.display())))
    }

    /// The object's path.
    pub fn object(&self) -> PathBuf {
        object_at(&self.stem)
    }

    fn lost(&self) -> PathBuf {
        with(&self.stem, ".lost")
    }

    /// How many reports found no room.
    pub fn losses(&self) -> u64 {
        fs::metadata(self.lost()).map_or(0, |file| file.len())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        remove(&self.stem);
    }
}

/// Takes away what lies at a place; what is not there is not there.
pub fn remove(stem: &Path) {
    for ending in [".so", ".lost", ".socket"] {
        let _ = fs::remove_file(with(stem, ending));
    }
}

/// A socket that says who sent each datagram, in this process's own PID namespace.
fn listen(address: &nix::Result<UnixAddr>) -> io::Result<UnixDatagram> {
    let address = address.as_ref().map_err(|&error| io::Error::from(error))?;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd: OwnedFd = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    setsockopt(&fd, PassCred, &true)?;
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd.as_fd()), address)?;
    Ok(UnixDatagram::from(fd))
}

/// Sockets take the length of their queue when they are made; it is put back right after.
struct Queue(Option<String>);

impl Queue {
    fn set(length: u64) -> Result<Self, AttachError> {
        if length == 0 {
            return Ok(Self(None));
        }
        let failed = |what| AttachError::call(format!("{what} {QUEUE}"));
        let before = fs::read_to_string(QUEUE).map_err(failed("read"))?;
        fs::write(QUEUE, length.to_string()).map_err(failed("write"))?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // It was written a moment ago.
            let _ = fs::write(QUEUE, before);
        }
    }
}
