//! Where execs are made: namespaces and cgroup, and the sites that lie there.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use execlab_model::{
    Bytes,
    truth::{Frames, ID_ARGUMENT, LIFETIME_ARGUMENT, Namespaces, Site},
};

use super::{Ground, SetupError};

/// What all sites of one place share.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// The execs' namespaces.
    pub namespaces: Namespaces,
    /// Their cgroup, below the root of the hierarchy.
    pub cgroup: Bytes,
    /// Its inode.
    pub cgroup_id: u64,
    /// Whether that is a container, or for another reason no other process's: then attribution is scored.
    pub in_container: bool,
}

impl Place {
    /// Where this process is.
    pub fn here(ground: &Ground) -> Result<Self, SetupError> {
        let cgroup = own_cgroup()?;
        Ok(Self {
            namespaces: namespaces(Path::new("/proc/self/ns"))?,
            cgroup_id: cgroup_id(&ground.cgroups, &cgroup)?,
            cgroup,
            in_container: false,
        })
    }

    /// A site: the file, which is its own image, called by the string `given` with the working directory
    /// `cwd`. File and directory are named from the caller's root, and the file has to be there.
    pub fn site(
        &self,
        given: impl Into<Bytes>,
        cwd: impl AsRef<Path>,
        file: impl AsRef<Path>,
    ) -> Result<Site, SetupError> {
        let file = file.as_ref();
        let stat =
            fs::metadata(file).map_err(SetupError::at(format!("stat {}", file.display())))?;
        let given = given.into();
        Ok(Site {
            label: String::new(),
            cwd: bytes(cwd.as_ref()),
            frames: Frames {
                exact: bytes(file),
                ..Frames::default()
            },
            argv: vec![given.clone(), ID_ARGUMENT.into(), LIFETIME_ARGUMENT.into()],
            given,
            dev: stat.dev(),
            ino: stat.ino(),
            cgroup: self.cgroup.clone(),
            cgroup_id: self.cgroup_id,
            namespaces: self.namespaces,
            in_container: self.in_container,
        })
    }
}

/// A path's bytes.
pub(crate) fn bytes(path: &Path) -> Bytes {
    path.as_os_str().as_bytes().into()
}

/// The namespaces under a `/proc/PID/ns`.
pub(crate) fn namespaces(dir: &Path) -> Result<Namespaces, SetupError> {
    let inode = |kind: &str| {
        let link = dir.join(kind);
        let stat =
            fs::metadata(&link).map_err(SetupError::at(format!("stat {}", link.display())))?;
        u32::try_from(stat.ino()).map_err(|e| {
            let what = format!("take the inode of {} as a namespace's", link.display());
            SetupError::at(what)(io::Error::other(e))
        })
    };
    Ok(Namespaces {
        mnt: inode("mnt")?,
        pid: inode("pid")?,
        uts: inode("uts")?,
        ipc: inode("ipc")?,
        net: inode("net")?,
        cgroup: inode("cgroup")?,
        user: inode("user")?,
    })
}

/// This process's cgroup v2 path.
fn own_cgroup() -> Result<Bytes, SetupError> {
    let text = fs::read("/proc/self/cgroup").map_err(SetupError::at("read /proc/self/cgroup"))?;
    text.split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))
        .map(Bytes::from)
        .ok_or_else(|| {
            let none: io::Error = io::ErrorKind::NotFound.into();
            SetupError::at("find this process's cgroup v2")(none)
        })
}

/// Where a cgroup's folder is.
pub(crate) fn cgroup_dir(root: &Path, cgroup: &Bytes) -> PathBuf {
    let below = cgroup.as_slice();
    root.join(OsStr::from_bytes(below.strip_prefix(b"/").unwrap_or(below)))
}

/// The inode of a cgroup's folder, which is the kernel's id of it.
pub(crate) fn cgroup_id(root: &Path, cgroup: &Bytes) -> Result<u64, SetupError> {
    let dir = cgroup_dir(root, cgroup);
    let stat = fs::metadata(&dir).map_err(SetupError::at(format!("stat {}", dir.display())))?;
    Ok(stat.ino())
}

/// Makes a cgroup beside the storm's and gives its path and inode; what is there already is fine.
pub(crate) fn make_cgroup(ground: &Ground, name: &str) -> Result<(Bytes, u64), SetupError> {
    let cgroup = Bytes([ground.base.as_slice(), b"/", name.as_bytes()].concat());
    super::make_dir(&cgroup_dir(&ground.cgroups, &cgroup))?;
    let id = cgroup_id(&ground.cgroups, &cgroup)?;
    Ok((cgroup, id))
}
