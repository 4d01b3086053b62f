//! `long-components`: names of 255 bytes, the longest that there are (`NAME_MAX`): the file's alone, and a whole
//! path of them, as long as one may be (`PATH_MAX`, with its NUL).

use std::path::Path;

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes,
    worker::{copy_alone, labelled},
};

/// The longest name, in bytes.
const NAME: usize = 255;
/// The longest path, in bytes and without its NUL.
const PATH: usize = 4095;

/// See the module.
#[derive(Debug)]
pub struct LongComponents;

impl Scenario for LongComponents {
    fn name(&self) -> &'static str {
        "long-components"
    }

    fn about(&self) -> &'static str {
        "names of 255 bytes, in a path of up to 4,095"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let place = Place::here(ground)?;
        let mut long = ground.dir.join("long");
        while left(&long) > 2 * (NAME + 1) {
            long.push("d".repeat(NAME));
        }
        // Two more names take up what is left to the byte.
        let rest = left(&long);
        let last = NAME.min(rest - 3);
        long.push("e".repeat(rest - last - 2));
        long.push("f".repeat(last));
        let alone = ground.dir.join("alone").join("a".repeat(NAME));
        let way = |label, file: &Path| {
            copy_alone(&ground.payload, file)?;
            let mut site = place.site(bytes(file), "/", file)?;
            // The file's name alone is long here.
            site.argv[0] = "worker".into();
            Ok(Way::call(labelled(label, site)))
        };
        Ok(Prepared::ways([
            way("one name", &alone)?,
            way("a whole path", &long)?,
        ]))
    }
}

/// How many bytes a path can take that are not there yet.
fn left(path: &Path) -> usize {
    PATH - path.as_os_str().len()
}
