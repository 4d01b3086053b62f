//! What the first bytes of an executed file say about the files that the kernel opens next for the same exec.
//!
//! Each event comes with the file, open for reading, so this is known even of a process that is gone. A
//! script names its interpreter (`fs/binfmt_script.c`), a dynamic ELF file the loader in `PT_INTERP`
//! (`load_elf_binary`). Nothing here panics on any input.

use std::os::fd::BorrowedFd;

use nix::sys::uio::pread;
use object::{
    Endianness,
    elf::{FileHeader32, FileHeader64},
    read::elf::{FileHeader, ProgramHeader},
};

/// So much is read at once: the program headers and `PT_INTERP` of what linkers make lie within.
const ENOUGH: usize = 1024;
/// The kernel reads so much of a script's first line (`BINPRM_BUF_SIZE`, 5.1 and later).
const FIRST_LINE: usize = 256;
/// The longest name of a loader that the kernel takes (`PATH_MAX`).
const LONGEST: u64 = 4096;

/// The path of the file that the kernel opens after this one for the same exec, if there is one.
pub fn opens_next(file: BorrowedFd<'_>) -> Option<Vec<u8>> {
    let mut head = [0; ENOUGH];
    let n = pread(file, &mut head, 0).ok()?;
    match next(head.get(..n)?)? {
        Next::Path(path) => Some(path),
        Next::At(offset, length) => {
            let mut path = vec![0; usize::try_from(length).ok()?];
            let n = pread(file, &mut path, i64::try_from(offset).ok()?).ok()?;
            path.truncate(n);
            Some(until_nul(&path).to_vec())
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Path(Vec<u8>),
    /// The path lies further back: offset and length.
    At(u64, u64),
}

pub fn next(head: &[u8]) -> Option<Next> {
    if let Some(line) = head.strip_prefix(b"#!") {
        return script(line).map(|path| Next::Path(path.to_vec()));
    }
    match head.get(..5)? {
        b"\x7fELF\x02" => loader::<FileHeader64<Endianness>>(head),
        b"\x7fELF\x01" => loader::<FileHeader32<Endianness>>(head),
        _ => None,
    }
}

/// The first word of the line behind `#!`.
fn script(line: &[u8]) -> Option<&[u8]> {
    let line = &line[..line.len().min(FIRST_LINE - 2)];
    let line = line.split(|&b| b == b'\n').next()?;
    let mut words = line.split(|b| matches!(b, b' ' | b'\t' | 0));
    words.find(|word| !word.is_empty())
}

fn loader<H: FileHeader<Endian = Endianness>>(head: &[u8]) -> Option<Next> {
    let header = H::parse(head).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, head).ok()?;
    let named = segments
        .iter()
        .find(|segment| segment.p_type(endian) == object::elf::PT_INTERP)?;
    let (offset, length) = named.file_range(endian);
    if length > LONGEST {
        return None;
    }
    let end = offset.checked_add(length)?;
    let here = usize::try_from(offset).ok()?..usize::try_from(end).ok()?;
    Some(match head.get(here) {
        Some(path) => Next::Path(until_nul(path).to_vec()),
        None => Next::At(offset, length),
    })
}

fn until_nul(path: &[u8]) -> &[u8] {
    path.split(|&b| b == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsFd};

    use proptest::prelude::*;

    use super::*;

    fn named(head: &[u8]) -> Option<String> {
        match next(head)? {
            Next::Path(path) => Some(String::from_utf8(path).unwrap()),
            Next::At(..) => None,
        }
    }

    #[test]
    fn a_script_names_its_interpreter() {
        assert_eq!(named(b"#!/bin/t64 one two\necho").unwrap(), "/bin/t64");
        assert_eq!(named(b"#! \t /bin/sh\n").unwrap(), "/bin/sh");
        assert_eq!(named(b"#!/bin/sh").unwrap(), "/bin/sh");
        assert_eq!(next(b"#!\n/bin/sh"), None);
        assert_eq!(next(b"echo"), None);
        assert_eq!(next(b""), None);
    }

    /// This test is a dynamic program, and the oracle is the crate that reads the whole file.
    #[test]
    fn a_dynamic_program_names_its_loader() {
        let own = std::env::current_exe().unwrap();
        let all = std::fs::read(&own).unwrap();
        let header = FileHeader64::<Endianness>::parse(all.as_slice()).unwrap();
        let endian = header.endian().unwrap();
        let segments = header.program_headers(endian, all.as_slice()).unwrap();
        let oracle = segments
            .iter()
            .find_map(|segment| segment.interpreter(endian, all.as_slice()).unwrap());
        let file = File::open(own).unwrap();
        assert_eq!(opens_next(file.as_fd()).as_deref(), oracle);
        assert!(oracle.is_some());
    }

    /// An ELF file with one program header, of which `offset` says where its name lies.
    fn elf(offset: u64, name: &[u8]) -> Vec<u8> {
        let mut raw = vec![0; 120];
        raw[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        raw[32..40].copy_from_slice(&64u64.to_le_bytes());
        raw[54..56].copy_from_slice(&56u16.to_le_bytes());
        raw[56..58].copy_from_slice(&1u16.to_le_bytes());
        raw[64..68].copy_from_slice(&3u32.to_le_bytes());
        raw[72..80].copy_from_slice(&offset.to_le_bytes());
        raw[96..104].copy_from_slice(&(name.len() as u64).to_le_bytes());
        let offset = usize::try_from(offset).unwrap();
        raw.resize(raw.len().max(offset + name.len()), 0);
        raw[offset..offset + name.len()].copy_from_slice(name);
        raw
    }

    #[test]
    fn a_loader_that_is_named_far_back_is_read_there() {
        assert_eq!(named(&elf(120, b"/lib/ld.so\0")).unwrap(), "/lib/ld.so");
        let far = elf(5000, b"/lib/ld.so\0");
        assert_eq!(next(&far[..ENOUGH]), Some(Next::At(5000, 11)));
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &far).unwrap();
        assert_eq!(opens_next(file.as_fd()).unwrap(), b"/lib/ld.so");
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            start in prop_oneof![
                Just(b"#!".to_vec()),
                Just(elf(120, b"/lib/ld.so\0")),
                Just(b"\x7fELF\x01\x01\x01".to_vec()),
                Just(Vec::new()),
            ],
            changes in proptest::collection::vec((0usize..130, any::<u8>()), 0..8),
            rest in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut raw = [start, rest].concat();
            for (at, byte) in changes {
                if let Some(place) = raw.get_mut(at) {
                    *place = byte;
                }
            }
            let _ = next(&raw);
        }
    }
}
