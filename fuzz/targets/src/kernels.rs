//! What is downloaded, cached or said by QEMU, and the archive of a guest's files.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Write as _},
    os::fd::OwnedFd,
    process::{ChildStdin, ChildStdout},
    time::{Duration, Instant},
};

use execlab_vm::{
    initramfs::Initramfs,
    kernels::fuzzing::{index, kernel_image, lock, module, package, payload, stream},
    qmp::Qmp,
};

use crate::file::AsFile;

/// One form, by the first byte. Gives whether its reader took the input.
pub fn run(input: &[u8]) -> bool {
    let Some((form, bytes)) = input.split_first() else {
        return false;
    };
    match form % 10 {
        0 => kernel_image(bytes),
        1 => payload(bytes),
        2 => stream(bytes),
        3 => package(AsFile::of(bytes).path()),
        4 => module(bytes),
        5 => text(bytes, lock),
        6 | 7 => text(bytes, index),
        8 => archive(bytes),
        _ => conversation(bytes),
    }
}

fn text(bytes: &[u8], check: fn(&str) -> bool) -> bool {
    str::from_utf8(bytes).is_ok_and(check)
}

/// Files come out of the archive as they were put in, each below a folder that stands before it.
fn archive(bytes: &[u8]) -> bool {
    let mut initramfs = Initramfs::default();
    let mut files = BTreeMap::new();
    for (number, contents) in bytes.split(|&byte| byte == 0xff).enumerate() {
        // Not below one another: what is a file is no folder.
        let path = format!(
            "{}/{number}",
            if contents.len().is_multiple_of(2) {
                "bin"
            } else {
                "a/b"
            }
        );
        initramfs.program(&path, contents.to_vec());
        files.insert(path, contents);
    }
    let archive = initramfs.to_bytes();
    let mut rest = archive.as_slice();
    let mut folders = Vec::new();
    loop {
        let (name, mode, contents, after) = entry(rest);
        rest = after;
        if name == "TRAILER!!!" {
            break;
        }
        if let Some((folder, _)) = name.rsplit_once('/') {
            assert!(folders.contains(&folder), "{name} before its folder");
        }
        if mode & 0o170_000 == 0o040_000 {
            folders.push(name);
        } else {
            assert_eq!(files.remove(name), Some(contents));
        }
    }
    assert!(files.is_empty() && rest.is_empty());
    true
}

/// Name, mode and contents of the first entry, and what follows it.
fn entry(archive: &[u8]) -> (&str, u32, &[u8], &[u8]) {
    const HEADER: usize = 110;
    let field = |at: usize| {
        let digits = str::from_utf8(&archive[6 + 8 * at..][..8]).expect("digits");
        u32::from_str_radix(digits, 16).expect("digits") as usize
    };
    assert!(archive.starts_with(b"070701"));
    let (mode, size, name_size) = (field(1), field(6), field(11));
    let name = &archive[HEADER..][..name_size - 1];
    let contents = (HEADER + name_size).next_multiple_of(4);
    (
        str::from_utf8(name).expect("it was text"),
        u32::try_from(mode).expect("eight digits"),
        &archive[contents..][..size],
        &archive[(contents + size).next_multiple_of(4)..],
    )
}

/// Whatever QEMU says: an answer, an event or an error, and the end where it ends.
fn conversation(bytes: &[u8]) -> bool {
    // More than a pipe takes would not come to an end.
    let bytes = &bytes[..bytes.len().min(32 << 10)];
    let talk = || -> io::Result<bool> {
        let (answers, mut said) = io::pipe()?;
        said.write_all(bytes)?;
        drop(said);
        let orders = File::options().write(true).open("/dev/null")?;
        let deadline = Instant::now() + Duration::from_mins(1);
        let (orders, answers) = (OwnedFd::from(orders), OwnedFd::from(answers));
        let Ok(mut qmp) = Qmp::greet(
            ChildStdin::from(orders),
            ChildStdout::from(answers),
            deadline,
        ) else {
            return Ok(false);
        };
        let _ = qmp.ask("query-status", &serde_json::json!({}), deadline);
        let mut names = 0;
        while qmp
            .event(deadline, |name, _| (!name.is_empty()).then_some(()))
            .is_ok()
        {
            names += 1;
        }
        assert!(names <= bytes.len());
        Ok(true)
    };
    talk().expect("pipes of this machine")
}
