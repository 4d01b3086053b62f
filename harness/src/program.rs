//! A program of somebody else as the monitor: what it is, and the files that it needs where it runs.
//!
//! What it has to say and when stands in `docs/your-monitor.md`.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use execlab_model::plan::{CanaryKind, PROGRAM_PREFIX};
use execlab_vm::digest::Sha256;
use serde::{Deserialize, Serialize};

mod files;

pub use files::{Gathered, gather};

/// Before the name or the command of a program, where backends are named.
pub const PREFIX: &str = PROGRAM_PREFIX;

/// One program, as it stands in a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its file on this machine, absolute.
    pub file: PathBuf,
    /// Its arguments.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Files and folders that it needs in a guest, absolute, each at its own path there.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// What has to be executed to prove that it sees.
    #[serde(default)]
    pub canary: CanaryKind,
    /// Whether it starts what it watches: `FILE launch ARGUMENTS -- STORM…`.
    #[serde(default)]
    pub launch: bool,
    /// How much of it travels into a guest, in bytes: larger ones need a larger guest.
    #[serde(default)]
    pub bytes: u64,
    /// SHA-256 of its file.
    #[serde(default)]
    pub sha256: String,
    /// SHA-256 of all that travels, file by file: what is measured is what was planned.
    #[serde(default)]
    pub all_sha256: String,
}

/// A command that names no program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadProgram {
    /// Nothing, or quotation marks that do not close.
    #[error("`{0}` is no command: write the program and its arguments as a shell would take them")]
    NoCommand(String),
    /// Nothing can be executed there.
    #[error("{} cannot be executed: {why}", file.display())]
    NoProgram {
        /// As given.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file that it is to have is not there.
    #[error("{} cannot be given to a program: {why}", file.display())]
    NoFile {
        /// As given.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

impl Program {
    /// Of a command line: words as a POSIX shell divides them.
    pub fn of_command(command: &str) -> Result<Self, BadProgram> {
        let words = shlex::split(command).unwrap_or_default();
        let (file, arguments) = words
            .split_first()
            .ok_or_else(|| BadProgram::NoCommand(command.to_owned()))?;
        Self::new(Path::new(file), arguments.to_vec(), &[])
    }

    /// Of a file, with arguments and further files; relative paths are of the working directory.
    pub fn new(file: &Path, arguments: Vec<String>, files: &[PathBuf]) -> Result<Self, BadProgram> {
        use std::os::unix::fs::PermissionsExt;
        let cannot = |why: String| BadProgram::NoProgram {
            file: file.to_owned(),
            why,
        };
        // Not what a link leads to: it is called as it was named.
        let absolute = std::path::absolute(file).map_err(|e| cannot(e.to_string()))?;
        let there = fs::metadata(&absolute).map_err(|e| cannot(e.to_string()))?;
        if !there.is_file() {
            return Err(cannot("it is no file".into()));
        }
        if there.permissions().mode() & 0o111 == 0 {
            return Err(cannot("it is not executable (`chmod +x`)".into()));
        }
        let mut begins = [0; 4];
        let length = fs::File::open(&absolute)
            .and_then(|mut file| file.read(&mut begins))
            .map_err(|e| cannot(e.to_string()))?;
        if !begins[..length].starts_with(b"#!") && !begins.starts_with(b"\x7fELF") {
            return Err(cannot(
                "it begins neither with `#!` nor as an ELF file: name the program that runs it"
                    .into(),
            ));
        }
        let needed = files.iter().map(|file| {
            fs::metadata(file)
                .and_then(|_| std::path::absolute(file))
                .map_err(|error| BadProgram::NoFile {
                    file: file.clone(),
                    why: error.to_string(),
                })
        });
        let mut program = Self {
            files: needed.collect::<Result<_, _>>()?,
            file: absolute,
            arguments,
            canary: CanaryKind::Payload,
            launch: false,
            bytes: 0,
            sha256: String::new(),
            all_sha256: String::new(),
        };
        let gathered = gather(&program)?;
        program.bytes = gathered.bytes();
        program.sha256 = gathered.program;
        program.all_sha256 = gathered.all;
        Ok(program)
    }

    /// Whether its file has still the bytes that it had then.
    pub fn is_as_planned(&self) -> bool {
        fs::read(&self.file).is_ok_and(|bytes| String::from(Sha256::of(&bytes)) == self.sha256)
    }

    /// Its file and its arguments.
    pub fn command(&self) -> Vec<String> {
        let file = self.file.to_string_lossy().into_owned();
        [file].into_iter().chain(self.arguments.clone()).collect()
    }

    /// What it is called where no name was given: its file's name.
    pub fn name(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        format!("{PREFIX}{}", name.to_string_lossy())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_program_that_changed_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("monitor");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let program = Program::new(&file, Vec::new(), &[]).unwrap();
        assert!(program.is_as_planned());
        fs::write(&file, "#!/bin/sh\nexit\n").unwrap();
        assert!(!program.is_as_planned());
        fs::remove_file(&file).unwrap();
        assert!(!program.is_as_planned());
    }

    #[test]
    fn a_command_is_divided_as_a_shell_does() {
        let program = Program::of_command("/bin/sh -c 'exit 3'").unwrap();
        assert_eq!(program.arguments, ["-c", "exit 3"]);
        assert!(program.file.is_absolute());
        let error = |command| Program::of_command(command).unwrap_err().to_string();
        assert!(error("").starts_with("`` is no command"));
        assert!(error("'x").starts_with("`'x` is no command"));
        assert!(error("/no/such").starts_with("/no/such cannot be executed: No such file"));
        assert!(error("/").starts_with("/ cannot be executed: it is no file"));
    }

    #[test]
    fn what_cannot_be_executed_or_is_not_there_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("monitor");
        fs::write(&file, "#!/bin/sh\n").unwrap();
        let error = Program::new(&file, Vec::new(), &[]).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("it is not executable (`chmod +x`)")
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(&file, "print()\n").unwrap();
        let error = Program::new(&file, Vec::new(), &[]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("neither with `#!` nor as an ELF"),
            "{error}"
        );
        let needed = [dir.path().join("rules")];
        let error = Program::new(Path::new("/bin/sh"), Vec::new(), &needed).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("rules cannot be given to a program")
        );
    }
}
