//! `preload-file`: the object is named in `/etc/ld.so.preload`, so glibc's loader brings it into every dynamically linked program
//! that starts from then on. What the object does and cannot see stands in [the family's page](super).
//!
//! Against `preload` it reaches the whole system, set-user-ID programs among it, and environments do not matter. It is bound to the
//! list of one root file system: a container or a chroot has its own, and its programs see neither list nor object. Loaders of other C libraries
//! (musl) do not read it. Programs that run already are not touched: they report nothing themselves, and what they
//! start does.
//!
//! Needs root, to write the list, and a folder from which objects can be loaded. Where the object cannot be loaded (a 32-bit
//! program, another root) glibc's loader complains on the program's standard error and goes on.
//!
//! # Cost
//!
//! A little more than `preload`: the loader of each linked program opens, maps and reads the list besides. That buys the
//! whole system, where `preload` has what it launched; so every linked program pays, whether it is of interest or not.
//! Tuned costs a little more: it makes up to two reports of an exec (`report=both`), and buys static programs that
//! linked ones start by name; with the longer queue fewer wait.

use std::path::{Path, PathBuf};

use super::{
    list::Entry,
    monitor::Reader,
    place::{Place, may_hold_objects},
};
use crate::{
    AttachError, Backend, CanaryKind, Monitor, MonitorError, Offers, Portrait, Reach, Remains,
    Seam, Setting, Settings, Stop,
};

/// ld.so(8), "FILES".
pub const LIST: &str = "/etc/ld.so.preload";
/// How the object's name begins, by which what is left of it is known.
pub const STEM: &str = "execlab-preload-";
/// Where the object may lie: what every user can see, the one that is gone with the next boot first.
pub const FOLDERS: [&str; 4] = ["/run", "/tmp", "/usr/local/lib", "/"];

/// See the module.
#[derive(Debug)]
pub struct PreloadFile;

fn stem() -> Result<PathBuf, AttachError> {
    let fit = FOLDERS
        .iter()
        .map(Path::new)
        .find(|folder| may_hold_objects(folder));
    let folder = fit.ok_or_else(|| {
        AttachError::Unsupported(format!(
            "no object can be loaded from any of {}",
            FOLDERS.join(", ")
        ))
    })?;
    Ok(folder.join(format!("{STEM}{}", std::process::id())))
}

impl Backend for PreloadFile {
    fn name(&self) -> &'static str {
        "preload-file"
    }

    fn about(&self) -> &'static str {
        "a library that /etc/ld.so.preload brings into each program reports it"
    }

    fn program(&self) -> &'static str {
        "preload"
    }

    fn portrait(&self) -> Portrait {
        super::portrait(
            "/etc/ld.so.preload brings a library into each dynamically linked program, which reports itself over a socket",
            &[
                "root",
                "dynamically linked programs of glibc in the same root file system",
            ],
            Reach::System,
        )
    }

    fn settings(&self) -> &'static [Setting] {
        super::SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        &[
            "a line in /etc/ld.so.preload: each dynamically linked program that starts meanwhile has a library of ours in it",
            "net.unix.max_dgram_qlen, for a moment (tuned)",
        ]
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&super::remains::ListAndQueue)
    }

    fn canary(&self) -> CanaryKind {
        CanaryKind::Dynamic
    }

    fn userland(&self) -> &'static [&'static str] {
        &["libc"]
    }

    fn offers(&self) -> Offers {
        super::offers()
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let place = Place::make(&stem()?, &super::wanted(settings))?;
        let entry = Entry::add(Path::new(LIST), &place.object())
            .map_err(AttachError::call(format!("write {LIST}")))?;
        let more = vec![format!("a line in {LIST} names it")];
        Ok(Box::new(Listed {
            reader: super::open(settings, place, more)?,
            entry,
        }))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        vec![
            super::look::queue(roots),
            super::look::list(Path::new(LIST)),
        ]
    }
}

/// The line goes first, then what it names.
#[derive(Debug)]
struct Listed {
    #[expect(dead_code, reason = "held to be put back")]
    entry: Entry,
    reader: Reader,
}

impl Monitor for Listed {
    fn evidence(&self) -> Vec<String> {
        self.reader.evidence()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        self.reader.run(seam, stop)
    }

    fn notes(&self) -> Vec<String> {
        self.reader.notes()
    }
}
