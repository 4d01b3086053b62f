//! `file-capabilities`: a file that gives capabilities to whoever executes it (xattr `security.capability`,
//! capabilities(7)). Audit has a record of its own for such an exec; for all else it is like any other.

use std::io;

use execlab_model::workload::Workload;

use super::{Family, Ground, Prepared, Scenario, SetupError, bytes, privileges::Privileged};
use crate::step::text;

/// See the module.
#[derive(Debug)]
pub struct FileCapabilities;

/// `struct vfs_cap_data` (include/uapi/linux/capability.h), revision 2 with the effective bit, in 32-bit
/// little-endian words: `CAP_NET_RAW` (13) is permitted, nothing is inheritable.
const CAPABILITIES: [u32; 5] = [0x0200_0001, 1 << 13, 0, 0, 0];

impl Scenario for FileCapabilities {
    fn name(&self) -> &'static str {
        "file-capabilities"
    }

    fn about(&self) -> &'static str {
        "a file with capabilities of its own, by root and by a user in turn"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let mut file = Privileged::prepare(ground)?;
        let path = text(bytes(&file.file).0);
        let value: Vec<u8> = CAPABILITIES.iter().flat_map(|w| w.to_le_bytes()).collect();
        // SAFETY: both strings end with a NUL, and the value is as long as it says.
        let result = unsafe {
            libc::setxattr(
                path.as_ptr(),
                c"security.capability".as_ptr(),
                value.as_ptr().cast(),
                value.len(),
                0,
            )
        };
        if result == 0 {
            let by_root = file.by_root("root")?;
            // Root has them anyway.
            file.changes = true;
            return Ok(Prepared::ways([by_root, file.by_user("user")?]));
        }
        let error = io::Error::last_os_error();
        Err(match error.raw_os_error() {
            Some(libc::EOPNOTSUPP) => SetupError::Unsupported(format!(
                "setxattr security.capability of {}: {error}",
                file.file.display()
            )),
            _ => SetupError::at(format!("give capabilities to {}", file.file.display()))(error),
        })
    }
}
