//! `odd-names`: names as no friend would choose them, but the kernel takes every byte but `/` and NUL. Text
//! formats have to escape them, and some that do not are misread: the end ` (deleted)` that the kernel appends
//! itself, digits that look like audit's hexadecimal spelling.

use execlab_model::{Bytes, workload::Workload};
use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes,
    worker::{copy_alone, labelled},
};
use crate::step::Step;

/// By which string a file is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Path,
    /// From its folder, without any slash: the argument is the name and nothing else.
    Name,
}

/// What is odd, and the name.
const NAMES: &[(&str, &[u8], By)] = &[
    ("space", b"a worker", By::Path),
    ("space at the end", b"worker ", By::Path),
    ("newline and tab", b"two\nlines\tworker", By::Path),
    ("quotes", b"it's \"quoted\"", By::Path),
    ("backslash", b"back\\slash\\x41", By::Path),
    ("control bytes", b"\x01bell\x07\x1b[31m\x7f", By::Path),
    ("not UTF-8", b"\xff\xfe\xc3(\x80", By::Path),
    (
        "other letters",
        "gr\u{f6}\u{df}e-\u{6e90}".as_bytes(),
        By::Path,
    ),
    ("for a shell", b"$(id);`id`&|*?%s", By::Path),
    ("as if deleted", b"worker (deleted)", By::Path),
    ("hexadecimal", b"616263", By::Name),
    ("dash", b"-rf", By::Name),
];

/// See the module.
#[derive(Debug)]
pub struct OddNames;

impl Scenario for OddNames {
    fn name(&self) -> &'static str {
        "odd-names"
    }

    fn about(&self) -> &'static str {
        "spaces, newlines, quotes, control bytes, no UTF-8, and what looks like something else"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn least_execs(&self) -> u32 {
        u32::try_from(NAMES.len()).expect("a dozen")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let (place, dir) = (Place::here(ground)?, ground.dir.join("odd"));
        let ways = NAMES.iter().map(|&(label, name, by)| {
            let file = dir.join(OsStr::from_bytes(name));
            copy_alone(&ground.payload, &file)?;
            let (given, cwd): (Bytes, _) = match by {
                By::Path => (bytes(&file), "/".as_ref()),
                By::Name => (name.into(), &*dir),
            };
            let way = Way::call(labelled(label, place.site(given, cwd, &file)?));
            Ok(way.after(&[Step::chdir(bytes(cwd).0)]))
        });
        let ways: Result<Vec<_>, SetupError> = ways.collect();
        Ok(Prepared::ways(ways?))
    }
}
