//! Reads `.deb` packages: an `ar` archive with a compressed `tar` of the files in it.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use super::compress::{self, Format};

/// A package that cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum DebError {
    /// Not a package, or a damaged one.
    #[error("the package {path} cannot be read: {source}")]
    Read {
        /// The package file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// No files in it.
    #[error("{path} is no Debian package: it has no member `data.tar`")]
    NoData {
        /// The package file.
        path: PathBuf,
    },
    /// The receiver of a file failed.
    #[error("{member} of the package {path} cannot be unpacked: {source}")]
    Member {
        /// The package file.
        path: PathBuf,
        /// The file in it.
        member: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// One thing in a package.
pub enum Member<'a> {
    /// A regular file with its permissions.
    File(u32, &'a mut dyn Read),
    /// A symbolic link to this path.
    Link(PathBuf),
}

/// Hands each regular file of a package to `visit`, with its path from the root (`boot/…`).
pub fn visit_files(
    deb: &Path,
    visit: &mut dyn FnMut(&Path, &mut dyn Read) -> io::Result<()>,
) -> Result<(), DebError> {
    self::visit(deb, &mut |path, member| match member {
        Member::File(_, contents) => visit(path, contents),
        Member::Link(_) => Ok(()),
    })
}

/// Hands each regular file and each symbolic link to `visit`, with its path from the root.
pub fn visit(
    deb: &Path,
    visit: &mut dyn FnMut(&Path, Member<'_>) -> io::Result<()>,
) -> Result<(), DebError> {
    let read_error = |source| DebError::Read {
        path: deb.to_owned(),
        source,
    };
    let file = File::open(deb).map_err(read_error)?;
    let mut members = ar::Archive::new(BufReader::new(file));
    while let Some(member) = members.next_entry() {
        let member = member.map_err(read_error)?;
        let name = String::from_utf8_lossy(member.header().identifier()).into_owned();
        let Some(suffix) = name.trim_end_matches('/').strip_prefix("data.tar") else {
            continue;
        };
        let data = match suffix.strip_prefix('.').map(Format::of_suffix) {
            None => Box::new(member) as Box<dyn Read + '_>,
            Some(Some(format)) => compress::reader(format, member).map_err(read_error)?,
            Some(None) => {
                let what = format!("its {name} is compressed in an unknown way");
                return Err(read_error(io::Error::new(io::ErrorKind::Unsupported, what)));
            }
        };
        return visit_tar(deb, data, visit);
    }
    Err(DebError::NoData {
        path: deb.to_owned(),
    })
}

fn visit_tar(
    deb: &Path,
    data: Box<dyn Read + '_>,
    visit: &mut dyn FnMut(&Path, Member<'_>) -> io::Result<()>,
) -> Result<(), DebError> {
    let read_error = |source| DebError::Read {
        path: deb.to_owned(),
        source,
    };
    let mut tar = tar::Archive::new(data);
    for entry in tar.entries().map_err(read_error)? {
        let mut entry = entry.map_err(read_error)?;
        let path = entry.path().map_err(read_error)?.into_owned();
        let Some(name) = plain(&path) else {
            continue;
        };
        let member = if entry.header().entry_type().is_file() {
            let mode = entry.header().mode().map_err(read_error)?;
            Member::File(mode & 0o7777, &mut entry)
        } else if let Some(to) = entry.link_name().map_err(read_error)?
            && entry.header().entry_type().is_symlink()
        {
            Member::Link(to.into_owned())
        } else {
            continue;
        };
        visit(&name, member).map_err(|source| DebError::Member {
            path: deb.to_owned(),
            member: name.clone(),
            source,
        })?;
    }
    // The stream's own checksum stands at its very end, behind what the tar reader looks at.
    io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(read_error)?;
    Ok(())
}

/// The path without `./`; `None` if it would lead elsewhere.
fn plain(path: &Path) -> Option<PathBuf> {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| match component {
            Component::Normal(name) => Some(name),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::compress::tests::{SUPPORTED, encode};
    use super::*;

    /// A package with these files; `suffix` says how it is compressed.
    pub(crate) fn deb(files: &[(&str, &[u8])], suffix: &str) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_cksum();
        tar.append_data(&mut header, "./", io::empty()).unwrap();
        for (path, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("./{path}"), *bytes)
                .unwrap();
        }
        let tar = tar.into_inner().unwrap();
        let data = match Format::of_suffix(suffix) {
            Some(format) => encode(format, &tar),
            None => tar,
        };
        let data_name = format!(
            "data.tar{}{suffix}",
            if suffix.is_empty() { "" } else { "." }
        );
        let mut out = ar::Builder::new(Vec::new());
        for (name, bytes) in [
            ("debian-binary", b"2.0\n".as_slice()),
            ("control.tar.xz", b"whatever"),
            (&data_name, &data),
        ] {
            let header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
            out.append(&header, bytes).unwrap();
        }
        out.into_inner().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<Vec<(PathBuf, Vec<u8>)>, DebError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("it.deb");
        std::fs::write(&path, bytes).unwrap();
        let mut found = Vec::new();
        visit_files(&path, &mut |member, reader| {
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes)?;
            found.push((member.to_owned(), bytes));
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn files_of_every_compression_are_read() {
        let files: [(&str, &[u8]); 2] = [
            ("boot/vmlinuz-1", b"image"),
            ("usr/lib/modules/1/a.ko", b"module"),
        ];
        for suffix in ["", "xz", "zst", "gz"] {
            let found = read(&deb(&files, suffix)).unwrap();
            let wanted: Vec<_> = files
                .iter()
                .map(|(path, bytes)| (PathBuf::from(path), bytes.to_vec()))
                .collect();
            assert_eq!(found, wanted, "{suffix}");
        }
        assert_eq!(SUPPORTED.len(), 5);
    }

    #[test]
    fn what_is_no_package_is_named() {
        let cases: [(Vec<u8>, &str); 4] = [
            (b"<html>".to_vec(), "cannot be read"),
            (b"!<arch>\n".to_vec(), "no member `data.tar`"),
            (deb(&[("a", b"b")], "gz")[..150].to_vec(), "cannot be read"),
            {
                let whole = deb(&[("a", &[7; 5000])], "xz");
                (whole[..whole.len() - 30].to_vec(), "cannot be read")
            },
        ];
        for (bytes, wanted) in cases {
            let error = read(&bytes).unwrap_err().to_string();
            assert!(error.contains("it.deb"), "{error}");
            assert!(error.contains(wanted), "{error}");
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_left_out() {
        assert_eq!(plain(Path::new("./a/b")), Some(PathBuf::from("a/b")));
        assert_eq!(plain(Path::new("a/../b")), None);
        assert_eq!(plain(Path::new("/etc/passwd")), None);
    }

    #[test]
    fn a_failing_receiver_is_named_with_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("it.deb");
        std::fs::write(&path, deb(&[("boot/x", b"y")], "xz")).unwrap();
        let error =
            visit_files(&path, &mut |_, _| Err(io::ErrorKind::StorageFull.into())).unwrap_err();
        assert!(error.to_string().contains("boot/x"), "{error}");
    }
}
