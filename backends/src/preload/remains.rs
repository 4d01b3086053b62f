//! What a monitor that was killed leaves behind: its line in the list, what that names, and, if it was killed in the very
//! moment, a longer queue. What belongs to a monitor that lives stays, whoever started that.

use std::{
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use super::{
    file::{FOLDERS, LIST, STEM},
    list, place,
};
use crate::Remains;

/// Of the row that has a list.
#[derive(Debug)]
pub struct ListAndQueue;

/// Of the row that has none.
#[derive(Debug)]
pub struct Queue;

const QUEUE_NOTE: &str = "net.unix.max_dgram_qlen=";
const LINE_NOTE: &str = "line=";
const OBJECT_NOTE: &str = "object=";

/// As text, or why it cannot be read.
fn queue() -> Result<String, String> {
    let text = fs::read_to_string(place::QUEUE);
    text.map(|text| format!("{QUEUE_NOTE}{}", text.trim()))
        .map_err(|error| format!("read {}: {error}", place::QUEUE))
}

fn put_queue_back(noted: &str) -> Result<Vec<String>, String> {
    let before = noted.lines().find_map(|line| line.strip_prefix(QUEUE_NOTE));
    let Some(before) = before else {
        return Ok(Vec::new());
    };
    if queue()? == format!("{QUEUE_NOTE}{before}") {
        return Ok(Vec::new());
    }
    fs::write(place::QUEUE, before).map_err(|error| format!("write {}: {error}", place::QUEUE))?;
    Ok(vec![format!("{QUEUE_NOTE}{before}")])
}

/// The object that a line of ours names, without its ending.
fn ours(line: &[u8]) -> Option<PathBuf> {
    let path = Path::new(std::ffi::OsStr::from_bytes(line));
    let name = path.file_name()?.to_str()?;
    let stem = name.strip_suffix(".so")?;
    let number = stem.strip_prefix(STEM)?;
    let one_of_us = FOLDERS
        .iter()
        .any(|&folder| path.parent() == Some(Path::new(folder)));
    let number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    (one_of_us && number).then(|| path.with_file_name(stem))
}

/// Whether the monitor whose object that is has ended.
fn is_left(stem: &Path) -> bool {
    let name = stem.file_name().and_then(|name| name.to_str());
    let pid = name.and_then(|name| name.strip_prefix(STEM));
    pid.is_some_and(|pid| !place::is_alive(pid))
}

impl Remains for Queue {
    fn note(&self) -> Result<Option<String>, String> {
        queue().map(Some)
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        put_queue_back(noted)
    }
}

/// Our lines in a list; those of others are not our concern.
fn lines(list: &Path) -> Result<Vec<PathBuf>, String> {
    let content = list::read(list).map_err(|error| format!("read {}: {error}", list.display()))?;
    let content = content.unwrap_or_default();
    Ok(content.split(|&b| b == b'\n').filter_map(ours).collect())
}

/// Takes away our lines that were not noted and whose monitor has ended, and what they name.
fn put_list_back(list: &Path, noted: &str) -> Result<Vec<String>, String> {
    let noted: Vec<_> = noted
        .lines()
        .filter_map(|line| line.strip_prefix(LINE_NOTE))
        .map(PathBuf::from)
        .collect();
    let new: Vec<_> = lines(list)?
        .into_iter()
        .filter(|stem| !noted.contains(stem) && is_left(stem))
        .collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |what: &str, error| format!("{what} {}: {error}", list.display());
    let content = list::read(list).map_err(|error| failed("read", error))?;
    let content = content.unwrap_or_default();
    let left = list::without(&content, |line| {
        ours(line).is_some_and(|stem| new.contains(&stem))
    });
    // An empty list and none are the same to the loader.
    if left.is_empty() {
        fs::remove_file(list).map_err(|error| failed("remove", error))?;
    } else {
        list::write(list, &left).map_err(|error| failed("write", error))?;
    }
    let mut done = Vec::new();
    for stem in new {
        place::remove(&stem);
        done.push(format!(
            "{} taken out of {}",
            stem.display(),
            list.display()
        ));
    }
    Ok(done)
}

/// Our objects in the folders where they may lie.
fn objects() -> Vec<PathBuf> {
    let entries = FOLDERS
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    entries
        .flat_map(Iterator::flatten)
        .filter_map(|entry| ours(entry.path().as_os_str().as_bytes()))
        .collect()
}

/// Takes away objects that were not noted and whose monitor has ended.
fn put_objects_back(noted: &str) -> Vec<String> {
    let is_noted = |stem: &PathBuf| {
        let line = format!("{OBJECT_NOTE}{}", stem.display());
        noted.lines().any(|noted| noted == line)
    };
    let new = objects()
        .into_iter()
        .filter(|stem| !is_noted(stem) && is_left(stem));
    new.map(|stem| {
        place::remove(&stem);
        format!("{}.so removed", stem.display())
    })
    .collect()
}

impl Remains for ListAndQueue {
    fn note(&self) -> Result<Option<String>, String> {
        let mut note = vec![queue()?];
        let lines = lines(Path::new(LIST))?;
        note.extend(
            lines
                .iter()
                .map(|stem| format!("{LINE_NOTE}{}", stem.display())),
        );
        let objects = objects();
        note.extend(
            objects
                .iter()
                .map(|stem| format!("{OBJECT_NOTE}{}", stem.display())),
        );
        Ok(Some(note.join("\n")))
    }

    fn put_back(&self, noted: &str) -> Result<Vec<String>, String> {
        let mut done = put_list_back(Path::new(LIST), noted)?;
        done.extend(put_objects_back(noted));
        done.extend(put_queue_back(noted)?);
        Ok(done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_new_lines_of_ours_are_taken_out() {
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        let content = "/lib/a.so\n/run/execlab-preload-4.so\n/run/execlab-preload-5.so\n";
        fs::write(&list, content).unwrap();
        let noted = "line=/run/execlab-preload-4";
        let done = put_list_back(&list, noted).unwrap();
        assert_eq!(done.len(), 1);
        let left = fs::read_to_string(&list).unwrap();
        assert_eq!(left, "/lib/a.so\n/run/execlab-preload-4.so\n");
        assert_eq!(put_list_back(&list, noted).unwrap(), Vec::<String>::new());

        fs::write(&list, "/tmp/execlab-preload-77.so\n").unwrap();
        put_list_back(&list, "").unwrap();
        assert!(!list.exists());
    }

    #[test]
    fn the_line_of_a_monitor_that_lives_stays() {
        use std::os::{
            linux::net::SocketAddrExt,
            unix::net::{SocketAddr, UnixDatagram},
        };
        let dir = tempfile::tempdir().unwrap();
        let list = dir.path().join("list");
        // No process has a number of so many digits.
        let own = format!("execlab-preload-9999999{}", std::process::id());
        let content = format!("/run/{own}.so\n/run/execlab-preload-99999999999999.so\n");
        fs::write(&list, &content).unwrap();
        let address = SocketAddr::from_abstract_name(&own).unwrap();
        let alive = UnixDatagram::bind_addr(&address).unwrap();
        assert_eq!(put_list_back(&list, "").unwrap().len(), 1);
        assert_eq!(
            fs::read_to_string(&list).unwrap(),
            format!("/run/{own}.so\n")
        );
        drop(alive);
        assert_eq!(put_list_back(&list, "").unwrap().len(), 1);
        assert!(!list.exists());
    }

    #[test]
    fn lines_of_others_are_not_ours() {
        for line in [
            "",
            "/run/execlab-preload-x.so",
            "/home/execlab-preload-1.so",
            "/run/other.so",
        ] {
            assert_eq!(ours(line.as_bytes()), None, "{line}");
        }
        let stem = ours(b"/run/execlab-preload-12.so");
        assert_eq!(stem, Some(PathBuf::from("/run/execlab-preload-12")));
    }
}
