//! Builds modules of somebody's own against a kernel's headers, by the host's make and gcc.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::super::cache::{Cache, CacheError};
use super::super::store::Store;
use super::Headers;
use crate::digest::Hasher;

/// What is asked of make besides the modules, each for a reason:
const ARGUMENTS: [&str; 4] = [
    // Debian's headers name the compiler by its version, which few hosts have.
    "CC=gcc",
    // An option that gcc has since 14. Where it is not asked for, kbuild aligns functions in the older way.
    "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=",
    // Type information of modules is made by pahole, which few hosts have, and nobody here reads it.
    "CONFIG_DEBUG_INFO_BTF_MODULES=",
    "modules",
];

/// Modules that could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// There is no compiler, or no make.
    #[error("`{program}` cannot be run: {source}; install it (Debian: build-essential)")]
    Program {
        /// Which of them.
        program: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// It was said why not.
    #[error("{compiler} could not build it against the headers of {release}: {said}")]
    Refused {
        /// The compiler's own name and version.
        compiler: String,
        /// The kernel.
        release: String,
        /// The lines that tell of errors.
        said: String,
    },
    /// A file cannot be written or read.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The cache cannot be used.
    #[error(transparent)]
    Cache(#[from] CacheError),
}

/// A compiler, with a place for what it made.
#[derive(Debug)]
pub struct Builder<'a> {
    cache: &'a Cache,
    compiler: String,
}

impl<'a> Builder<'a> {
    /// With the host's gcc, keeping what is built in the cache of `store`.
    pub fn new(store: &'a Store) -> Result<Self, BuildError> {
        run("make", Command::new("make").arg("--version"))?;
        let output = run("gcc", Command::new("gcc").arg("--version"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        Ok(Self {
            cache: store.cache(),
            compiler: text.lines().next().unwrap_or("gcc").to_owned(),
        })
    }

    /// The modules (`NAME.ko`) that these sources make, a `Kbuild` among them. The same sources, headers and compiler
    /// give the same bytes, and are built once.
    pub fn modules(
        &self,
        headers: &Headers,
        sources: &[(&str, &[u8])],
    ) -> Result<BTreeMap<String, Vec<u8>>, BuildError> {
        let key = self.key(headers, sources);
        let kept = self.cache.modules(&key);
        if !kept.is_dir() {
            let _guard = self.cache.lock(&format!("modules-{key}"))?;
            if !kept.is_dir() {
                Cache::replace(&kept, |folder| self.build(headers, sources, folder))?;
            }
        }
        read(&kept).map_err(at(&kept))
    }

    fn key(&self, headers: &Headers, sources: &[(&str, &[u8])]) -> String {
        let mut hash = Hasher::default();
        let words = [self.compiler.as_str(), &headers.digest];
        let words = words.into_iter().chain(ARGUMENTS).map(str::as_bytes);
        let files = sources
            .iter()
            .flat_map(|(name, bytes)| [name.as_bytes(), bytes]);
        for part in words.chain(files) {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finish().to_string()
    }

    fn build(
        &self,
        headers: &Headers,
        sources: &[(&str, &[u8])],
        to: &Path,
    ) -> Result<(), BuildError> {
        let work = tempfile::tempdir().map_err(at(Path::new("a temporary folder")))?;
        let folder = work.path();
        for (name, bytes) in sources {
            let path = folder.join(name);
            fs::write(&path, bytes).map_err(at(&path))?;
        }
        let is = |name: &str, path: &Path| format!("{name}={}", path.display());
        let output = run(
            "make",
            Command::new("make")
                .args(["--no-print-directory", "-C"])
                .arg(&headers.own)
                .arg("-f")
                .arg(headers.common.join("Makefile"))
                .arg(is("O", &headers.own))
                .arg(is("KBUILD_OUTPUT", &headers.own))
                .arg(is("M", folder))
                // No debugging information, and no name of this folder: the same bytes each time.
                .arg(format!(
                    "KCFLAGS=-g0 -fmacro-prefix-map={}/=",
                    folder.display()
                ))
                .args(ARGUMENTS)
                // Variables of the environment are variables of make: none of the user's is meant for it.
                .env_clear()
                .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
                .env("LC_ALL", "C"),
        )?;
        let made = read(folder).map_err(at(folder))?;
        if !output.status.success() || made.is_empty() {
            return Err(BuildError::Refused {
                compiler: self.compiler.clone(),
                release: headers.release.clone(),
                said: errors(&output),
            });
        }
        fs::create_dir_all(to).map_err(at(to))?;
        for (name, bytes) in made {
            let path = to.join(name);
            fs::write(&path, bytes).map_err(at(&path))?;
        }
        Ok(())
    }
}

/// The modules in a folder.
fn read(folder: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == "ko") {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            found.insert(name.into_owned(), fs::read(&path)?);
        }
    }
    Ok(found)
}

fn run(program: &'static str, command: &mut Command) -> Result<Output, BuildError> {
    command
        .output()
        .map_err(|source| BuildError::Program { program, source })
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> BuildError + use<> {
    let path = path.to_owned();
    move |source| BuildError::Io { path, source }
}

/// What was said of errors, in one line; all that was said last where nothing was called one.
fn errors(output: &Output) -> String {
    const LINES: usize = 3;
    let said = String::from_utf8_lossy(&output.stderr);
    let lines = || said.lines().map(str::trim).filter(|line| !line.is_empty());
    let tell = |line: &&str| {
        let line = line.to_ascii_lowercase();
        (line.contains("error") || line.contains("not found")) && !line.starts_with("make")
    };
    let mut told: Vec<_> = lines().filter(tell).take(LINES).collect();
    if told.is_empty() {
        told = lines().collect();
        told.drain(..told.len().saturating_sub(LINES));
    }
    told.join("; ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::super::super::fetch::Fetcher;
    use super::super::super::lock::Lock;
    use super::*;

    /// Headers whose Makefile has one rule; what is built with them, told in a word.
    fn built(cache: &Path, rule: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(
            folder.path().join("Makefile"),
            format!("modules:\n\t{rule}\n"),
        )
        .unwrap();
        let headers = Headers {
            release: "1.2".into(),
            own: folder.path().to_owned(),
            common: folder.path().to_owned(),
            digest: rule.into(),
        };
        let lock = Lock::embedded().unwrap();
        let store = Store::with_lock(lock, cache.to_owned(), None, Fetcher::default()).unwrap();
        let modules = Builder::new(&store)
            .unwrap()
            .modules(&headers, &[("a.c", b"text")]);
        let modules = modules.map_err(|error| error.to_string())?;
        let names: Vec<_> = modules
            .into_iter()
            .map(|(name, bytes)| format!("{name}: {}", String::from_utf8_lossy(&bytes)))
            .collect();
        Ok(names.concat())
    }

    #[test]
    fn what_was_built_is_kept_and_what_was_refused_is_told() {
        let cache = tempfile::tempdir().unwrap();
        let count = cache.path().join("count");
        let count = count.display();
        let good = format!("cp $(M)/a.c $(M)/a.ko; echo >> {count}");
        for _ in 0..2 {
            assert_eq!(built(cache.path(), &good).unwrap(), "a.ko: text");
        }
        // The second came out of the cache.
        assert_eq!(fs::read(cache.path().join("count")).unwrap(), b"\n");
        let refused = built(cache.path(), "echo 'a.c:1: error: no' >&2; false").unwrap_err();
        assert!(
            refused.ends_with("could not build it against the headers of 1.2: a.c:1: error: no"),
            "{refused}"
        );
        assert!(built(cache.path(), "true").is_err(), "nothing was made");
    }

    fn told(stderr: &str) -> String {
        errors(&Output {
            status: ExitStatus::from_raw(1 << 8),
            stdout: Vec::new(),
            stderr: stderr.into(),
        })
    }

    #[test]
    fn of_a_failed_build_the_errors_are_told_and_not_what_make_says_of_them() {
        assert_eq!(
            told(
                "warning: pahole differs\ngcc: error: unrecognized option\nmake[2]: *** [x.o] Error 1\n"
            ),
            "gcc: error: unrecognized option"
        );
        assert_eq!(
            told("/bin/sh: 1: gcc-14: not found\n"),
            "/bin/sh: 1: gcc-14: not found"
        );
        assert_eq!(
            told("\none\ntwo\nthree\nmake: *** four\n"),
            "two; three; make: *** four"
        );
    }
}
