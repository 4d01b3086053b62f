//! The files of `/proc/PID`, as bytes. Nothing here panics on any input.

use execlab_model::{Bytes, sighting::Argv};

/// Flags of the kernel's `task_struct`, field 9 of `stat` (include/linux/sched.h: the same values
/// from 2.6 to 7.x; a poller proves the one it rests on when it attaches).
const PF_EXITING: u32 = 0x4;
const PF_FORKNOEXEC: u32 = 0x40;
const PF_KTHREAD: u32 = 0x0020_0000;

/// What the layout of an image was given at its exec. A fork copies it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Image {
    /// Address above which program text can run.
    pub start_code: u64,
    /// Bottom of the stack.
    pub start_stack: u64,
    /// Where the arguments begin and end.
    pub arguments: (u64, u64),
}

/// What is needed of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat<'a> {
    /// The name of the process: anything up to 15 bytes, parentheses, spaces and newlines included.
    pub comm: &'a [u8],
    /// `R`, `S`, `Z` …
    pub state: u8,
    /// The parent's process id.
    pub ppid: u32,
    flags: u32,
    /// When the process was made, in ticks of `CLOCK_BOOTTIME`.
    pub start_ticks: u64,
    /// Zero for a process that has no memory (any more).
    pub image: Image,
}

impl<'a> Stat<'a> {
    /// `None` for what is no `stat` file.
    pub fn parse(raw: &'a [u8]) -> Option<Self> {
        let opening = raw.iter().position(|&b| b == b'(')?;
        // The name may hold anything; no later field holds a parenthesis.
        let closing = raw.iter().rposition(|&b| b == b')')?;
        let comm = raw.get(opening + 1..closing)?;
        let mut fields = raw
            .get(closing + 2..)?
            .split(|&b| b == b' ' || b == b'\n')
            .filter(|f| !f.is_empty());
        let state = *fields.next()?.first()?;
        // Fields are numbered as in proc(5); 4 is the next.
        let mut at = 4;
        let mut field = |number: usize| {
            let text = fields.nth(number - at)?;
            at = number + 1;
            decimal(text)
        };
        Some(Self {
            comm,
            state,
            ppid: field(4).and_then(|n| n.try_into().ok())?,
            flags: field(9).and_then(|n| n.try_into().ok())?,
            start_ticks: field(22)?,
            image: Image {
                start_code: field(26)?,
                start_stack: field(28)?,
                arguments: (field(48)?, field(49)?),
            },
        })
    }

    /// Whether it was forked and has not called exec since.
    pub fn forked_only(&self) -> bool {
        self.flags & PF_FORKNOEXEC != 0
    }

    /// Whether it runs in the kernel alone.
    pub fn kernel_thread(&self) -> bool {
        self.flags & PF_KTHREAD != 0
    }

    /// Whether it is in the middle of an exec: the old image is gone and the new one is not laid out
    /// yet. The end of the arguments is set late (`create_elf_tables`) and the begin of the text after
    /// it; until then there are no arguments to read.
    pub fn unfinished(&self) -> bool {
        !self.ended() && (self.image.arguments.1 == 0 || self.image.start_code == 0)
    }

    /// Whether it is on its way out or a zombie: no image is left.
    pub fn ended(&self) -> bool {
        self.flags & PF_EXITING != 0 || matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// What is needed of `/proc/PID/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Status {
    /// The process of the thread.
    pub tgid: Option<u32>,
    /// The parent's process id.
    pub ppid: Option<u32>,
    /// Real user id.
    pub uid: Option<u32>,
    /// Process id in the innermost namespace.
    pub ns_pid: Option<u32>,
}

impl Status {
    /// What is missing stays `None`.
    pub fn parse(raw: &[u8]) -> Self {
        let mut out = Self::default();
        // The name comes first and escapes newlines, so no line below it can be forged.
        for line in raw.split(|&b| b == b'\n') {
            if let Some(rest) = line.strip_prefix(b"Tgid:") {
                out.tgid = number_at(words(rest).next());
            } else if let Some(rest) = line.strip_prefix(b"PPid:") {
                out.ppid = number_at(words(rest).next());
            } else if let Some(rest) = line.strip_prefix(b"Uid:") {
                out.uid = number_at(words(rest).next());
            } else if let Some(rest) = line.strip_prefix(b"NSpid:") {
                out.ns_pid = number_at(words(rest).last());
                break;
            }
        }
        out
    }
}

/// The arguments in a `cmdline` file; `None` where it is empty.
pub fn cmdline(raw: &[u8]) -> Option<Argv> {
    if raw.is_empty() {
        return None;
    }
    let raw = raw.strip_suffix(b"\0").unwrap_or(raw);
    Some(Argv::List(
        raw.split(|&b| b == 0).map(Bytes::from).collect(),
    ))
}

/// The path in the unified hierarchy, from a `cgroup` file.
pub fn cgroup(raw: &[u8]) -> Option<&[u8]> {
    raw.split(|&b| b == b'\n')
        .find_map(|line| line.strip_prefix(b"0::"))
        .filter(|path| !path.is_empty())
}

/// The inode in `mnt:[4026531841]`.
pub fn namespace(link: &[u8]) -> Option<u32> {
    let opening = link.iter().position(|&b| b == b'[')?;
    let digits = link.get(opening + 1..)?.strip_suffix(b"]")?;
    number_at(Some(digits))
}

/// The id that was given last, from `loadavg`: its last word.
pub fn last_pid(raw: &[u8]) -> Option<u32> {
    number_at(words(raw).last())
}

fn words(raw: &[u8]) -> impl Iterator<Item = &[u8]> {
    raw.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty())
}

fn number_at(text: Option<&[u8]>) -> Option<u32> {
    text.and_then(decimal).and_then(|n| n.try_into().ok())
}

/// Digits only: no sign, no space, no overflow.
pub fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |n, &b| {
        let digit = b.wrapping_sub(b'0');
        (digit < 10).then_some(())?;
        n.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use procfs::{FromRead, process};
    use proptest::prelude::*;

    use super::*;

    fn line(comm: &[u8], flags: u32) -> Vec<u8> {
        let mut out = b"4242 (".to_vec();
        out.extend_from_slice(comm);
        out.extend_from_slice(
            format!(
                ") S 17 4242 4242 0 -1 {flags} 1 0 0 0 2 3 0 0 20 0 1 0 98765 1000 10 \
                 18446744073709551615 4194304 4194999 140737488351000 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 \
                 4210000 4211000 4300800 140737488352000 140737488352010 140737488352010 \
                 140737488352020 0\n"
            )
            .as_bytes(),
        );
        out
    }

    #[test]
    fn a_name_may_hold_anything() {
        for comm in [
            &b"sh"[..],
            b"",
            b"a) Z 1 (b",
            b") R 1 2 3",
            b"((()))",
            b" \n\t",
            b"\xff\xfe\x00",
        ] {
            let raw = line(comm, PF_FORKNOEXEC);
            let stat = Stat::parse(&raw).unwrap();
            assert_eq!(stat.comm, comm);
            assert_eq!((stat.state, stat.ppid, stat.start_ticks), (b'S', 17, 98765));
            assert!(stat.forked_only() && !stat.ended() && !stat.kernel_thread());
            assert_eq!(
                stat.image,
                Image {
                    start_code: 4_194_304,
                    start_stack: 140_737_488_351_000,
                    arguments: (140_737_488_352_000, 140_737_488_352_010),
                }
            );
        }
    }

    #[test]
    fn live_stat_files_read_as_the_crate_procfs_reads_them() {
        let mut compared = 0;
        for oracle in process::all_processes().unwrap().flatten() {
            let Ok(raw) = std::fs::read(format!("/proc/{}/stat", oracle.pid())) else {
                continue;
            };
            let theirs = process::Stat::from_read(&raw[..]).unwrap();
            let ours = Stat::parse(&raw).unwrap();
            assert_eq!(ours.ppid.cast_signed(), theirs.ppid);
            assert_eq!(ours.start_ticks, theirs.starttime);
            assert_eq!(ours.flags, theirs.flags);
            assert_eq!(ours.image.start_stack, theirs.startstack);
            assert_eq!(Some(ours.image.arguments.0), theirs.arg_start);
            compared += 1;
        }
        assert!(compared > 0);
    }

    #[test]
    fn a_forged_name_does_not_forge_a_status() {
        let raw =
            b"Name:\ta\\nUid:\t7\nState:\tS\nTgid:\t4\nPid:\t5\nPPid:\t3\nUid:\t1000\t0\t0\t0\nNSpid:\t500\t12\t1\nx";
        let expected = Status {
            tgid: Some(4),
            ppid: Some(3),
            uid: Some(1000),
            ns_pid: Some(1),
        };
        assert_eq!(Status::parse(raw), expected);
    }

    #[test]
    fn small_files() {
        let list = |args: &[&str]| Argv::List(args.iter().map(|a| Bytes::from(*a)).collect());
        assert_eq!(cmdline(b"a\0\0b\0"), Some(list(&["a", "", "b"])));
        assert_eq!(cmdline(b"\0"), Some(list(&[""])));
        assert_eq!(cmdline(b""), None);
        let raw = b"12:cpu:/x\n1:name=systemd:/0::/y\n0::/a.slice/b \xff\n";
        assert_eq!(cgroup(raw), Some(&b"/a.slice/b \xff"[..]));
        assert_eq!(cgroup(b"1:cpu:/\n"), None);
        assert_eq!(namespace(b"mnt:[4026531841]"), Some(4_026_531_841));
        assert_eq!(namespace(b"mnt:[4026531841"), None);
        assert_eq!(last_pid(b"0.00 0.01 0.05 1/80 12345\n"), Some(12345));
        assert_eq!(last_pid(b""), None);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(raw in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = (Stat::parse(&raw), Status::parse(&raw), cmdline(&raw), cgroup(&raw));
            let _ = (namespace(&raw), last_pid(&raw), decimal(&raw));
        }

        #[test]
        fn a_cut_or_damaged_stat_never_panics(
            comm in proptest::collection::vec(any::<u8>(), 0..16),
            cut in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut raw = line(&comm, 0);
            let cut = cut.index(raw.len());
            let _ = Stat::parse(&raw[..cut]);
            let at = at.index(raw.len());
            raw[at] = byte;
            let _ = Stat::parse(&raw);
        }

        #[test]
        fn arguments_come_back_as_they_were(
            args in proptest::collection::vec(proptest::collection::vec(1u8.., 0..20), 1..8)
        ) {
            let raw: Vec<u8> = args.iter().flat_map(|a| a.iter().copied().chain([0])).collect();
            let expected = args.into_iter().map(Bytes::from).collect();
            prop_assert_eq!(cmdline(&raw), Some(Argv::List(expected)));
        }
    }
}
