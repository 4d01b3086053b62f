//! `/etc/ld.so.preload`: objects that glibc's loader brings into each program, separated by white space or colons
//! (`do_preload` and what calls it, elf/rtld.c). Other lines than ours stay as they are.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The list, and what was there before us.
#[derive(Debug)]
pub struct Entry {
    list: PathBuf,
    object: PathBuf,
    /// `None` where there was no list.
    before: Option<Vec<u8>>,
    /// Whether there was no folder for it.
    folder_made: bool,
}

/// A list's content; `None` where there is none.
pub fn read(list: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(list) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces the list at once: at no time is half of it there.
pub fn write(list: &Path, content: &[u8]) -> io::Result<()> {
    let new = list.with_extension("preload.execlab");
    fs::write(&new, content)?;
    let mode = fs::metadata(list).map_or(0o644, |file| file.permissions().mode());
    fs::set_permissions(&new, fs::Permissions::from_mode(mode))?;
    fs::rename(new, list)
}

/// The list with a line more.
fn with(content: &[u8], object: &[u8]) -> Vec<u8> {
    let mut all = content.to_vec();
    if !all.is_empty() && !all.ends_with(b"\n") {
        all.push(b'\n');
    }
    [all.as_slice(), object, b"\n"].concat()
}

/// The list without the lines of which `ours` says so.
pub fn without(content: &[u8], ours: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let lines = content.split_inclusive(|&b| b == b'\n');
    let kept = lines.filter(|line| !ours(line.strip_suffix(b"\n").unwrap_or(line)));
    kept.flatten().copied().collect()
}

impl Entry {
    /// Adds an object.
    pub fn add(list: &Path, object: &Path) -> io::Result<Self> {
        let before = read(list)?;
        let folder = list.parent().unwrap_or(Path::new("/"));
        let folder_made = !folder.exists();
        if folder_made {
            fs::create_dir(folder)?;
        }
        let entry = Self {
            list: list.to_owned(),
            object: object.to_owned(),
            before,
            folder_made,
        };
        let content = entry.before.as_deref().unwrap_or_default();
        write(list, &with(content, object.as_os_str().as_bytes()))?;
        Ok(entry)
    }
}

impl Drop for Entry {
    /// What others wrote meanwhile stays.
    fn drop(&mut self) {
        let Ok(Some(now)) = read(&self.list) else {
            return;
        };
        let object = self.object.as_os_str().as_bytes();
        let left = without(&now, |line| line == object);
        let before = self.before.as_deref();
        // Nobody is left to be told where this fails; the note of the remains tells whoever supervises.
        let _ = if left.is_empty() && before.is_none() {
            fs::remove_file(&self.list)
        } else if before.is_some_and(|b| with(b, object) == now) {
            // Byte by byte: it may have had no end of its last line.
            write(&self.list, before.unwrap_or_default())
        } else {
            write(&self.list, &left)
        };
        if self.folder_made {
            // Only where it is empty.
            let _ = self.list.parent().map(fs::remove_dir);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let object = Path::new("/x/ours.so");
        for before in [
            None,
            Some(""),
            Some("/a.so /b.so"),
            Some("/a.so\n# c\n\n/b.so\n"),
        ] {
            let list = dir.path().join("etc/ld.so.preload");
            if let Some(before) = before {
                fs::create_dir_all(list.parent().unwrap()).unwrap();
                fs::write(&list, before).unwrap();
            }
            let entry = Entry::add(&list, object).unwrap();
            let with_us = fs::read_to_string(&list).unwrap();
            assert!(
                with_us.lines().any(|line| line == "/x/ours.so"),
                "{with_us}"
            );
            drop(entry);
            let after = read(&list).unwrap();
            assert_eq!(after.as_deref(), before.map(str::as_bytes));
            assert_eq!(list.parent().unwrap().exists(), before.is_some());
        }
    }

    #[test]
    fn what_others_added_meanwhile_stays() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        let entry = Entry::add(&list, Path::new("/ours.so")).unwrap();
        fs::write(&list, "/ours.so\n/theirs.so\n").unwrap();
        drop(entry);
        assert_eq!(fs::read(&list).unwrap(), b"/theirs.so\n");
        let names: Vec<_> = fs::read_dir(dir.path()).unwrap().flatten().collect();
        assert_eq!(names.len(), 1);
    }
}
