//! Which file a path leads to, found while the caller waits at its call.
//!
//! The path is walked from the caller's own directory, descriptor and root (`/proc/TID/cwd`, `fd/N`, `root`), with
//! `openat2` and `RESOLVE_IN_ROOT` (Linux 5.6), so that links and `..` stay inside that root as they do for the caller. The
//! file is opened for its name alone (`O_PATH`), and the kernel tells that name, as seen from the reader's root:
//! links are followed, a deleted file says so.
//!
//! The caller must wait until the walk is done, or its file may be another one by then. But a walk may have to ask a process that
//! serves a filesystem (FUSE), and that one may wait for us itself. So what the kernel has in its cache is walked at once
//! (`RESOLVE_CACHED`, Linux 5.12: it never waits), and for the rest a [`Walker`] is given a second. The file itself is asked after
//! the answer ([`Found::ask`]); it is held by then, so it is the same one, and what the kernel knows of it since the walk is enough.
//!
//! Between here and the kernel's own look the file may become another one.

use std::{
    ffi::{CString, OsStr},
    fs,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::{OsStrExt, OsStringExt},
    },
};

use execlab_model::Bytes;
use nix::{
    errno::Errno,
    fcntl::{OFlag, open},
    sys::{stat::Mode, statvfs::FsFlags, statvfs::fstatvfs},
};

use super::{call::Exec, walker::Walker};

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The file's path; what was given, made absolute, where there is no such file. `None` where that is not known either.
    pub path: Option<Bytes>,
    /// Device and inode; after [`Self::ask`].
    pub file: Option<(u64, u64)>,
    /// Why the call cannot succeed, as far as this look knows.
    pub refused: Option<Errno>,
    /// Held until it is asked.
    opened: Option<OwnedFd>,
    /// Whether the walk took too long, and nothing is known but what was given.
    pub given_up: bool,
}

/// Where a path is walked from.
#[derive(Debug)]
pub enum Start {
    /// From that root; the path is as the caller would write it from there.
    Root(OwnedFd, Vec<u8>),
    /// From that directory, by the reader's own root: the caller's cannot be had.
    Directory(OwnedFd, Vec<u8>),
    /// The file behind a link of `/proc`, and no further walk.
    Link(OwnedFd),
}

/// Looks for the file of a call that `tid` waits at.
pub fn find(tid: u32, exec: &Exec, given: &[u8], walker: &mut Walker) -> Found {
    let opened = match start(tid, exec, given) {
        Ok(Start::Link(file)) => Some(Ok(file)),
        Ok(start) => match start.walk(libc::RESOLVE_CACHED) {
            // Not in the cache, or the kernel is older.
            Err(Errno::EAGAIN | Errno::EINVAL) => walker.walk(start),
            opened => Some(opened),
        },
        Err(error) => Some(Err(error)),
    };
    match opened {
        Some(Ok(file)) => Found {
            path: name(&file),
            opened: Some(file),
            ..Found::default()
        },
        Some(Err(error)) => Found {
            path: absolute(tid, exec, given),
            // What else may be answered says more of this look than of the call.
            refused: [
                Errno::ENOENT,
                Errno::ENOTDIR,
                Errno::ELOOP,
                Errno::ENAMETOOLONG,
            ]
            .contains(&error)
            .then_some(error),
            ..Found::default()
        },
        None => Found {
            path: absolute(tid, exec, given),
            given_up: true,
            ..Found::default()
        },
    }
}

impl Found {
    /// Which file it is, and with `feasible` whether it may be executed. The latter asks its filesystem, which may take as
    /// long as that likes.
    pub fn ask(&mut self, feasible: bool) {
        let Some(file) = self.opened.take() else {
            return;
        };
        let Ok((id, mode)) = stat(&file) else {
            return;
        };
        self.file = Some(id);
        if feasible {
            self.refused = refusal(&file, mode);
        }
    }
}

impl Start {
    /// Opens the file for its name; `how` beside what the start itself asks for.
    pub fn walk(&self, how: u64) -> nix::Result<OwnedFd> {
        match self {
            Self::Root(root, path) => walk(root, path, libc::RESOLVE_IN_ROOT | how),
            Self::Directory(directory, path) => walk(directory, path, how),
            Self::Link(file) => Ok(file.try_clone().map_err(|_| Errno::EMFILE)?),
        }
    }
}

/// Device, inode and mode of an open file, as the kernel has them: `AT_STATX_DONT_SYNC` lets it not ask a server (`fuse_update_get_attr`,
/// fs/fuse/dir.c).
fn stat(file: &OwnedFd) -> nix::Result<((u64, u64), u32)> {
    // SAFETY: numbers, for which zero is a value.
    let mut stat: libc::statx = unsafe { std::mem::zeroed() };
    // SAFETY: the path ends in NUL, the kernel fills the structure; both outlive the call.
    let answer = unsafe {
        libc::statx(
            file.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_STATX_DONT_SYNC,
            libc::STATX_TYPE | libc::STATX_MODE | libc::STATX_INO,
            &raw mut stat,
        )
    };
    Errno::result(answer)?;
    let device = libc::makedev(stat.stx_dev_major, stat.stx_dev_minor);
    Ok(((device, stat.stx_ino), stat.stx_mode.into()))
}

/// What the kernel answers to everybody, root too (`do_open_execat`, fs/exec.c).
fn refusal(file: &OwnedFd, mode: u32) -> Option<Errno> {
    let regular = mode & libc::S_IFMT == libc::S_IFREG;
    let no_exec = || fstatvfs(file).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_NOEXEC));
    (!regular || mode & 0o111 == 0 || no_exec()).then_some(Errno::EACCES)
}

fn start(tid: u32, exec: &Exec, given: &[u8]) -> nix::Result<Start> {
    if let Some(link) = own_link(tid, given) {
        return Ok(Start::Link(open_link(&link)?));
    }
    if given.is_empty() {
        return if exec.may_be_empty() {
            Ok(Start::Link(open_link(&base_link(tid, exec))?))
        } else {
            Err(Errno::ENOENT)
        };
    }
    let root = format!("/proc/{tid}/root");
    if given.starts_with(b"/") {
        return Ok(Start::Root(open_link(&root)?, given.to_vec()));
    }
    let base = base_link(tid, exec);
    match (read_link(&base), read_link(&root)) {
        (Some(directory), Some(outside)) => {
            // `/` is the prefix of everything.
            let prefix = outside.strip_suffix(b"/").unwrap_or(&outside);
            match directory.strip_prefix(prefix) {
                Some(rest) if rest.is_empty() || rest.starts_with(b"/") => {
                    let path = [rest, b"/", given].concat();
                    if path.len() < 4096 && !directory.ends_with(b" (deleted)") {
                        return Ok(Start::Root(open_link(&root)?, path));
                    }
                    Ok(Start::Directory(open_link(&base)?, given.to_vec()))
                }
                _ => Ok(Start::Directory(open_link(&base)?, given.to_vec())),
            }
        }
        _ => Ok(Start::Directory(open_link(&base)?, given.to_vec())),
    }
}

/// The link of `/proc` at which a relative path begins.
fn base_link(tid: u32, exec: &Exec) -> String {
    if exec.dirfd == libc::AT_FDCWD {
        format!("/proc/{tid}/cwd")
    } else {
        format!("/proc/{tid}/fd/{}", exec.dirfd)
    }
}

/// Paths that mean something else for each process: a walk of ours would find our own.
fn own_link(tid: u32, given: &[u8]) -> Option<String> {
    let given = std::str::from_utf8(given).ok()?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if let Some(fd) = given.strip_prefix("/dev/fd/") {
        return number(fd).then(|| format!("/proc/{tid}/fd/{fd}"));
    }
    let rest = given
        .strip_prefix("/proc/self/")
        .or_else(|| given.strip_prefix("/proc/thread-self/"))?;
    let link = rest == "exe" || rest.strip_prefix("fd/").is_some_and(number);
    link.then(|| format!("/proc/{tid}/{rest}"))
}

fn open_link(link: &str) -> nix::Result<OwnedFd> {
    open(link, OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
}

fn read_link(link: &str) -> Option<Vec<u8>> {
    Some(fs::read_link(link).ok()?.into_os_string().into_vec())
}

/// The kernel's name of an open file; `None` where it is longer than a page.
fn name(file: &OwnedFd) -> Option<Bytes> {
    let name = read_link(&format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Some(name.as_slice().into())
}

fn walk(from: &OwnedFd, path: &[u8], resolve: u64) -> nix::Result<OwnedFd> {
    let path = CString::new(path).map_err(|_| Errno::EINVAL)?;
    // SAFETY: numbers, for which zero is a value.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    how.flags = u64::from((libc::O_PATH | libc::O_CLOEXEC).cast_unsigned());
    how.resolve = resolve;
    // SAFETY: the path ends in NUL, the structure is as long as is said; both outlive the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_openat2,
            from.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of::<libc::open_how>(),
        )
    };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel opened it for us right now.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The path as given behind the directory in which it begins, nothing looked up.
fn absolute(tid: u32, exec: &Exec, given: &[u8]) -> Option<Bytes> {
    if given.starts_with(b"/") {
        return Some(given.into());
    }
    let directory = fs::read_link(base_link(tid, exec)).ok()?;
    if given.is_empty() {
        return exec
            .may_be_empty()
            .then(|| directory.into_os_string().into_vec().as_slice().into());
    }
    let joined = directory.join(OsStr::from_bytes(given));
    Some(joined.into_os_string().into_vec().as_slice().into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::ptrace::call::Width;

    fn call(dirfd: i32, flags: i32) -> Exec {
        Exec {
            path: 0,
            argv: 0,
            width: Width::Eight,
            dirfd,
            flags: u64::from(flags.cast_unsigned()),
        }
    }

    fn find(tid: u32, exec: &Exec, given: &[u8]) -> Found {
        let mut found = super::find(tid, exec, given, &mut Walker::patient());
        found.ask(true);
        found
    }

    fn text(found: &Found) -> String {
        found
            .path
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// A folder with a program, a link to it, one that may not be executed, and an open descriptor.
    #[test]
    fn a_file_is_found_from_wherever_the_path_begins() {
        let dir = tempfile::tempdir().unwrap();
        let at = fs::canonicalize(dir.path()).unwrap();
        let (program, text_file) = (at.join("program"), at.join("text"));
        fs::copy("/bin/true", &program).unwrap();
        fs::write(&text_file, "text").unwrap();
        fs::set_permissions(&text_file, fs::Permissions::from_mode(0o644)).unwrap();
        symlink(&program, at.join("link")).unwrap();
        let folder = fs::File::open(&at).unwrap();
        let own = std::process::id();
        let here = call(folder.as_raw_fd(), 0);
        let nowhere = call(libc::AT_FDCWD, 0);
        let expected = program.to_str().unwrap();
        let bytes = |path: &std::path::Path| path.as_os_str().as_bytes().to_vec();

        for (exec, given) in [
            (&nowhere, bytes(&program)),
            (&nowhere, bytes(&at.join("link"))),
            (
                &nowhere,
                bytes(
                    &at.join("../")
                        .join(at.file_name().unwrap())
                        .join("./program"),
                ),
            ),
            (&here, b"program".to_vec()),
            (&here, b"./link".to_vec()),
        ] {
            let found = find(own, exec, &given);
            assert_eq!((text(&found).as_str(), found.refused), (expected, None));
            assert!(found.file.is_some());
        }

        let found = find(own, &here, b"text");
        assert_eq!(found.refused, Some(Errno::EACCES));
        let of_std = std::os::unix::fs::MetadataExt::ino;
        let inode = of_std(&fs::metadata(&text_file).unwrap());
        assert_eq!(found.file.map(|(_, inode)| inode), Some(inode));
        let found = find(own, &here, b"nothing");
        assert_eq!(found.refused, Some(Errno::ENOENT));
        assert_eq!(text(&found), at.join("nothing").to_str().unwrap());

        let file = fs::File::open(&program).unwrap();
        let empty = call(file.as_raw_fd(), libc::AT_EMPTY_PATH);
        assert_eq!(text(&find(own, &empty, b"")), expected);
        let fd = format!("/dev/fd/{}", file.as_raw_fd());
        assert_eq!(text(&find(own, &nowhere, fd.as_bytes())), expected);
        let fd = format!("/proc/self/fd/{}", file.as_raw_fd());
        assert_eq!(text(&find(own, &nowhere, fd.as_bytes())), expected);
        fs::remove_file(&program).unwrap();
        let found = find(own, &empty, b"");
        assert_eq!(text(&found), format!("{expected} (deleted)"));
        assert_eq!(find(own, &nowhere, b"").refused, Some(Errno::ENOENT));
    }

    #[test]
    fn the_own_executable_is_the_callers() {
        let own = std::process::id();
        let exe = fs::canonicalize("/proc/self/exe").unwrap();
        let found = find(own, &call(libc::AT_FDCWD, 0), b"/proc/self/exe");
        assert_eq!(text(&found), exe.to_str().unwrap());
        assert_eq!(own_link(7, b"/proc/self/fd/9x"), None);
        assert_eq!(
            own_link(7, b"/proc/thread-self/fd/9").unwrap(),
            "/proc/7/fd/9"
        );
    }
}
