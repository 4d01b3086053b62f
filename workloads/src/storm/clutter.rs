//! What lies about in the storm's ground besides its own files: by this, no two seeds find the page
//! allocator and the slabs alike.

use std::fs::{self, File};

use super::Perturbation;
use crate::scenario::{Ground, SetupError, make_dir};

const PAGE: usize = 4096;

/// Makes it; it stays until the ground goes.
pub fn strew(ground: &Ground, perturbation: &Perturbation) -> Result<(), SetupError> {
    let dir = ground.dir.join("clutter");
    make_dir(&dir)?;
    let at = || SetupError::at(format!("make files in {}", dir.display()));
    let bytes = vec![0; perturbation.pages as usize * PAGE];
    fs::write(dir.join("pages"), bytes).map_err(at())?;
    for n in 0..perturbation.files {
        File::create(dir.join(n.to_string())).map_err(at())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_lies_about_as_the_seed_says() {
        let dir = tempfile::tempdir().unwrap();
        let ground = Ground {
            base: execlab_model::Bytes::default(),
            payload: "/no/payload".into(),
            dir: dir.path().into(),
            cgroups: "/no/cgroups".into(),
        };
        let perturbation = Perturbation::new(3);
        // Twice, because a second storm may come to the same ground.
        for _ in 0..2 {
            strew(&ground, &perturbation).unwrap();
        }
        let clutter = dir.path().join("clutter");
        let pages = fs::metadata(clutter.join("pages")).unwrap().len();
        assert_eq!(pages, u64::from(perturbation.pages) * 4096);
        let files = fs::read_dir(clutter).unwrap().count();
        assert_eq!(files, perturbation.files as usize + 1);
    }
}
