//! `setuid`: files with the set-user-ID bit. The real user stays who called; what changes is the effective
//! one, in the middle of the exec (`bprm_fill_uid`, fs/exec.c). Root's file by a user, and a user's
//! by root, which is the way down.

use std::{fs, os::unix::fs::chown};

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError,
    interpreted::set_mode,
    privileges::{Privileged, USER},
};

/// See the module.
#[derive(Debug)]
pub struct Setuid;

impl Scenario for Setuid {
    fn name(&self) -> &'static str {
        "setuid"
    }

    fn about(&self) -> &'static str {
        "set-user-ID files: root's by a user, a user's by root"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let mut of_root = Privileged::prepare(ground)?;
        of_root.changes = true;
        set_mode(&of_root.file, 0o4755)?;
        let of_user = of_root.beside("users");
        fs::copy(&of_root.file, &of_user.file)
            .and_then(|_| chown(&of_user.file, Some(USER), Some(USER)))
            .map_err(SetupError::at("make a user's copy of the payload"))?;
        // A change of owner takes the bit away.
        set_mode(&of_user.file, 0o4755)?;
        Ok(Prepared::ways([
            of_root.by_user("of-root")?,
            of_user.by_root("of-user")?,
        ]))
    }
}
