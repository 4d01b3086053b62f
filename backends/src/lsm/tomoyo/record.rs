//! One record of TOMOYO's log (`tomoyo_init_log`, `security/tomoyo/audit.c`): three lines.
//!
//! ```text
//! #2026/11/23 04:44:05# profile=0 mode=learning granted=no (global-pid=158) task={ pid=158 ppid=155 uid=0 … }
//!   path1={ uid=0 gid=0 ino=14 major=0 minor=2 … } path1.parent={ … } exec={ realpath="/bin/x" argc=2 envc=5
//!   argv[]={ "x" "a\040b" } envp[]={ … } }            (the first line, which is broken here)
//! <kernel>
//! file execute /bin/x
//! ```
//!
//! Strings that a process chose stand behind `realpath=` only. In them everything that is no printable ASCII, and space, is
//! written as three octal digits, and a backslash as two; so a space always ends one. A quote is written as it is.

use execlab_model::Bytes;

/// What a record says of an exec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When, in whole seconds of `CLOCK_REALTIME`.
    pub seconds: u64,
    /// Whether the policy grants it; what it does not is counted as a violation.
    pub granted: bool,
    /// The thread that calls, in the initial namespace.
    pub tid: u32,
    /// Its process and its parent's, in its own namespace.
    pub inner_pid: u32,
    pub inner_ppid: Option<u32>,
    pub uid: Option<u32>,
    /// Device and inode of the file.
    pub file: Option<(u64, u64)>,
    pub path: Option<Bytes>,
    pub argv: Vec<Bytes>,
    /// Whether these are all arguments.
    pub whole: bool,
}

/// What a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// An exec.
    Exec(Box<Record>),
    /// Something else, such as a quota that is used up.
    Other,
    /// It could not be read.
    Malformed,
}

/// Reads a record, without the zero behind it.
pub fn read(text: &[u8]) -> Told {
    let mut lines = text.split(|&byte| byte == b'\n');
    let (Some(header), Some(_domain), Some(request)) = (lines.next(), lines.next(), lines.next())
    else {
        return Told::Malformed;
    };
    if !request.starts_with(b"file execute ") {
        return Told::Other;
    }
    exec(header).map_or(Told::Malformed, |record| Told::Exec(Box::new(record)))
}

fn exec(header: &[u8]) -> Option<Record> {
    let rest = header.strip_prefix(b"#")?;
    let (date, rest) = split(rest, b"# ")?;
    // All that stands before the file's name is the kernel's own.
    let (own, file) = split(rest, b" exec={ realpath=\"").unwrap_or((rest, b""));
    let task = group(own, b" task={ ")?;
    let file_of = group(own, b" path1={ ");
    let device = file_of.and_then(|of| {
        let number = |name| number::<u32>(of, name);
        Some(libc::makedev(number(b"major")?, number(b"minor")?))
    });
    let (path, rest) = split(file, b"\" argc=").unwrap_or((b"", b""));
    let argc = rest.split(|&byte| byte == b' ').next().and_then(decimal);
    let argv = group(rest, b" argv[]={ ").unwrap_or_default();
    let argv: Vec<Bytes> = argv
        .split(|&byte| byte == b' ')
        .filter_map(|word| word.strip_prefix(b"\"")?.strip_suffix(b"\""))
        .map(|word| Bytes(unescape(word)))
        .collect();
    let global = own
        .strip_prefix(b"profile=")
        .and_then(|own| split(own, b"(global-pid="))?;
    Some(Record {
        seconds: seconds(date)?,
        granted: split(global.0, b" granted=yes").is_some(),
        tid: decimal(global.1.split(|&byte| byte == b')').next()?)?,
        inner_pid: number(task, b"pid")?,
        inner_ppid: number(task, b"ppid"),
        uid: number(task, b"uid"),
        file: device.zip(file_of.and_then(|of| number(of, b"ino"))),
        path: (!path.is_empty()).then(|| Bytes(unescape(path))),
        whole: argc == u64::try_from(argv.len()).ok(),
        argv,
    })
}

/// What stands before and after the first place where `mark` stands.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = text.windows(mark.len()).position(|window| window == mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

/// What stands between `mark` and the next closing brace that stands alone.
fn group<'a>(text: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let (_, inside) = split(text, mark)?;
    if inside.starts_with(b"}") {
        return Some(b"");
    }
    split(inside, b" }").map(|(inside, _)| inside)
}

/// The number of a field in a group.
fn number<T: TryFrom<u64>>(group: &[u8], name: &[u8]) -> Option<T> {
    group.split(|&byte| byte == b' ').find_map(|field| {
        let digits = field.strip_prefix(name)?.strip_prefix(b"=")?;
        decimal(digits)
    })
}

fn decimal<T: TryFrom<u64>>(digits: &[u8]) -> Option<T> {
    let digits = str::from_utf8(digits).ok()?;
    digits.parse::<u64>().ok()?.try_into().ok()
}

/// The bytes of a string that the kernel escaped.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, behind)) = rest.split_first() {
        let octal = |digit: u8| matches!(digit, b'0'..=b'7').then(|| digit - b'0');
        let (byte, length) = match *behind {
            [b'\\', ..] if first == b'\\' => (b'\\', 1),
            [a, b, c, ..] if first == b'\\' => match (octal(a), octal(b), octal(c)) {
                (Some(a @ 0..=3), Some(b), Some(c)) => (a << 6 | b << 3 | c, 3),
                _ => (first, 0),
            },
            _ => (first, 0),
        };
        bytes.push(byte);
        rest = &behind[length..];
    }
    bytes
}

/// Seconds since 1970 of a time as the kernel writes it: `2026/11/23 04:44:05`, of no time zone.
fn seconds(date: &[u8]) -> Option<u64> {
    let numbers: Option<Vec<u64>> = date
        .split(|byte| b"/ :".contains(byte))
        .map(decimal)
        .collect();
    let numbers = numbers?;
    let &[year, month @ 1..=12, day @ 1..=31, hour, minute, second] = &numbers[..] else {
        return None;
    };
    // The year begins with March here, so that the day that some years have more is its last.
    let year = year
        .checked_sub(u64::from(month <= 2))
        .filter(|year| (1969..10_000).contains(year))?;
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    // From the first of March of the year 0 to 1970.
    let days = days.checked_sub(719_468)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

/// What holds for any record. Called by `fuzz/` alone: strings are no longer than they are written, and what the kernel escapes is
/// read as it was. Gives whether it is an exec.
#[cfg(feature = "fuzzing")]
pub fn check(text: &[u8]) -> bool {
    assert_eq!(unescape(super::policy::escape(text).as_bytes()), text);
    assert!(unescape(text).len() <= text.len());
    let Told::Exec(record) = read(text) else {
        return false;
    };
    let strings = record.argv.iter().chain(&record.path);
    let told: usize = strings.map(|string| string.as_slice().len()).sum();
    assert!(told <= text.len());
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::policy::escape, *};

    /// From 6.12.
    const RECORD: &str = r#"#2026/11/23 04:44:05# profile=0 mode=learning granted=no (global-pid=158) task={ pid=158 ppid=155 uid=7 gid=0 euid=0 egid=0 suid=0 sgid=0 fsuid=0 fsgid=0 } path1={ uid=0 gid=0 ino=14 major=0 minor=2 perm=0755 type=file } path1.parent={ uid=0 gid=0 ino=13 perm=0755 } exec={ realpath="/tmp/scr\040ipt" argc=4 envc=5 argv[]={ "busybox" "true" "a\040b" "c" } envp[]={ "SHLVL=2" "HOME=/" } }
<kernel>
file execute proc:/self/exe
"#;

    fn told(text: &str) -> Record {
        match read(text.as_bytes()) {
            Told::Exec(record) => *record,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_record_of_a_real_kernel() {
        let expected = Record {
            seconds: 1_795_409_045,
            granted: false,
            tid: 158,
            inner_pid: 158,
            inner_ppid: Some(155),
            uid: Some(7),
            file: Some((libc::makedev(0, 2), 14)),
            path: Some("/tmp/scr ipt".into()),
            argv: ["busybox", "true", "a b", "c"].map(Into::into).to_vec(),
            whole: true,
        };
        assert_eq!(told(RECORD), expected);
        assert!(told(&RECORD.replace("granted=no", "granted=yes")).granted);
    }

    #[test]
    fn arguments_that_were_cut_are_known_to_be() {
        let cut = RECORD.replace("\"a\\040b\" \"c\" }", "... }");
        let record = told(&cut);
        assert_eq!((record.argv.len(), record.whole), (2, false));
        let none = RECORD.replace("{ \"busybox\" \"true\" \"a\\040b\" \"c\" }", "{ ... }");
        assert!(!told(&none).whole);
    }

    #[test]
    fn what_is_no_exec_is_told_apart_from_what_cannot_be_read() {
        let quota = RECORD.replace("file execute proc:/self/exe", "quota_exceeded");
        assert_eq!(read(quota.as_bytes()), Told::Other);
        assert_eq!(read(b"#2026"), Told::Malformed);
        let odd = RECORD.replace("04:44:05", "04:44");
        assert_eq!(read(odd.as_bytes()), Told::Malformed);
    }

    #[test]
    fn dates_are_days_since_1970() {
        for (date, expected) in [
            ("1970/01/01 00:00:00", Some(0)),
            ("2000/02/29 23:59:59", Some(951_868_799)),
            ("2000/03/01 00:00:00", Some(951_868_800)),
            ("2100/12/31 00:00:00", Some(4_133_894_400)),
            ("1969/12/31 00:00:00", None),
            ("2000/13/01 00:00:00", None),
        ] {
            assert_eq!(seconds(date.as_bytes()), expected, "{date}");
        }
    }

    proptest! {
        #[test]
        fn hostile_strings_come_through(
            path in proptest::collection::vec(1u8.., 0..40),
            argv in proptest::collection::vec(proptest::collection::vec(1u8.., 0..20), 1..6),
        ) {
            let path = [b"/", &path[..]].concat();
            let words: Vec<String> = argv.iter().map(|a| format!("\"{}\"", escape(a))).collect();
            let text = RECORD
                .replace("/tmp/scr\\040ipt", &escape(&path))
                .replace("argc=4", &format!("argc={}", argv.len()))
                .replace("\"busybox\" \"true\" \"a\\040b\" \"c\"", &words.join(" "));
            let record = told(&text);
            prop_assert_eq!(record.path.unwrap().0, path);
            let got: Vec<_> = record.argv.into_iter().map(|a| a.0).collect();
            prop_assert_eq!(got, argv);
            prop_assert!(record.whole);
        }

        #[test]
        fn garbage_is_never_a_panic(text in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&text);
            let _ = unescape(&text);
            let _ = seconds(&text);
        }
    }
}
