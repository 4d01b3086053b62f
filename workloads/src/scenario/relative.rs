//! `relative`: the child changes its folder and calls `./worker` or `../bin/worker`, in turn. A
//! monitor that reports the string passed to the call cannot say which file that was.

use super::{Call, Ground, Place, Prepared, Scenario, SetupError, install, make_dir};

/// See the module.
#[derive(Debug)]
pub struct Relative;

impl Scenario for Relative {
    fn name(&self) -> &'static str {
        "relative"
    }

    fn about(&self) -> &'static str {
        "chdir, then `./name` and `../dir/name` in turn"
    }

    fn prepare(&self, ground: &Ground) -> Result<Prepared, SetupError> {
        let (bin, work) = (ground.dir.join("bin"), ground.dir.join("work"));
        let file = bin.join("worker");
        install(&ground.payload, &file)?;
        make_dir(&work)?;
        let place = Place::here(ground)?;
        let way = |given, chdir| {
            place.way(
                &Call {
                    given,
                    chdir: Some(chdir),
                    file: &file,
                },
                vec![],
            )
        };
        Ok(Prepared {
            ways: vec![way("./worker", &bin)?, way("../bin/worker", &work)?],
            ..Prepared::default()
        })
    }
}
