//! Whether the kernel offers KVM. That it does proves nothing: only a guest that booted does.

use std::{fs::File, io, os::fd::AsRawFd, path::Path};

/// Where the kernel offers it.
pub const DEVICE: &str = "/dev/kvm";
/// `KVM_GET_API_VERSION` of `linux/kvm.h`, `_IO(0xAE, 0)`.
const GET_API_VERSION: libc::Ioctl = 0xAE00;
/// The only version since Linux 2.6.22; userspace is to refuse any other (Documentation/virt/kvm/api.rst).
const API_VERSION: i32 = 12;

/// Why KVM is not there.
#[derive(Debug, thiserror::Error)]
pub enum KvmError {
    /// There is no device.
    #[error("there is no {0}")]
    Absent(String),
    /// The device cannot be opened.
    #[error("{device} cannot be opened for reading and writing: {source}")]
    Open {
        /// The device.
        device: String,
        /// What the system answered.
        source: io::Error,
    },
    /// The device is not KVM, or not one that anybody knows.
    #[error("{device} is no KVM of version {API_VERSION}: {answer}")]
    Version {
        /// The device.
        device: String,
        /// What it answered.
        answer: String,
    },
}

/// Opens the device and asks for its version, and nothing else.
pub fn look(device: &Path) -> Result<(), KvmError> {
    let name = || device.display().to_string();
    let opened = File::options().read(true).write(true).open(device);
    let file = opened.map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => KvmError::Absent(name()),
        _ => KvmError::Open {
            device: name(),
            source,
        },
    })?;
    // SAFETY: the call takes no argument and touches no memory.
    let version = unsafe { libc::ioctl(file.as_raw_fd(), GET_API_VERSION, 0) };
    let answer = match version {
        API_VERSION => return Ok(()),
        -1 => io::Error::last_os_error().to_string(),
        other => format!("version {other}"),
    };
    Err(KvmError::Version {
        device: name(),
        answer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_kvm_is_told_apart() {
        let absent = look(Path::new("/nonexistent/kvm")).unwrap_err();
        assert_eq!(absent.to_string(), "there is no /nonexistent/kvm");
        let folder = look(Path::new("/")).unwrap_err();
        assert!(matches!(folder, KvmError::Open { .. }), "{folder}");
        let other = look(Path::new("/dev/null")).unwrap_err();
        assert_eq!(
            other.to_string(),
            "/dev/null is no KVM of version 12: Inappropriate ioctl for device (os error 25)"
        );
    }
}
