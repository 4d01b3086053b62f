//! Path classes: exactly one for each seen exec (DESIGN §5).
//!
//! Classes are tried best first, so a string that fits several has the best of them. Where the
//! definitions of DESIGN leave room:
//!
//! - `as-given` is the string of the call, alone or behind the working directory, with or without
//!   its `.` and `..` taken out: what a monitor can build without resolving a symlink;
//! - `basename` is a string without a slash that equals a last component, or its first 15 bytes
//!   (`comm`), of the executed file or of the string of the call (from which the kernel takes `comm`);
//!   so a basename is never `truncated`, although it is a suffix;
//! - a memfd is in no folder, so all of its name is its last component, slashes and all;
//! - `interpreter` takes the interpreter's basename as well: that too names it;
//! - `stale` takes every name of the process's own file before and after this exec;
//! - an empty string names nothing and is `absent`.

use execlab_model::{
    Bytes,
    result::PathClass,
    truth::{Frames, Site},
};

/// What the kernel appends to the name of a file that has none any more.
const DELETED: &[u8] = b" (deleted)";
/// Longest `comm` in bytes, without its end.
const COMM: usize = 15;

/// How a reported path compares with the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathVerdict {
    /// Its class.
    pub class: PathClass,
    /// Whether a suffix of the kernel was taken off before comparing.
    pub suffixed: bool,
}

/// All names by which execs of one site may be reported, made once for each site.
#[derive(Debug)]
pub struct Names<'a> {
    site: &'a Site,
    /// Working directory and string of the call, as they are and made lexically canonical.
    joined: Option<(Vec<u8>, Vec<u8>)>,
}

impl<'a> Names<'a> {
    /// The names of a site.
    pub fn new(site: &'a Site) -> Self {
        let given = site.given.as_slice();
        let joined =
            (!given.is_empty() && !given.starts_with(b"/") && !site.cwd.is_empty()).then(|| {
                let mut raw = site.cwd.0.clone();
                if !raw.ends_with(b"/") {
                    raw.push(b'/');
                }
                raw.extend_from_slice(given);
                let plain = without_dots(&raw);
                (raw, plain)
            });
        Self { site, joined }
    }

    /// The class of a reported path; `None` is a sighting without one.
    ///
    /// `neighbours` gives the sites of the execs of the same process before and after this one; it
    /// is asked only where nothing better fits.
    pub fn classify<'n, N: Iterator<Item = &'n Site>>(
        &self,
        reported: Option<&Bytes>,
        neighbours: impl Fn() -> N,
    ) -> PathVerdict {
        let Some(reported) = reported.map(Bytes::as_slice).filter(|r| !r.is_empty()) else {
            return PathVerdict {
                class: PathClass::Absent,
                suffixed: false,
            };
        };
        // A file may really be named so: the whole string has the first word.
        let bare = reported.strip_suffix(DELETED).filter(|b| !b.is_empty());
        let named = |name| self.named(name, &neighbours);
        let whole = named(reported).map(|class| (class, false));
        let (class, suffixed) = whole
            .or_else(|| Some((named(bare?)?, true)))
            .unwrap_or_else(|| match bare {
                Some(bare) if !self.is_part(reported) => (self.unnamed(bare), true),
                _ => (self.unnamed(reported), false),
            });
        PathVerdict { class, suffixed }
    }

    /// The class of a string that is one of the names, whole.
    fn named<'n, N: Iterator<Item = &'n Site>>(
        &self,
        reported: &[u8],
        neighbours: impl Fn() -> N,
    ) -> Option<PathClass> {
        let frames = &self.site.frames;
        let is = |name: &[u8]| !name.is_empty() && name == reported;
        let class = if is(frames.exact.as_slice()) {
            PathClass::Exact
        } else if frames.host.iter().any(|name| is(name.as_slice())) {
            PathClass::Host
        } else if frames
            .in_root
            .as_ref()
            .is_some_and(|name| is(name.as_slice()))
        {
            PathClass::InRoot
        } else if is(self.site.given.as_slice()) || self.is_joined(reported) {
            PathClass::AsGiven
        } else if self.is_basename(reported) {
            PathClass::Basename
        } else if frames
            .interpreter
            .as_ref()
            .is_some_and(|name| is(name.as_slice()) || is(name.basename()))
        {
            PathClass::Interpreter
        } else if frames.stale.iter().any(|name| is(name.as_slice()))
            || neighbours().any(|site| is_name_of(site, reported))
        {
            PathClass::Stale
        } else {
            return None;
        };
        Some(class)
    }

    /// The class of a string that is none of the names.
    fn unnamed(&self, reported: &[u8]) -> PathClass {
        if self.is_part(reported) {
            PathClass::Truncated
        } else {
            PathClass::Wrong
        }
    }

    /// Whether a string is the beginning or the end of one of the right names.
    fn is_part(&self, reported: &[u8]) -> bool {
        let joined = self.joined.iter().flat_map(|(raw, plain)| [raw, plain]);
        right_names(&self.site.frames)
            .chain([&self.site.given])
            .map(Bytes::as_slice)
            .chain(joined.map(Vec::as_slice))
            .any(|name| name.starts_with(reported) || name.ends_with(reported))
    }

    fn is_joined(&self, reported: &[u8]) -> bool {
        self.joined
            .as_ref()
            .is_some_and(|(raw, plain)| raw == reported || plain == reported)
    }

    fn is_basename(&self, reported: &[u8]) -> bool {
        let last = |name: &Bytes| {
            let last = last_component(name);
            !last.is_empty() && (last == reported || last.get(..COMM) == Some(reported))
        };
        // Only a program in memory has slashes there.
        last(&self.site.frames.exact) || last(&self.site.given)
    }
}

/// What the kernel has as the file's own name, from which `comm` is cut where it is not cut from the call.
fn last_component(name: &Bytes) -> &[u8] {
    match name.as_slice() {
        [b'/', memory @ ..] if memory.starts_with(b"memfd:") => memory,
        _ => name.basename(),
    }
}

/// The names that are right in some frame.
fn right_names(frames: &Frames) -> impl Iterator<Item = &Bytes> {
    [&frames.exact]
        .into_iter()
        .chain(&frames.host)
        .chain(&frames.in_root)
}

fn is_name_of(site: &Site, reported: &[u8]) -> bool {
    right_names(&site.frames)
        .chain([&site.given])
        .any(|name| !name.is_empty() && name.as_slice() == reported)
}

/// An absolute path without `.`, `..` and doubled slashes, by its letters alone.
fn without_dots(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&b| b == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for part in parts {
        out.push(b'/');
        out.extend_from_slice(part);
    }
    if out.is_empty() {
        out.push(b'/');
    }
    out
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    fn site() -> Site {
        Site {
            given: "../bin/./a-rather-long-name".into(),
            cwd: "/srv/link".into(),
            frames: Frames {
                exact: "/jail/opt/bin/a-rather-long-name".into(),
                host: vec!["/var/layers/7/opt/bin/a-rather-long-name".into()],
                in_root: Some("/opt/bin/a-rather-long-name".into()),
                interpreter: Some("/bin/dash".into()),
                stale: vec!["/jail/opt/bin/older".into()],
            },
            ..Site::default()
        }
    }

    fn class(site: &Site, reported: &str) -> (PathClass, bool) {
        let verdict = Names::new(site).classify(Some(&reported.into()), iter::empty);
        (verdict.class, verdict.suffixed)
    }

    #[test]
    fn every_class_has_its_strings() {
        let cases = [
            ("/jail/opt/bin/a-rather-long-name", PathClass::Exact),
            ("/var/layers/7/opt/bin/a-rather-long-name", PathClass::Host),
            ("/opt/bin/a-rather-long-name", PathClass::InRoot),
            ("../bin/./a-rather-long-name", PathClass::AsGiven),
            ("/srv/link/../bin/./a-rather-long-name", PathClass::AsGiven),
            ("/srv/bin/a-rather-long-name", PathClass::AsGiven),
            ("a-rather-long-name", PathClass::Basename),
            ("a-rather-long-n", PathClass::Basename),
            ("/bin/dash", PathClass::Interpreter),
            ("dash", PathClass::Interpreter),
            ("/jail/opt/bin/older", PathClass::Stale),
            ("/jail/opt/bin/a-rather", PathClass::Truncated),
            ("bin/a-rather-long-name", PathClass::Truncated),
            // Neither a whole last component nor a comm, but a suffix all the same.
            ("rather-long-name", PathClass::Truncated),
            // 14 bytes are no comm, and no path begins with them.
            ("a-rather-long-", PathClass::Wrong),
            ("/bin/other", PathClass::Wrong),
            ("/jail/opt/bin/a-rather-long-name2", PathClass::Wrong),
            ("", PathClass::Absent),
        ];
        for (reported, expected) in cases {
            assert_eq!(class(&site(), reported), (expected, false), "{reported}");
        }
        let none = Names::new(&site()).classify(None, iter::empty).class;
        assert_eq!(none, PathClass::Absent);
    }

    #[test]
    fn the_best_of_several_classes_counts() {
        let mut site = site();
        site.given = site.frames.exact.clone();
        assert_eq!(
            class(&site, "/jail/opt/bin/a-rather-long-name").0,
            PathClass::Exact
        );
        site.given = "t".into();
        assert_eq!(class(&site, "t").0, PathClass::AsGiven);
    }

    #[test]
    fn the_kernels_suffix_is_no_part_of_a_name() {
        assert_eq!(
            class(&site(), "/opt/bin/a-rather-long-name (deleted)"),
            (PathClass::InRoot, true)
        );
        assert_eq!(
            class(&site(), "/bin/other (deleted)"),
            (PathClass::Wrong, true)
        );
        assert_eq!(class(&site(), " (deleted)"), (PathClass::Wrong, false));
    }

    #[test]
    fn of_a_memfd_all_of_the_name_is_the_last_component() {
        let mut site = site();
        site.frames.exact = "/memfd:runc_cloned:/proc/self/exe".into();
        site.given = "/dev/fd/200".into();
        let cases = [
            (
                "/memfd:runc_cloned:/proc/self/exe (deleted)",
                PathClass::Exact,
            ),
            ("memfd:runc_clon", PathClass::Basename),
            ("memfd:runc_cloned:/proc/self/exe", PathClass::Basename),
            ("200", PathClass::Basename),
            ("exe", PathClass::Truncated),
        ];
        for (reported, expected) in cases {
            assert_eq!(class(&site, reported).0, expected, "{reported}");
        }
        site.frames.exact = "/memfd:a/bcdefghijklmn".into();
        assert_eq!(class(&site, "memfd:a/bcdefgh").0, PathClass::Basename);
    }

    #[test]
    fn a_file_may_really_be_named_so() {
        let mut site = site();
        site.frames.exact = "/x (deleted)".into();
        assert_eq!(class(&site, "/x (deleted)"), (PathClass::Exact, false));
        assert_eq!(
            class(&site, "/x (deleted) (deleted)"),
            (PathClass::Exact, true)
        );
        assert_eq!(class(&site, "/x"), (PathClass::Truncated, false));
        site.frames.exact = "/opt/x (deleted)".into();
        assert_eq!(class(&site, "t/x (deleted)"), (PathClass::Truncated, false));
    }

    #[test]
    fn the_process_s_other_files_are_stale() {
        let mut other = Site::default();
        other.frames.exact = "/bin/next".into();
        let site = site();
        let names = Names::new(&site);
        let path = Some(Bytes::from("/bin/next"));
        let alone = names.classify(path.as_ref(), iter::empty);
        let beside = names.classify(path.as_ref(), || iter::once(&other));
        assert_eq!(alone.class, PathClass::Wrong);
        assert_eq!(beside.class, PathClass::Stale);
    }
}
