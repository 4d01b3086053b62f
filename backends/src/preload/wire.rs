//! What the preloaded object sends: one datagram for each report (`preload/preload.h`; keep in step).

use execlab_model::{Bytes, sighting::Argv};

/// Begins each report.
const MAGIC: u32 = 0x5250_4c58;
/// Bytes before the texts.
const HEADER: usize = 44;
const CUT: u8 = 1;

/// What a report is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new image, by itself.
    Image,
    /// A call that is about to be made.
    Call,
    /// A child that was made with its program.
    Spawned,
}

/// A report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report<'a> {
    pub kind: Kind,
    /// Whether arguments were cut.
    pub cut: bool,
    /// In the process's own PID namespace, as the next two.
    pub pid: u32,
    pub ppid: u32,
    /// Of [`Kind::Spawned`].
    pub child: u32,
    /// Of an image its file; of a call where its path begins. Empty where it is not known.
    pub path: &'a [u8],
    /// As passed to the call.
    pub given: &'a [u8],
    /// The file `/proc/self/cgroup`.
    pub cgroup: &'a [u8],
    /// The links `/proc/self/ns/mnt` and `pid`.
    pub mnt_ns: &'a [u8],
    pub pid_ns: &'a [u8],
    argv: &'a [u8],
}

impl<'a> Report<'a> {
    /// `None` for what is no report: anybody can send anything to the socket.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let header: &[u8; HEADER] = raw.first_chunk()?;
        let word = |at: usize| {
            let bytes = header[at..at + 4].try_into().expect("four bytes");
            u32::from_le_bytes(bytes)
        };
        if word(0) != MAGIC {
            return None;
        }
        let kind = match header[4] {
            1 => Kind::Image,
            2 => Kind::Call,
            3 => Kind::Spawned,
            _ => return None,
        };
        let mut rest = &raw[HEADER..];
        let mut text = |at: usize| {
            let (text, behind) = rest.split_at_checked(usize::try_from(word(at)).ok()?)?;
            rest = behind;
            Some(text)
        };
        let report = Self {
            kind,
            cut: header[5] & CUT != 0,
            pid: word(8),
            ppid: word(12),
            child: word(16),
            path: text(20)?,
            given: text(24)?,
            cgroup: text(28)?,
            mnt_ns: text(32)?,
            pid_ns: text(36)?,
            argv: text(40)?,
        };
        rest.is_empty().then_some(report)
    }

    /// The arguments; `None` where the object could not find them.
    pub fn argv(&self) -> Option<Argv> {
        if self.argv.is_empty() {
            return None;
        }
        let list = self.argv.strip_suffix(b"\0").unwrap_or(self.argv);
        Some(Argv::List(
            list.split(|&b| b == 0).map(Bytes::from).collect(),
        ))
    }

    /// What an image and the call that made it have in common: of a script's arguments the interpreter changes the first
    /// ones.
    pub fn last_argument(&self) -> &'a [u8] {
        let list = self.argv.strip_suffix(b"\0").unwrap_or(self.argv);
        list.rsplit(|&b| b == 0).next().unwrap_or_default()
    }
}

/// As the object writes it.
#[cfg(any(test, feature = "fuzzing"))]
pub fn encode(report: &Report<'_>) -> Vec<u8> {
    let kind = match report.kind {
        Kind::Image => 1,
        Kind::Call => 2,
        Kind::Spawned => 3,
    };
    let texts = [
        report.path,
        report.given,
        report.cgroup,
        report.mnt_ns,
        report.pid_ns,
        report.argv,
    ];
    let mut out = MAGIC.to_le_bytes().to_vec();
    out.extend([kind, u8::from(report.cut), 0, 0]);
    for word in [report.pid, report.ppid, report.child] {
        out.extend(word.to_le_bytes());
    }
    for text in texts {
        out.extend(u32::try_from(text.len()).expect("short").to_le_bytes());
    }
    for text in texts {
        out.extend(text);
    }
    out
}

/// What holds for any bytes from the socket. Called by `fuzz/` alone: a report is written as it is read, and one with a byte less
/// or more is none. Gives whether it was one.
#[cfg(feature = "fuzzing")]
pub fn check(raw: &[u8]) -> bool {
    let Some(report) = Report::parse(raw) else {
        return false;
    };
    let mut written = encode(&report);
    assert_eq!(written[5], raw[5] & CUT);
    // What nobody reads.
    written[5] = raw[5];
    written[6..8].copy_from_slice(&raw[6..8]);
    assert_eq!(written, raw);
    assert_eq!(Report::parse(&raw[..raw.len() - 1]), None);
    assert_eq!(Report::parse(&[raw, b"x"].concat()), None);
    let last = report.last_argument();
    if let Some(Argv::List(list)) = report.argv() {
        assert_eq!(list.last().map(Bytes::as_slice), Some(last));
    }
    true
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// With arguments alone.
    pub fn plain(kind: Kind, argv: &[u8]) -> Report<'_> {
        Report {
            kind,
            cut: false,
            pid: 0,
            ppid: 0,
            child: 0,
            path: b"",
            given: b"",
            cgroup: b"",
            mnt_ns: b"",
            pid_ns: b"",
            argv,
        }
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(any::<u8>(), 0..40)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            kind in prop_oneof![Just(Kind::Image), Just(Kind::Call), Just(Kind::Spawned)],
            numbers in any::<[u32; 3]>(),
            cut in any::<bool>(),
            texts in prop::collection::vec(text(), 6),
        ) {
            let report = Report {
                kind,
                cut,
                pid: numbers[0],
                ppid: numbers[1],
                child: numbers[2],
                path: &texts[0],
                given: &texts[1],
                cgroup: &texts[2],
                mnt_ns: &texts[3],
                pid_ns: &texts[4],
                argv: &texts[5],
            };
            let raw = encode(&report);
            prop_assert_eq!(Report::parse(&raw), Some(report));
            for short in 0..raw.len() {
                prop_assert_eq!(Report::parse(&raw[..short]), None);
            }
        }

        #[test]
        fn garbage_is_refused_or_read(mut raw in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Report::parse(&raw);
            if let Some(magic) = raw.first_chunk_mut() {
                *magic = MAGIC.to_le_bytes();
            }
            if let Some(report) = Report::parse(&raw) {
                let _ = (report.argv(), report.last_argument());
            }
        }
    }

    #[test]
    fn arguments_have_their_ends() {
        let parts: Vec<u8> = [1, 0, 0, 0, 0, 0, 0, 0].into_iter().collect();
        assert_eq!(Report::parse(&parts), None);
        let report = plain(Kind::Image, b"a\0\0last\0");
        let list = ["a", "", "last"].map(Bytes::from).to_vec();
        assert_eq!(report.argv(), Some(Argv::List(list)));
        assert_eq!(report.last_argument(), b"last");
        let none = plain(Kind::Image, b"");
        assert_eq!((none.argv(), none.last_argument()), (None, &b""[..]));
    }
}
