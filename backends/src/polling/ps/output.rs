//! What `ps` prints, line by line. Nothing here panics on any input.

use crate::procfs_lookup::{Depth, parse::decimal};

/// How wide the column of the executed file is, in bytes; a longer path is cut by `ps`. It fills columns up
/// with 144 blanks at most (`SPACE_AMOUNT`, src/ps/output.c), so wider ones would not be of one width.
pub const EXE: usize = 140;
/// The same of the cgroup.
pub const CGROUP: usize = 140;
/// `Mon Nov 23 04:42:48 2026`.
const BEGAN: usize = 24;
/// What `ps` prints where there is nothing.
const NOTHING: &[u8] = b"-";

/// What to ask `ps` for. Numbers come first, then columns of a fixed width, then the arguments, which
/// are as long as they are.
pub fn format(depth: Depth) -> String {
    let (namespaces, cgroup) = match depth {
        Depth::Full => ("mntns=,pidns=,", format!("cgroup:{CGROUP}=,")),
        _ => ("", String::new()),
    };
    format!("pid=,ppid=,ruid=,f=,s=,{namespaces}lstart=,exe:{EXE}=,{cgroup}args=")
}

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub pid: u32,
    pub ppid: u32,
    pub uid: u32,
    /// It has called no exec since its fork: bit 1 of the column `F` (`PF_FORKNOEXEC`).
    pub forked_only: bool,
    pub zombie: bool,
    pub mnt_ns: Option<u32>,
    pub pid_ns: Option<u32>,
    /// The second of the day in which it began.
    pub began: u32,
    /// `None` for a thread of the kernel, and for one that is ending.
    pub exe: Option<&'a [u8]>,
    /// In the unified hierarchy; `None` where it was cut.
    pub cgroup: Option<&'a [u8]>,
    /// Joined by blanks.
    pub args: &'a [u8],
}

impl<'a> Line<'a> {
    /// `None` for what is no line of this [`format`].
    pub fn parse(line: &'a [u8], depth: Depth) -> Option<Self> {
        let mut rest = line;
        let mut word = || {
            let start = rest.iter().position(|&b| b != b' ')?;
            let word = &rest[start..];
            let end = word.iter().position(|&b| b == b' ').unwrap_or(word.len());
            rest = &word[end..];
            Some(&word[..end])
        };
        let number = |text: &[u8]| decimal(text).and_then(|n| u32::try_from(n).ok());
        let pid = number(word()?)?;
        let ppid = number(word()?)?;
        let uid = number(word()?)?;
        let flags = number(word()?)?;
        let state = *word()?.first()?;
        let full = depth == Depth::Full;
        let mut namespace = || Some(if full { number(word()?) } else { None });
        let (mnt_ns, pid_ns) = (namespace()?, namespace()?);
        let mut column = |width: usize| {
            let column = rest.get(1..=width)?;
            rest = &rest[1 + width..];
            Some(column)
        };
        let began = second_of_day(column(BEGAN)?)?;
        let exe = column(EXE)?;
        let cgroup = if full { Some(column(CGROUP)?) } else { None };
        Some(Self {
            pid,
            ppid,
            uid,
            forked_only: flags & 1 != 0,
            zombie: state == b'Z',
            mnt_ns,
            pid_ns,
            began,
            exe: Some(trimmed(exe)).filter(|&exe| exe != NOTHING && !exe.is_empty()),
            cgroup: cgroup
                .filter(|column| column.ends_with(b" "))
                .and_then(|column| unified(trimmed(column))),
            args: rest.get(1..)?,
        })
    }

    /// What is known of its name where it has no arguments (any more): `ps` prints it in brackets.
    pub fn bracketed(&self) -> Option<&'a [u8]> {
        let name = self.args.strip_prefix(b"[")?;
        let name = name.strip_suffix(b" <defunct>").unwrap_or(name);
        name.strip_suffix(b"]")
    }

    /// Whether `ps` may have cut the path.
    pub fn exe_cut(&self) -> bool {
        self.exe.is_some_and(|exe| exe.len() == EXE)
    }
}

fn trimmed(column: &[u8]) -> &[u8] {
    column.trim_ascii_end()
}

/// `4:memory:/a,0::/b`: the path behind the empty controller.
fn unified(column: &[u8]) -> Option<&[u8]> {
    column
        .split(|&b| b == b',')
        .find_map(|one| one.strip_prefix(b"0::"))
}

/// Of `Mon Nov 23 04:42:48 2026`.
fn second_of_day(text: &[u8]) -> Option<u32> {
    let mut parts = text.get(11..19)?.split(|&b| b == b':');
    let mut part = || decimal(parts.next()?).and_then(|n| u32::try_from(n).ok());
    let (hour, minute, second) = (part()?, part()?, part()?);
    Some(hour * 3600 + minute * 60 + second)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn printed(line: &Line<'_>, depth: Depth) -> Vec<u8> {
        let number = |n: Option<u32>| n.map_or("-".to_owned(), |n| n.to_string());
        let mut out = String::new();
        let mut text = |text: std::fmt::Arguments<'_>| out.push_str(&text.to_string());
        text(format_args!(
            "{:>7} {:>7} {:>5} {} {}",
            line.pid,
            line.ppid,
            line.uid,
            u8::from(line.forked_only),
            if line.zombie { 'Z' } else { 'S' }
        ));
        if depth == Depth::Full {
            text(format_args!(
                " {:>10} {:>10}",
                number(line.mnt_ns),
                number(line.pid_ns)
            ));
        }
        let (hour, minute) = (line.began / 3600, line.began / 60 % 60);
        let second = line.began % 60;
        text(format_args!(
            " Mon Nov 23 {hour:02}:{minute:02}:{second:02} 2026 "
        ));
        let mut out = out.into_bytes();
        let mut column = |text: &[u8], width: usize| {
            let text = &text[..text.len().min(width)];
            out.extend_from_slice(text);
            out.extend(std::iter::repeat_n(b' ', width + 1 - text.len()));
        };
        column(line.exe.unwrap_or(NOTHING), EXE);
        if depth == Depth::Full {
            column(&[b"0::", line.cgroup.unwrap_or_default()].concat(), CGROUP);
        }
        out.extend_from_slice(line.args);
        out
    }

    #[test]
    fn a_zombie_has_a_name_and_no_file() {
        let line = Line {
            pid: 19_913,
            ppid: 19_911,
            uid: 0,
            forked_only: false,
            zombie: true,
            mnt_ns: None,
            pid_ns: None,
            began: 17_000,
            exe: None,
            cgroup: Some(b"/a"),
            args: b"[sl ee] p] <defunct>",
        };
        let raw = printed(&line, Depth::Full);
        let read = Line::parse(&raw, Depth::Full).unwrap();
        assert_eq!(read, line);
        assert_eq!(read.bracketed(), Some(&b"sl ee] p"[..]));
    }

    #[test]
    fn what_was_cut_is_known() {
        let long = [b'x'; EXE + 9];
        let line = Line {
            pid: 1,
            ppid: 0,
            uid: 0,
            forked_only: false,
            zombie: false,
            mnt_ns: Some(1),
            pid_ns: Some(2),
            began: 0,
            exe: Some(&long),
            cgroup: Some(&long),
            args: b"a  b ",
        };
        let raw = printed(&line, Depth::Full);
        let read = Line::parse(&raw, Depth::Full).unwrap();
        assert!(read.exe_cut());
        assert_eq!((read.exe, read.cgroup), (Some(&long[..EXE]), None));
        assert_eq!(read.args, b"a  b ");
        assert_eq!(read.bracketed(), None);
    }

    proptest! {
        #[test]
        fn lines_come_back(
            numbers: [u32; 3], flags: [bool; 2], namespaces: [Option<u32>; 2], began in 0u32..86_400,
            exe in proptest::option::of("/[ -~]{0,40}[!-~]"), cgroup in "/[!-+.-~]{0,40}", args in "[ -~]{0,60}",
            full: bool,
        ) {
            let line = Line {
                pid: numbers[0], ppid: numbers[1], uid: numbers[2],
                forked_only: flags[0], zombie: flags[1],
                mnt_ns: namespaces[0].filter(|_| full), pid_ns: namespaces[1].filter(|_| full),
                began,
                exe: exe.as_ref().map(String::as_bytes),
                cgroup: full.then_some(cgroup.as_bytes()),
                args: args.as_bytes(),
            };
            let depth = if full { Depth::Full } else { Depth::Path };
            let raw = printed(&line, depth);
            prop_assert_eq!(Line::parse(&raw, depth), Some(line));
        }

        #[test]
        fn garbage_never_panics(
            raw in proptest::collection::vec(any::<u8>(), 0..500), text in "[ 0-9:-]{0,500}", full: bool
        ) {
            let depth = if full { Depth::Full } else { Depth::Path };
            let _ = (Line::parse(&raw, depth), Line::parse(text.as_bytes(), depth));
        }
    }
}
