//! The guest's files as a `cpio` archive in the `newc` format (Documentation/driver-api/early-userspace/
//! buffer-format.rst), written so that equal contents give equal bytes: entries sorted, times and
//! owners zero, inode numbers counted. Not compressed: unpacking would be guest instructions.

use std::collections::BTreeMap;

const DIRECTORY: u32 = 0o40_755;
const FILE: u32 = 0o100_644;
const PROGRAM: u32 = 0o100_755;

/// The files of a guest. Folders come of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Initramfs {
    entries: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Initramfs {
    /// Adds a program at a path without a leading slash.
    pub fn program(&mut self, path: &str, contents: Vec<u8>) {
        self.add(path, PROGRAM, contents);
    }

    /// Adds a file at a path without a leading slash.
    pub fn file(&mut self, path: &str, contents: Vec<u8>) {
        self.add(path, FILE, contents);
    }

    /// Adds an empty folder.
    pub fn folder(&mut self, path: &str) {
        self.add(path, DIRECTORY, Vec::new());
    }

    fn add(&mut self, path: &str, mode: u32, contents: Vec<u8>) {
        for (at, _) in path.match_indices('/') {
            self.entries
                .entry(path[..at].to_owned())
                .or_insert((DIRECTORY, Vec::new()));
        }
        self.entries.insert(path.to_owned(), (mode, contents));
    }

    /// The archive. A folder sorts before what it holds, as the kernel needs it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (number, (path, (mode, contents))) in (1..).zip(&self.entries) {
            write_entry(&mut out, number, path, *mode, contents);
        }
        write_entry(&mut out, 0, "TRAILER!!!", 0, &[]);
        out
    }
}

fn write_entry(out: &mut Vec<u8>, inode: u32, path: &str, mode: u32, contents: &[u8]) {
    let size = u32::try_from(contents.len()).expect("guest files are far below 4 GiB");
    let name_size = u32::try_from(path.len() + 1).expect("guest paths are short");
    let (owner, time, device, checksum) = (0, 0, 0, 0);
    let fields = [
        inode, mode, owner, owner, 1, time, size, device, device, device, device, name_size,
        checksum,
    ];
    out.extend_from_slice(b"070701");
    for field in fields {
        out.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    out.extend_from_slice(path.as_bytes());
    out.push(0);
    pad(out);
    out.extend_from_slice(contents);
    pad(out);
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(order: [usize; 2]) -> Initramfs {
        let mut files = Initramfs::default();
        for at in order {
            files.program(["init", "bin/a"][at], vec![b"ab"[at]; 5]);
        }
        files
    }

    #[test]
    fn equal_contents_give_equal_bytes() {
        assert_eq!(sample([0, 1]).to_bytes(), sample([1, 0]).to_bytes());
    }

    #[test]
    fn folders_come_first_and_all_is_aligned() {
        let bytes = sample([0, 1]).to_bytes();
        let at = |name: &str| {
            bytes
                .windows(name.len())
                .position(|w| w == name.as_bytes())
                .unwrap()
        };
        assert!(at("bin\0") < at("bin/a\0") && at("bin/a\0") < at("TRAILER!!!\0"));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn cpio_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let archive = dir.path().join("archive");
        std::fs::write(&archive, sample([0, 1]).to_bytes()).unwrap();
        let listed = std::process::Command::new("cpio")
            .arg("-it")
            .stdin(std::fs::File::open(&archive).unwrap())
            .output();
        let Ok(listed) = listed else {
            eprintln!("skipped: no cpio on this machine");
            return;
        };
        assert_eq!(
            String::from_utf8_lossy(&listed.stdout),
            "bin\nbin/a\ninit\n"
        );
    }
}
