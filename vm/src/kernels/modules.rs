//! A kernel's modules: which there are, what each needs, and in which order to load them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSection as _};

use super::compress::{self, Format};
use crate::digest::Sha256;

/// No module is larger than this once unpacked.
const LIMIT: u64 = 256 << 20;

/// One module, ready to be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleFile {
    /// The module's name, with `_` throughout.
    pub name: String,
    /// The file it came from, which may be compressed.
    pub path: PathBuf,
    /// The module itself, uncompressed.
    pub bytes: Vec<u8>,
}

/// A module that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// Neither a file nor built in.
    #[error("the kernel {release} has no module `{name}`{}; it is neither in {directory} nor built in", needed_by.as_ref().map(|by| format!(", which `{by}` needs")).unwrap_or_default())]
    Missing {
        /// The kernel in question.
        release: String,
        /// The module in question.
        name: String,
        /// The module that needs it, if it was not asked for itself.
        needed_by: Option<String>,
        /// Where its modules are.
        directory: PathBuf,
    },
    /// No modules were given at all.
    #[error(
        "the kernel {release} came without modules, and `{name}` is wanted; give them with `path:IMAGE,modules=DIR`"
    )]
    NoneGiven {
        /// The kernel in question.
        release: String,
        /// The module in question.
        name: String,
    },
    /// A file or directory cannot be read.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file or directory.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Not what was unpacked.
    #[error(
        "{path} is damaged; `execlab kernels verify` removes such a kernel, and `execlab kernels fetch` gets it anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Not a kernel module.
    #[error("{path} is no kernel module: {what}")]
    NotAModule {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Modules that need one another.
    #[error("the modules {} need one another in a circle", circle.join(", "))]
    Circle {
        /// The names on the way round.
        circle: Vec<String>,
    },
}

/// The modules of one kernel.
#[derive(Debug, Clone, Default)]
pub struct ModuleIndex {
    directory: Option<PathBuf>,
    files: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
    /// What files were when they were unpacked, as far as that is known.
    sums: BTreeMap<PathBuf, Sha256>,
}

impl ModuleIndex {
    /// Looks through a directory for modules (`*.ko`, also compressed) and for `modules.builtin`.
    pub fn read(directory: &Path) -> Result<Self, ModuleError> {
        let mut index = Self {
            directory: Some(directory.to_owned()),
            ..Self::default()
        };
        let mut pending = vec![directory.to_owned()];
        while let Some(at) = pending.pop() {
            let read_error = |source| ModuleError::Read {
                path: at.clone(),
                source,
            };
            for entry in at.read_dir().map_err(read_error)? {
                let entry = entry.map_err(read_error)?;
                let kind = entry.file_type().map_err(read_error)?;
                let path = entry.path();
                if kind.is_dir() {
                    pending.push(path);
                } else if let Some((name, _)) = entry.file_name().to_str().and_then(split_name) {
                    // Should a name be there twice, the same one is taken on every machine.
                    let slot = index.files.entry(name).or_insert_with(|| path.clone());
                    *slot = slot.clone().min(path);
                } else if entry.file_name() == "modules.builtin" {
                    let text = fs::read_to_string(&path)
                        .map_err(|source| ModuleError::Read { path, source })?;
                    index.builtin.extend(
                        text.lines()
                            .filter_map(|line| split_name(line.rsplit('/').next()?))
                            .map(|(name, _)| name),
                    );
                }
            }
        }
        Ok(index)
    }

    /// From now on no file is taken that is not what it was when it was unpacked.
    #[must_use]
    pub fn of_sums(self, sums: BTreeMap<PathBuf, Sha256>) -> Self {
        Self { sums, ..self }
    }

    /// The names of all modules that are files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// Whether a module is part of the kernel's image.
    pub fn is_builtin(&self, name: &str) -> bool {
        self.builtin.contains(&normal(name))
    }

    /// The wanted modules and all that they need, each once, in an order in which they can be loaded.
    /// What is built in needs no loading and is left out.
    pub fn load_order(
        &self,
        release: &str,
        wanted: &[&str],
    ) -> Result<Vec<ModuleFile>, ModuleError> {
        let mut walk = Walk {
            index: self,
            release,
            path: Vec::new(),
            done: BTreeSet::new(),
            order: Vec::new(),
        };
        for name in wanted {
            walk.visit(&normal(name))?;
        }
        Ok(walk.order)
    }
}

/// A walk from module to what it needs, depth first.
struct Walk<'a> {
    index: &'a ModuleIndex,
    release: &'a str,
    path: Vec<String>,
    done: BTreeSet<String>,
    order: Vec<ModuleFile>,
}

impl Walk<'_> {
    fn visit(&mut self, name: &str) -> Result<(), ModuleError> {
        if self.done.contains(name) {
            return Ok(());
        }
        if let Some(at) = self.path.iter().position(|on_the_way| on_the_way == name) {
            return Err(ModuleError::Circle {
                circle: self.path[at..].to_vec(),
            });
        }
        let Some(path) = self.index.files.get(name) else {
            return if self.index.builtin.contains(name) {
                Ok(())
            } else {
                Err(self.missing(name))
            };
        };
        let bytes = read_module(path)?;
        if self
            .index
            .sums
            .get(path)
            .is_some_and(|sum| Sha256::of(&bytes) != *sum)
        {
            return Err(ModuleError::Damaged { path: path.clone() });
        }
        let needs = Needs::of(path, &bytes)?;
        self.path.push(name.to_owned());
        for needed in &needs.hard {
            self.visit(needed)?;
        }
        for helpful in needs
            .soft
            .iter()
            .filter(|soft| self.index.files.contains_key(*soft))
        {
            // A soft need may lead back to where we come from; then it is simply not there yet.
            let depth = self.path.len();
            match self.visit(helpful) {
                Err(ModuleError::Circle { .. }) => self.path.truncate(depth),
                other => other?,
            }
        }
        self.path.pop();
        self.done.insert(name.to_owned());
        self.order.push(ModuleFile {
            name: name.to_owned(),
            path: path.clone(),
            bytes,
        });
        Ok(())
    }

    fn missing(&self, name: &str) -> ModuleError {
        let (release, name) = (self.release.to_owned(), name.to_owned());
        match &self.index.directory {
            Some(directory) => ModuleError::Missing {
                release,
                name,
                needed_by: self.path.last().cloned(),
                directory: directory.clone(),
            },
            None => ModuleError::NoneGiven { release, name },
        }
    }
}

/// What a module says it needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// `depends=`: without these it cannot be loaded.
    pub(super) hard: Vec<String>,
    /// `softdep=pre:`: with these before it, it does better.
    pub(super) soft: Vec<String>,
}

impl Needs {
    pub(super) fn of(path: &Path, module: &[u8]) -> Result<Self, ModuleError> {
        let error = |what: String| ModuleError::NotAModule {
            path: path.to_owned(),
            what,
        };
        let file = object::File::parse(module).map_err(|e| error(e.to_string()))?;
        let section = file
            .section_by_name(".modinfo")
            .ok_or_else(|| error("it has no section .modinfo".to_owned()))?;
        Ok(Self::of_modinfo(
            section.data().map_err(|e| error(e.to_string()))?,
        ))
    }

    pub(super) fn of_modinfo(modinfo: &[u8]) -> Self {
        let mut needs = Self::default();
        for entry in modinfo.split(|byte| *byte == 0) {
            let entry = String::from_utf8_lossy(entry);
            match entry.split_once('=') {
                Some(("depends", list)) => {
                    needs
                        .hard
                        .extend(list.split(',').filter(|name| !name.is_empty()).map(normal));
                }
                Some(("softdep", list)) => {
                    let before = list
                        .split_whitespace()
                        .skip_while(|word| *word != "pre:")
                        .skip(1);
                    needs
                        .soft
                        .extend(before.take_while(|word| *word != "post:").map(normal));
                }
                _ => {}
            }
        }
        needs
    }
}

/// A module's name as the kernel has it.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// Module name and compression of a file name such as `a-b.ko.xz`.
pub(crate) fn split_name(file_name: &str) -> Option<(String, Option<Format>)> {
    let (stem, suffix) = file_name.rsplit_once(".ko")?;
    let format = match suffix.strip_prefix('.') {
        Some(suffix) => Some(Format::of_suffix(suffix)?),
        None if suffix.is_empty() => None,
        None => return None,
    };
    Some((normal(stem), format))
}

fn read_module(path: &Path) -> Result<Vec<u8>, ModuleError> {
    let format = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(split_name);
    let read = fs::read(path).and_then(|bytes| match format {
        Some((_, Some(format))) => compress::decode(format, &bytes, LIMIT),
        _ => Ok(bytes),
    });
    read.map_err(|source| ModuleError::Read {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
#[path = "modules_tests.rs"]
pub(crate) mod tests;
