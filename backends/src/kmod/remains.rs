//! What a killed monitor leaves in the kernel: its module.

use std::{fs, io, path::Path};

use super::module;
use crate::remains::Remains;

/// See the module.
#[derive(Debug)]
pub struct OfModules;

/// All that this family loads.
const NAMES: [&str; 3] = ["execlab_tracepoint", "execlab_table", "execlab_hook"];

const LOADED: &str = "/sys/module";

impl Remains for OfModules {
    fn note(&self) -> Result<Option<String>, String> {
        loaded(Path::new(LOADED))
            .map(|names| Some(names.join("\n")))
            .map_err(|error| format!("{LOADED}: {error}"))
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let loaded = loaded(Path::new(LOADED)).map_err(|error| format!("{LOADED}: {error}"))?;
        let (mut done, mut problems) = (Vec::new(), Vec::new());
        for name in loaded {
            if noted.lines().any(|known| known == name) {
                continue;
            }
            match module::unload(name) {
                Ok(()) => done.push(format!("took the module {name} out of the kernel")),
                Err(error) => problems.push(format!("delete_module({name}): {error}")),
            }
        }
        if problems.is_empty() {
            Ok(done)
        } else {
            Err(problems.join("; "))
        }
    }
}

/// Which of them are loaded; none where the kernel has no modules.
fn loaded(folder: &Path) -> io::Result<Vec<&'static str>> {
    let is_there = |name: &&'static str| match fs::metadata(folder.join(name)) {
        Ok(_) => Some(Ok(*name)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(Err(error)),
    };
    NAMES.iter().filter_map(is_there).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BACKENDS;

    #[test]
    fn every_module_of_the_family_is_looked_for() {
        let named: Vec<_> = BACKENDS.iter().filter_map(|b| b.kernel_module()).collect();
        assert_eq!(named, NAMES);
    }

    #[test]
    fn what_is_loaded_is_told_by_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(loaded(folder.path()).unwrap(), [""; 0]);
        for name in ["execlab_hook", "ext4"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        assert_eq!(loaded(folder.path()).unwrap(), ["execlab_hook"]);
    }

    #[test]
    fn what_was_there_before_is_left_alone() {
        let noted = OfModules.note().unwrap().unwrap();
        assert_eq!(OfModules.put_back(&noted), Ok(vec![]));
    }
}
