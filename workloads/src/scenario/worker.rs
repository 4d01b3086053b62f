//! A file of the scenario's own that is called by its absolute path, with more than the usual arguments.

use execlab_model::{Bytes, truth::Site};

use super::{Ground, Place, SetupError, Way, bytes, install};
use crate::step::How;

/// Where it lies, below the ground.
const FILE: &str = "bin/worker";

/// Installs it; its site in this process's own place, with these arguments behind the usual ones.
pub(crate) fn site(
    ground: &Ground,
    arguments: impl IntoIterator<Item = Bytes>,
) -> Result<Site, SetupError> {
    let file = ground.dir.join(FILE);
    install(&ground.payload, &file)?;
    let mut site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
    site.argv.extend(arguments);
    Ok(site)
}

/// One `execve` of a site's file by the string that it is given. Without a bare sibling, which would not have
/// the same arguments.
pub(crate) fn way(site: Site) -> Way {
    Way::of([]).exec(How::Execve, site.given.0.clone(), site)
}
