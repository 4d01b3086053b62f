//! The files that a program needs in a guest: itself, what its first line or its ELF header names, the libraries of
//! all of them, and what the user says.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use execlab_model::{
    Bytes,
    plan::{Contents, PlanFile},
};
use execlab_vm::digest::Sha256;
use lddtree::DependencyAnalyzer;

use super::{BadProgram, Program};

/// No line with an interpreter is longer for the kernel (`BINPRM_BUF_SIZE`, include/uapi/linux/binfmts.h).
const LONGEST_LINE: usize = 256;
/// Where commands are looked for that `env` starts.
const PATH: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];
/// More than this is no monitor, and would not fit into a guest.
const MOST_BYTES: u64 = 256 << 20;

/// What travels into a guest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The program and all else, by path.
    pub files: Vec<PlanFile>,
    /// Folders of libraries that no linker looks into unasked, with colons between them.
    pub library_path: Bytes,
    /// SHA-256 of the program itself.
    pub program: String,
    /// SHA-256 of all of it.
    pub all: String,
}

impl Gathered {
    /// How much it is, in bytes.
    pub fn bytes(&self) -> u64 {
        let files = self.files.iter().map(|file| match &file.contents {
            Contents::File(_, bytes) | Contents::Link(bytes) => bytes.0.len(),
        });
        files.sum::<usize>() as u64
    }
}

/// Reads everything that a program needs.
pub fn gather(program: &Program) -> Result<Gathered, BadProgram> {
    let mut basket = Basket::default();
    basket.put(&program.file, Strict::Yes)?;
    for file in &program.files {
        basket.put_tree(file)?;
    }
    let files = std::mem::take(&mut basket.files).into_iter();
    let files = files.map(|(path, contents)| PlanFile {
        path: below_root(&path),
        contents,
    });
    let files: Vec<_> = files.collect();
    let all = postcard::to_allocvec(&files).expect("plain data always encodes");
    Ok(Gathered {
        library_path: library_path(&basket.libraries),
        program: Sha256::of(&read(&program.file)?).into(),
        all: Sha256::of(&all).into(),
        files,
    })
}

/// Whether what a file needs itself has to be there too. Not for what only lies in a folder that is taken whole: of a
/// language's library nobody executes every file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strict {
    Yes,
    No,
}

/// What was gathered so far.
#[derive(Debug, Default)]
struct Basket {
    files: BTreeMap<PathBuf, Contents>,
    /// Where libraries were found.
    libraries: BTreeSet<PathBuf>,
    /// Folders that were gone through, by what they really are: links can lead in circles.
    folders: BTreeSet<PathBuf>,
    bytes: u64,
}

impl Basket {
    /// What a program needs to be started.
    fn follow(&mut self, path: &Path, bytes: &[u8]) -> Result<(), BadProgram> {
        if bytes.starts_with(b"#!") {
            for interpreter in interpreters(bytes) {
                self.put(&interpreter, Strict::Yes)
                    .map_err(|error| match error {
                        BadProgram::NoFile { file, why } => {
                            let script = path.display();
                            no_file(&file, format!("{why}; the first line of {script} names it"))
                        }
                        other => other,
                    })?;
            }
            return Ok(());
        }
        if !bytes.starts_with(b"\x7fELF") {
            return Ok(());
        }
        let tree = DependencyAnalyzer::new(PathBuf::from("/"))
            .analyze(path)
            .map_err(|error| no_file(path, format!("its libraries cannot be found: {error}")))?;
        for library in tree.libraries.values() {
            if !library.found() {
                let why = format!("it needs {}, which is nowhere", library.name);
                return Err(no_file(path, why));
            }
            self.libraries
                .extend(library.path.parent().map(Path::to_owned));
            self.put(&library.path, Strict::Yes)?;
        }
        match tree.interpreter {
            Some(interpreter) => self.put(Path::new(&interpreter), Strict::Yes),
            None => Ok(()),
        }
    }

    /// A file at its own path, with what it needs itself.
    fn put(&mut self, path: &Path, strict: Strict) -> Result<(), BadProgram> {
        if self.files.contains_key(path) {
            return Ok(());
        }
        // A pipe would be waited for.
        let there = fs::metadata(path).map_err(|e| no_file(path, e.to_string()))?;
        if !there.is_file() {
            return Err(no_file(path, "it is no file".into()));
        }
        let mode = there.permissions().mode() & 0o7777;
        let bytes = read(path)?;
        self.bytes += bytes.len() as u64;
        if self.bytes > MOST_BYTES {
            let why = format!("with it there are more than {} MiB", MOST_BYTES >> 20);
            return Err(no_file(path, why));
        }
        self.files
            .insert(path.to_owned(), Contents::File(mode, Bytes(bytes.clone())));
        if mode & 0o111 != 0 || path.extension().is_some_and(|end| end == "so") {
            let followed = self.follow(path, &bytes);
            if strict == Strict::Yes {
                return followed;
            }
        }
        Ok(())
    }

    /// A file, or everything in a folder.
    fn put_tree(&mut self, path: &Path) -> Result<(), BadProgram> {
        let cannot = |error: io::Error| no_file(path, error.to_string());
        if !fs::metadata(path).map_err(cannot)?.is_dir() {
            return self.put(path, Strict::Yes);
        }
        if !self.folders.insert(fs::canonicalize(path).map_err(cannot)?) {
            return Ok(());
        }
        for entry in fs::read_dir(path).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path();
            match fs::metadata(&path) {
                Ok(it) if it.is_dir() => self.put_tree(&path)?,
                Ok(it) if it.is_file() => self.put(&path, Strict::No)?,
                // Links that lead nowhere, pipes, sockets.
                _ => {}
            }
        }
        Ok(())
    }
}

/// Folders beyond those that every linker of Debian looks into by itself; here others are in its cache, which does not travel.
fn library_path(folders: &BTreeSet<PathBuf>) -> Bytes {
    const USUAL: [&str; 5] = [
        "/lib",
        "/usr/lib",
        "/lib/x86_64-linux-gnu",
        "/usr/lib/x86_64-linux-gnu",
        "/lib64",
    ];
    let unusual = folders
        .iter()
        .filter(|folder| !USUAL.iter().any(|usual| folder == &Path::new(usual)));
    let all: Vec<_> = unusual.map(|f| f.as_os_str().as_bytes()).collect();
    Bytes(all.join(&b':'))
}

/// The programs that the first line of a script names: its interpreter, and where that is `env`, the command
/// that it is to find.
fn interpreters(script: &[u8]) -> Vec<PathBuf> {
    let line = script[2..].iter().take(LONGEST_LINE).copied();
    let line: Vec<u8> = line.take_while(|&b| b != b'\n').collect();
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split_ascii_whitespace();
    let Some(interpreter) = words.next() else {
        return Vec::new();
    };
    let mut all = vec![PathBuf::from(interpreter)];
    if Path::new(interpreter).file_name() == Some("env".as_ref()) {
        let command = words.find(|word| !word.starts_with('-') && !word.contains('='));
        let found = command.and_then(|command| {
            let places = PATH.iter().map(|dir| Path::new(dir).join(command));
            places.into_iter().find(|place| place.is_file())
        });
        all.extend(found);
    }
    all
}

/// As a plan names files: from the root, without its slash.
fn below_root(path: &Path) -> Bytes {
    let bytes = path.as_os_str().as_bytes();
    bytes.strip_prefix(b"/").unwrap_or(bytes).into()
}

fn read(path: &Path) -> Result<Vec<u8>, BadProgram> {
    fs::read(path).map_err(|error| no_file(path, error.to_string()))
}

fn no_file(path: &Path, why: String) -> BadProgram {
    BadProgram::NoFile {
        file: path.to_owned(),
        why,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, Program) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("monitor");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let program = Program::new(&file, Vec::new(), &[]).unwrap();
        (dir, program)
    }

    fn paths(program: &Program) -> Vec<String> {
        let files = gather(program).unwrap().files;
        files.iter().map(|file| file.path.to_string()).collect()
    }

    #[test]
    fn a_script_brings_its_interpreter_and_that_ones_libraries() {
        let (_dir, program) = script("#!/bin/sh -e\nexit\n");
        let paths = paths(&program);
        assert!(paths.contains(&"bin/sh".to_owned()), "{paths:?}");
        assert!(paths.iter().any(|p| p.ends_with("libc.so.6")), "{paths:?}");
        assert!(paths.iter().any(|p| p.contains("ld-linux")), "{paths:?}");
        let gathered = gather(&program).unwrap();
        let own = below_root(&program.file);
        let own = gathered.files.iter().find(|file| file.path == own).unwrap();
        let text = Bytes(b"#!/bin/sh -e\nexit\n".to_vec());
        assert_eq!(own.contents, Contents::File(0o755, text));
    }

    #[test]
    fn libraries_from_elsewhere_are_named_to_the_linker() {
        let of = |all: &[&str]| library_path(&all.iter().map(PathBuf::from).collect()).to_string();
        assert_eq!(of(&["/lib/x86_64-linux-gnu", "/usr/lib"]), "");
        assert_eq!(of(&["/opt/b/lib", "/opt/a", "/lib64"]), "/opt/a:/opt/b/lib");
    }

    #[test]
    fn env_brings_what_it_starts() {
        let (_dir, program) = script("#!/usr/bin/env -S sh -e\n");
        let paths = paths(&program);
        assert!(paths.contains(&"usr/bin/env".to_owned()), "{paths:?}");
        assert!(paths.contains(&"usr/bin/sh".to_owned()), "{paths:?}");
    }

    #[test]
    fn folders_come_whole_and_links_in_circles_end() {
        let (dir, _) = script("#!/bin/sh\n");
        let data = dir.path().join("data");
        fs::create_dir_all(data.join("deep")).unwrap();
        fs::write(data.join("deep/rule"), "x").unwrap();
        std::os::unix::fs::symlink(&data, data.join("deep/again")).unwrap();
        let program = Program::new(
            &dir.path().join("monitor"),
            Vec::new(),
            std::slice::from_ref(&data),
        );
        // What nobody may need: a pipe, a link to nowhere, a script of an interpreter that is not here.
        nix::unistd::mkfifo(&data.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("nowhere", data.join("broken")).unwrap();
        fs::write(data.join("tool"), "#!/no/such/interpreter\n").unwrap();
        fs::set_permissions(data.join("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        let paths = paths(&program.unwrap());
        let rules = paths.iter().filter(|p| p.ends_with("deep/rule")).count();
        assert_eq!(rules, 1, "{paths:?}");
    }

    #[test]
    fn an_interpreter_that_is_not_there_is_told() {
        let (dir, _) = script("#!/bin/sh\n");
        let file = dir.path().join("monitor");
        fs::write(&file, "#!/no/such/interpreter\n").unwrap();
        let error = Program::new(&file, Vec::new(), &[])
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("/no/such/interpreter cannot be given to a program: No such file"),
            "{error}"
        );
        assert!(error.ends_with("/monitor names it"), "{error}");
    }
}
