//! Programs in memory: files without a name in any folder (`memfd_create(2)`).

use std::{
    ffi::CStr,
    fs::{self, File},
    io::Write,
    os::fd::RawFd,
    path::Path,
};

use execlab_model::{Bytes, truth::Site};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};

use super::{Place, SetupError, worker::proc_fd};

/// A copy of the payload in a memfd of this name. On kernels that ask whether it may be executed (Linux 6.3),
/// yes.
pub(super) fn in_memory(payload: &Path, name: &CStr) -> Result<File, SetupError> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let asked = flags | MFdFlags::from_bits_retain(libc::MFD_EXEC);
    let made = match memfd_create(name, asked) {
        // An older kernel does not know the question.
        Err(Errno::EINVAL) => memfd_create(name, flags),
        // `vm.memfd_noexec` is 2.
        Err(Errno::EACCES) => {
            return Err(SetupError::Unsupported(
                "memfd_create with MFD_EXEC: EACCES".into(),
            ));
        }
        made => made,
    };
    let mut file = File::from(made.map_err(SetupError::at("make a memfd"))?);
    fs::read(payload)
        .and_then(|program| file.write_all(&program))
        .map_err(SetupError::at(format!(
            "copy {} into a memfd",
            payload.display()
        )))?;
    Ok(file)
}

/// From now on nobody can change it, nor take that back.
pub(super) fn seal(file: &File) -> Result<(), SetupError> {
    let seals = SealFlag::F_SEAL_SEAL
        | SealFlag::F_SEAL_SHRINK
        | SealFlag::F_SEAL_GROW
        | SealFlag::F_SEAL_WRITE;
    fcntl(file, FcntlArg::F_ADD_SEALS(seals)).map_err(SetupError::at("seal a memfd"))?;
    Ok(())
}

/// The site of what is open there, called by that string. The kernel calls it `/memfd:NAME (deleted)`
/// (`simple_dname`, `fs/d_path.c`); the suffix is no part of the name.
pub(super) fn site(
    place: &Place,
    given: impl Into<Bytes>,
    fd: RawFd,
    name: &CStr,
) -> Result<Site, SetupError> {
    let mut site = place.site(given, "/", proc_fd(fd))?;
    site.frames.exact = [b"/memfd:", name.to_bytes()].concat().into();
    site.argv[0] = name.to_bytes().into();
    Ok(site)
}
