//! `/proc/PID/mountinfo` (proc(5)), as bytes. Nothing here panics on any input.

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount<'a> {
    /// Device of the filesystem, as text: `0:21`.
    pub device: &'a [u8],
    /// Where it is mounted, from the root of the process; the kernel's escapes are taken out.
    pub point: Vec<u8>,
    /// Type of the filesystem.
    pub kind: &'a [u8],
}

/// The mounts in a text; lines that are none are left out.
pub fn mounts(text: &[u8]) -> impl Iterator<Item = Mount<'_>> {
    text.split(|&b| b == b'\n').filter_map(mount)
}

fn mount(line: &[u8]) -> Option<Mount<'_>> {
    let mut fields = line.split(|&b| b == b' ');
    let device = fields.nth(2)?;
    let point = unescaped(fields.nth(1)?);
    // Optional fields end with a hyphen.
    fields.find(|field| *field == b"-")?;
    Some(Mount {
        device,
        point,
        kind: fields.next()?,
    })
}

/// Space, tab, newline and backslash are written as a backslash and three octal digits (`mangle_path`,
/// `fs/seq_file.c`).
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let code = tail.first_chunk::<3>().filter(|_| *first == b'\\');
        if let Some(byte) = code.and_then(|code| octal(*code)) {
            out.push(byte);
            rest = &tail[3..];
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    out
}

fn octal(digits: [u8; 3]) -> Option<u8> {
    let text = std::str::from_utf8(&digits).ok()?;
    u8::from_str_radix(text, 8).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mounts_of_this_machine_are_those_that_the_crate_procfs_finds() {
        let text = std::fs::read("/proc/self/mountinfo").unwrap();
        let found: Vec<_> = mounts(&text).collect();
        let oracle = procfs::process::Process::myself().unwrap().mountinfo();
        let oracle = oracle.unwrap().0;
        assert_eq!(found.len(), oracle.len());
        for (mount, expected) in found.iter().zip(&oracle) {
            assert_eq!(mount.device, expected.majmin.as_bytes());
            assert_eq!(mount.kind, expected.fs_type.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn odd_folders_come_back(point in proptest::collection::vec(1u8.., 1..20)) {
            let escaped: Vec<u8> = point.iter().flat_map(|&b| match b {
                b' ' | b'\t' | b'\n' | b'\\' => format!("\\{b:03o}").into_bytes(),
                b => vec![b],
            }).collect();
            let line = [b"36 35 98:0 /mnt1 ", escaped.as_slice(), b" rw,noatime master:1 - ext3 /dev/root rw\n"].concat();
            let got: Vec<_> = mounts(&line).collect();
            let expected = Mount { device: b"98:0", point, kind: b"ext3" };
            prop_assert_eq!(got, [expected]);
        }

        #[test]
        fn garbage_never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = mounts(&text).count();
        }
    }
}
