//! `absolute`: the file by its canonical absolute path. Whoever fails here sees nothing at all.

use super::{Call, Ground, Place, Prepared, Scenario, SetupError, install};

/// See the module.
#[derive(Debug)]
pub struct Absolute;

impl Scenario for Absolute {
    fn name(&self) -> &'static str {
        "absolute"
    }

    fn about(&self) -> &'static str {
        "the file by its canonical absolute path"
    }

    fn prepare(&self, ground: &Ground) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        let call = Call {
            given: &file.to_string_lossy(),
            chdir: None,
            file: &file,
        };
        Ok(Prepared {
            ways: vec![Place::here(ground)?.way(&call, vec![])?],
            ..Prepared::default()
        })
    }
}
