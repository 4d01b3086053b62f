//! Arguments, compared without building the expected list.

use std::borrow::Cow;

use execlab_model::{
    Bytes,
    sighting::{Argv, Sighting},
    truth::{Exec, Site},
};

/// How arguments were reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArgvClass {
    /// Every argument, byte for byte.
    Exact,
    /// Each reported argument is the beginning of the one in its place, and something is missing:
    /// arguments at the end, or bytes at the end of an argument.
    Truncated,
    /// All bytes, with the boundaries lost.
    Joined,
    /// Others.
    Wrong,
    /// None in the sighting; an empty list or string says nothing either.
    Absent,
}

/// The class of a sighting's arguments.
pub fn argv(sighting: &Sighting, exec: &Exec, site: &Site) -> ArgvClass {
    let expected = Expected { exec, site };
    match &sighting.argv {
        None => ArgvClass::Absent,
        Some(Argv::List(list)) if list.is_empty() && !site.argv.is_empty() => ArgvClass::Absent,
        Some(Argv::Joined(words)) if words.is_empty() => ArgvClass::Absent,
        Some(Argv::List(list)) => match (expected.list(list), list.as_slice()) {
            // A list of one may be a joined string as well.
            (ArgvClass::Wrong, [only]) => expected.joined(only.as_slice()),
            (class, _) => class,
        },
        Some(Argv::Joined(words)) => expected.joined(words.as_slice()),
    }
}

struct Expected<'a> {
    exec: &'a Exec,
    site: &'a Site,
}

impl Expected<'_> {
    fn arguments(&self) -> impl ExactSizeIterator<Item = Cow<'_, [u8]>> {
        self.site
            .argv
            .iter()
            .map(|argument| self.exec.fill(argument))
    }

    fn list(&self, list: &[Bytes]) -> ArgvClass {
        if list.len() > self.site.argv.len() {
            return ArgvClass::Wrong;
        }
        let mut whole = list.len() == self.site.argv.len();
        for (reported, expected) in list.iter().zip(self.arguments()) {
            if !expected.starts_with(reported.as_slice()) {
                return ArgvClass::Wrong;
            }
            whole &= reported.as_slice().len() == expected.len();
        }
        if whole {
            ArgvClass::Exact
        } else {
            ArgvClass::Truncated
        }
    }

    /// All arguments in one string: between two of them one space or NUL, and one may end it.
    fn joined(&self, mut words: &[u8]) -> ArgvClass {
        let mut separated = true;
        for expected in self.arguments() {
            if !separated {
                match words.split_first() {
                    Some((b' ' | 0, rest)) => words = rest,
                    Some(_) => return ArgvClass::Wrong,
                    None => return ArgvClass::Truncated,
                }
            }
            match words.strip_prefix(&*expected) {
                Some(rest) => words = rest,
                None if expected.starts_with(words) => return ArgvClass::Truncated,
                None => return ArgvClass::Wrong,
            }
            separated = false;
        }
        match words {
            b"" | b" " | b"\0" => ArgvClass::Joined,
            _ => ArgvClass::Wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::truth::{ID_ARGUMENT, LIFETIME_ARGUMENT, Outcome};

    use super::*;

    fn class(argv: Argv) -> ArgvClass {
        let site = Site {
            argv: vec!["./t".into(), ID_ARGUMENT.into(), LIFETIME_ARGUMENT.into()],
            ..Site::default()
        };
        let exec = Exec {
            id: 0x1f,
            site: 0,
            pid: 1,
            ns_pid: 1,
            parent: 0,
            uid: 0,
            lifetime_ns: 250,
            spawned_ns: 0,
            started_ns: 1,
            ended_ns: 2,
            outcome: Outcome::Unknown,
        };
        let sighting = Sighting {
            argv: Some(argv),
            ..Sighting::default()
        };
        super::argv(&sighting, &exec, &site)
    }

    fn list(arguments: &[&str]) -> ArgvClass {
        class(Argv::List(arguments.iter().map(|&a| a.into()).collect()))
    }

    fn joined(words: &str) -> ArgvClass {
        class(Argv::Joined(words.into()))
    }

    #[test]
    fn lists() {
        assert_eq!(list(&["./t", "x0000001f", "250"]), ArgvClass::Exact);
        assert_eq!(list(&["./t", "x0000001f"]), ArgvClass::Truncated);
        assert_eq!(list(&["./t", "x000"]), ArgvClass::Truncated);
        assert_eq!(list(&["./t", "x000", "250"]), ArgvClass::Truncated);
        assert_eq!(list(&["./t x0000001f 250"]), ArgvClass::Joined);
        assert_eq!(list(&["./t", "x0000001f", "251"]), ArgvClass::Wrong);
        assert_eq!(list(&["./t", "x0000001f", "250", ""]), ArgvClass::Wrong);
        assert_eq!(list(&["x0000001f", "250"]), ArgvClass::Wrong);
        assert_eq!(list(&[]), ArgvClass::Absent);
    }

    #[test]
    fn joined_strings() {
        assert_eq!(joined("./t x0000001f 250"), ArgvClass::Joined);
        assert_eq!(joined("./t\0x0000001f\x00250\0"), ArgvClass::Joined);
        assert_eq!(joined("./t x0000001f 2"), ArgvClass::Truncated);
        assert_eq!(joined("./t x0000001f "), ArgvClass::Truncated);
        assert_eq!(joined("./t"), ArgvClass::Truncated);
        assert_eq!(joined("./t x0000001f 2500"), ArgvClass::Wrong);
        assert_eq!(joined("./t_x0000001f 250"), ArgvClass::Wrong);
        assert_eq!(joined(""), ArgvClass::Absent);
    }
}
