//! Files that are not their own image: the kernel runs an interpreter or a handler in their place, and
//! puts words of its own before the arguments of the call.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use execlab_model::{
    Bytes,
    truth::{ID_ARGUMENT, LIFETIME_ARGUMENT, Site},
};

use super::{Ground, Place, SetupError, Way, bytes, install, make_dir};
use crate::step::{Call, How, Step};

/// What calls give as their first argument: it has nothing to do with the file, and most interpreters never
/// get it.
pub(super) const FIRST: &str = "first";

/// Such files of one place, and what runs in their stead.
pub(super) struct Interpreted {
    place: Place,
    /// Where they lie.
    pub(super) dir: PathBuf,
    /// A copy of the payload.
    pub(super) interpreter: PathBuf,
}

impl Interpreted {
    /// With an interpreter, and no file yet.
    pub(super) fn prepare(ground: &Ground) -> Result<Self, SetupError> {
        let interpreter = ground.dir.join("bin/interpreter");
        install(&ground.payload, &interpreter)?;
        let dir = ground.dir.join("files");
        make_dir(&dir)?;
        Ok(Self {
            place: Place::here(ground)?,
            dir,
            interpreter,
        })
    }

    /// Puts a file there that may be executed.
    pub(super) fn file(&self, name: &str, contents: &[u8]) -> Result<PathBuf, SetupError> {
        let path = self.dir.join(name);
        write_file(&path, contents, 0o755)?;
        Ok(path)
    }

    /// A script whose first line is `#!`, the interpreter and `rest`.
    pub(super) fn script(&self, name: &str, rest: &str) -> Result<PathBuf, SetupError> {
        let line = [b"#!", bytes(&self.interpreter).as_slice(), rest.as_bytes()].concat();
        self.file(name, &[&line, b"\nexit 1\n".as_slice()].concat())
    }

    /// Its absolute path is passed to `execve`. `words` are what the kernel puts before all arguments but the
    /// first.
    pub(super) fn way(&self, label: &str, file: &Path, words: &[Bytes]) -> Result<Way, SetupError> {
        self.way_by(label, How::Execve, bytes(file), bytes(file), file, words)
    }

    /// The string `path` is passed to the call, which the kernel takes for `given`.
    pub(super) fn way_by(
        &self,
        label: &str,
        how: How,
        path: Bytes,
        given: Bytes,
        file: &Path,
        words: &[Bytes],
    ) -> Result<Way, SetupError> {
        let mut site = self.place.site(given, "/", file)?;
        site.label = label.into();
        site.frames.interpreter = Some(bytes(&self.interpreter));
        Ok(handed_over(how, path, words, site))
    }
}

/// A way with one exec, by the string `path`. What the call gives as its first argument is [`FIRST`]; the
/// kernel puts `words` there instead.
pub(super) fn handed_over(how: How, path: Bytes, words: &[Bytes], mut site: Site) -> Way {
    let numbers = [ID_ARGUMENT, LIFETIME_ARGUMENT].map(Bytes::from);
    site.argv = [words, &numbers].concat();
    let argv = [&[Bytes::from(FIRST)], &numbers[..]].concat();
    let call = Call::new(path.0, argv).by(how);
    Way::of([Step::Exec(call)]).then(site)
}

/// Writes a file with these permission bits.
pub(super) fn write_file(path: &Path, contents: &[u8], mode: u32) -> Result<(), SetupError> {
    fs::write(path, contents).map_err(SetupError::at(format!("write {}", path.display())))?;
    set_mode(path, mode)
}

/// Gives a file these permission bits, those of set-user-ID among them.
pub(super) fn set_mode(path: &Path, mode: u32) -> Result<(), SetupError> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(SetupError::at(format!(
        "set the mode of {} to {mode:o}",
        path.display()
    )))
}

#[cfg(test)]
mod tests {
    use std::{
        ffi::OsStr,
        os::unix::{ffi::OsStrExt, process::CommandExt},
        process::Command,
    };

    use super::{
        super::{
            Scenario, script::Script, script_arguments::ScriptArguments, script_chain::ScriptChain,
            testing,
        },
        *,
    };

    /// Of the kernel that runs the test, by an interpreter that prints all of its arguments but the first.
    #[test]
    fn the_kernel_puts_the_same_words_there_as_truth() {
        let scenarios: [&dyn Scenario; 3] = [&Script, &ScriptArguments, &ScriptChain];
        for scenario in scenarios {
            let (_dir, ground) = testing::ground(Path::new("/bin/echo"));
            let Some(prepared) = testing::prepare(scenario, &ground) else {
                return;
            };
            for way in &prepared.ways {
                let site = &way.sites[0];
                let Some(Step::Exec(call)) = way.steps.last() else {
                    panic!("{way:?}")
                };
                let text = |bytes: &Bytes| OsStr::from_bytes(bytes.as_slice()).to_owned();
                let output = Command::new(OsStr::from_bytes(call.path.as_bytes()))
                    .arg0(text(&call.argv[0]))
                    .args(call.argv[1..].iter().map(text))
                    .current_dir(text(&site.cwd))
                    .output()
                    .unwrap();
                let expected: Vec<_> = site.argv[1..].iter().map(Bytes::as_slice).collect();
                let expected = [&expected.join(&b' '), &b"\n"[..]].concat();
                let seen = String::from_utf8_lossy(&output.stdout);
                assert_eq!(seen, String::from_utf8_lossy(&expected), "{}", site.label);
            }
        }
    }

    #[test]
    fn truth_holds_the_words_of_the_kernel_and_the_call_its_own() {
        let site = Site {
            given: "/dev/fd/7".into(),
            ..Site::default()
        };
        let words = ["/bin/i", "/dev/fd/7"].map(Bytes::from);
        let way = handed_over(How::Execveat(7, 0), Bytes::default(), &words, site);
        let [Step::Exec(call)] = way.steps.as_slice() else {
            panic!("{:?}", way.steps)
        };
        assert_eq!(call.argv, [FIRST, "{id}", "{lifetime}"].map(Bytes::from));
        let [site] = way.sites.as_slice() else {
            panic!("{:?}", way.sites)
        };
        let expected = ["/bin/i", "/dev/fd/7", "{id}", "{lifetime}"];
        assert_eq!(site.argv, expected.map(Bytes::from));
        assert_eq!(site.given, "/dev/fd/7".into());
    }
}
