//! The witness of programs that are not ours: a shared object that the dynamic linker preloads into each of
//! them (`/etc/ld.so.preload`, ld.so(8)). Every image that starts reports itself before its own first line
//! (`witness/witness.c`), so that truth is independent of every monitor here too. What it cannot see is a
//! static program; and one that cannot report itself ends with [`NO_EVIDENCE`](crate::evidence::NO_EVIDENCE).

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use execlab_model::Bytes;

use crate::{
    evidence,
    scenario::{SetupError, make_dir},
};

/// The object, with a place for its log's name.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/witness.so"));
/// What stands at that place.
const PLACEHOLDER: &[u8] = b"@execlab-witness-log@";
/// How long the place is, the ending NUL included.
const PLACE_BYTES: usize = 256;

/// Begins each record.
const MAGIC: u32 = 0x5749_4c58;
/// Bytes before the texts of a record.
const HEADER: usize = 56;

/// One image, by its own word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Its process id, in its own PID namespace.
    pub pid: u32,
    /// Its parent's there; 0 for one outside.
    pub ppid: u32,
    /// Its real user id, in its own user namespace.
    pub uid: u32,
    /// The inode of its mount namespace; 0 where it has no `/proc`.
    pub mnt_ns: u32,
    /// The inode of its PID namespace; 0 where it has no `/proc`.
    pub pid_ns: u32,
    /// `CLOCK_MONOTONIC` in its constructor, in nanoseconds: later than the exec.
    pub started_ns: u64,
    /// `/proc/self/exe`, from its own root; empty where it has no `/proc`.
    pub path: Bytes,
    /// The string passed to exec (`AT_EXECFN`): of a script, the script's.
    pub given: Bytes,
    /// Its working directory, from its own root.
    pub cwd: Bytes,
    /// Its arguments.
    pub argv: Vec<Bytes>,
}

/// A log that is not one of the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record at byte {at} of the witness's log is damaged")]
pub struct DamagedLog {
    /// Where it begins.
    pub at: usize,
}

/// The object with this log in it, as the programs will name it. `None` for a name of more than 255 bytes, or
/// with a NUL in it.
pub fn object(log: &Path) -> Option<Vec<u8>> {
    let name = log.as_os_str().as_bytes();
    let mut object = OBJECT.to_vec();
    let at = object
        .windows(PLACEHOLDER.len())
        .position(|window| window == PLACEHOLDER)
        .expect("the object has a place for its log");
    if name.len() >= PLACE_BYTES || name.contains(&0) {
        return None;
    }
    let place = &mut object[at..at + PLACE_BYTES];
    place.fill(0);
    place[..name.len()].copy_from_slice(name);
    Some(object)
}

/// A log. When it is dropped no further program is witnessed.
#[derive(Debug)]
pub struct Log {
    file: File,
    /// The linker's list, as this process names it.
    list: PathBuf,
}

impl Log {
    /// Has every dynamically linked program below `root` witnessed in the file `log`, which is named from the
    /// programs' root; the object is `/execlab-witness.so` there.
    pub fn install(root: &Path, log: &Path) -> Result<Self, SetupError> {
        const OBJECT: &str = "/execlab-witness.so";
        let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap_or(path));
        let at = |path: &Path| SetupError::at(format!("write {}", path.display()));
        let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).map_err(at(path));
        let (so, list) = (
            inside(OBJECT.as_ref()),
            inside("/etc/ld.so.preload".as_ref()),
        );
        let bytes = object(log).ok_or(io::ErrorKind::InvalidFilename);
        let bytes = bytes.map_err(SetupError::at(format!("log to {}", log.display())))?;
        make_dir(&inside("/etc".as_ref()))?;
        let log = inside(log);
        let file = evidence::create_appended(&log).map_err(at(&log))?;
        write(&so, &bytes)?;
        // A list that is there already is somebody's: it is not ours to replace, nor to take away afterwards.
        File::create_new(&list)
            .and_then(|mut file| file.write_all(format!("{OBJECT}\n").as_bytes()))
            .map_err(at(&list))?;
        Ok(Self { file, list })
    }

    /// What is in it by now.
    pub fn read(&self) -> io::Result<Vec<Image>> {
        let bytes = evidence::read_whole(&self.file)?;
        parse(&bytes).map_err(io::Error::other)
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // It can only fail where the list is gone already, which is what is wanted.
        let _ = fs::remove_file(&self.list);
    }
}

/// The records of a log, in the order in which the images started.
pub fn parse(mut bytes: &[u8]) -> Result<Vec<Image>, DamagedLog> {
    let whole = bytes.len();
    let mut images = Vec::new();
    while !bytes.is_empty() {
        let at = whole - bytes.len();
        let (image, rest) = record(bytes).ok_or(DamagedLog { at })?;
        images.push(image);
        bytes = rest;
    }
    Ok(images)
}

/// The first record, and what is behind it.
fn record(bytes: &[u8]) -> Option<(Image, &[u8])> {
    let (header, behind) = bytes.split_at_checked(HEADER)?;
    let word = |at: usize| u32::from_ne_bytes(header[at..at + 4].try_into().expect("4 bytes"));
    let texts = (word(4) as usize).checked_sub(HEADER)?;
    let (mut texts, rest) = behind.split_at_checked(texts)?;
    let mut text = |place: usize| {
        let (text, rest) = texts.split_at_checked(word(place) as usize)?;
        texts = rest;
        Some(text)
    };
    let (path, given, cwd, argv) = (text(40)?, text(44)?, text(48)?, text(52)?);
    let argv = arguments(argv)?;
    let good = word(0) == MAGIC && texts.is_empty() && argv.len() == word(20) as usize;
    let image = Image {
        pid: word(8),
        ppid: word(12),
        uid: word(16),
        mnt_ns: word(24),
        pid_ns: word(28),
        started_ns: u64::from_ne_bytes(header[32..40].try_into().expect("8 bytes")),
        path: path.into(),
        given: given.into(),
        cwd: cwd.into(),
        argv,
    };
    good.then_some((image, rest))
}

/// Arguments that end with a NUL each.
fn arguments(bytes: &[u8]) -> Option<Vec<Bytes>> {
    let Some((last, before)) = bytes.split_last() else {
        return Some(Vec::new());
    };
    let list = before.split(|&b| b == 0).map(Bytes::from).collect();
    (*last == 0).then_some(list)
}

/// The path of a file by its bytes.
pub(crate) fn path_of(bytes: &Bytes) -> &Path {
    Path::new(OsStr::from_bytes(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn encode(image: &Image) -> Vec<u8> {
        let argv: Vec<u8> = image
            .argv
            .iter()
            .flat_map(|argument| [argument.as_slice(), b"\0"].concat())
            .collect();
        let texts = [&image.path.0, &image.given.0, &image.cwd.0, &argv];
        let number = |n: usize| u32::try_from(n).unwrap();
        let length = HEADER + texts.iter().map(|text| text.len()).sum::<usize>();
        let mut out = Vec::new();
        for word in [
            MAGIC,
            number(length),
            image.pid,
            image.ppid,
            image.uid,
            number(image.argv.len()),
            image.mnt_ns,
            image.pid_ns,
        ] {
            out.extend(word.to_ne_bytes());
        }
        out.extend(image.started_ns.to_ne_bytes());
        for text in texts {
            out.extend(number(text.len()).to_ne_bytes());
        }
        assert_eq!(out.len(), HEADER);
        out.extend(texts.into_iter().flatten());
        out
    }

    fn any_text() -> impl Strategy<Value = Bytes> {
        vec(1_u8.., 0..20).prop_map(Bytes)
    }

    fn any_image() -> impl Strategy<Value = Image> {
        let numbers = any::<(u32, u32, u32, u32, u32, u64)>();
        let texts = (any_text(), any_text(), any_text(), vec(any_text(), 0..5));
        (numbers, texts).prop_map(|(n, t)| Image {
            pid: n.0,
            ppid: n.1,
            uid: n.2,
            mnt_ns: n.3,
            pid_ns: n.4,
            started_ns: n.5,
            path: t.0,
            given: t.1,
            cwd: t.2,
            argv: t.3,
        })
    }

    proptest! {
        #[test]
        fn a_log_reads_back(images in vec(any_image(), 0..6)) {
            let log: Vec<u8> = images.iter().flat_map(encode).collect();
            prop_assert_eq!(parse(&log), Ok(images));
        }

        #[test]
        fn a_log_that_is_cut_off_is_damaged_where_its_last_record_begins(
            images in vec(any_image(), 1..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let log: Vec<u8> = images.iter().flat_map(encode).collect();
            let last = log.len() - encode(images.last().unwrap()).len();
            let cut = last + 1 + cut.index(log.len() - last - 1);
            prop_assert_eq!(parse(&log[..cut]), Err(DamagedLog { at: last }));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..300)) {
            let read = parse(&bytes);
            prop_assert!(read.is_err() || bytes.is_empty());
        }

        #[test]
        fn a_record_with_a_wrong_number_is_refused(image in any_image(), word in 0_usize..14) {
            // Pid, parent, user, namespaces and time may be any number.
            prop_assume!(![2, 3, 4, 6, 7, 8, 9].contains(&word));
            let mut log = encode(&image);
            log[4 * word] ^= 1;
            prop_assert_eq!(parse(&log), Err(DamagedLog { at: 0 }));
        }
    }

    /// The object itself, in this machine's programs. A shell forks for the second one and becomes the last.
    #[test]
    fn programs_and_scripts_report_themselves() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let (log, so, script) = (dir.join("log"), dir.join("w.so"), dir.join("script"));
        let file = evidence::create_appended(&log).unwrap();
        fs::write(&so, object(&log).unwrap()).unwrap();
        fs::write(&script, "#!/bin/sh -e\nenv true 'a b'\nexec true\n").unwrap();
        let status = Command::new("/bin/sh")
            .args([OsStr::new("-c"), OsStr::new("exec /bin/sh ./script; :")])
            .current_dir(&dir)
            .env("LD_PRELOAD", &so)
            .status()
            .unwrap();
        assert!(status.success());
        let images = parse(&evidence::read_whole(&file).unwrap()).unwrap();
        let of = |n: usize| -> Vec<_> {
            images[n]
                .argv
                .iter()
                .map(|a| String::from_utf8_lossy(a.as_slice()))
                .collect()
        };
        assert_eq!(images.len(), 5, "{images:?}");
        assert_eq!(of(1), ["/bin/sh", "./script"]);
        assert_eq!(of(3), ["true", "a b"]);
        assert_eq!(images[0].given, Bytes::from("/bin/sh"));
        let shell = fs::canonicalize("/bin/sh").unwrap();
        assert_eq!(path_of(&images[0].path), shell);
        assert!(
            images
                .iter()
                .all(|i| path_of(&i.cwd) == dir && i.mnt_ns > 0 && i.pid_ns > 0)
        );
        assert!(images.is_sorted_by_key(|image| image.started_ns));
        let pids: Vec<_> = images.iter().map(|image| image.pid).collect();
        assert_eq!([pids[0], pids[1], pids[2]], [pids[4], pids[4], pids[3]]);
        assert_eq!(
            (images[0].ppid, images[2].ppid),
            (std::process::id(), pids[0])
        );
    }

    #[test]
    fn of_a_script_the_string_passed_is_the_script() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (log, so) = (dir.path().join("log"), dir.path().join("w.so"));
        let script = dir.path().join("script");
        let file = evidence::create_appended(&log).unwrap();
        fs::write(&so, object(&log).unwrap()).unwrap();
        fs::write(&script, "#!/bin/sh -e\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        // By a shell, which waits until nobody writes to the script any more.
        let mut command = Command::new("/bin/sh");
        command
            .arg("-c")
            .arg("\"$0\" x")
            .arg(&script)
            .env("LD_PRELOAD", &so);
        assert!(command.status().unwrap().success());
        let images = parse(&evidence::read_whole(&file).unwrap()).unwrap();
        let last = images.last().unwrap();
        let script = Bytes::from(script.as_os_str().as_bytes());
        assert_eq!(last.given, script);
        assert_eq!(
            last.argv,
            [Bytes::from("/bin/sh"), "-e".into(), script, "x".into()]
        );
    }

    #[test]
    fn a_program_that_cannot_report_itself_ends() {
        let dir = tempfile::tempdir().unwrap();
        let so = dir.path().join("w.so");
        fs::write(&so, object(Path::new("/no/such/log")).unwrap()).unwrap();
        let status = Command::new("/bin/true")
            .env("LD_PRELOAD", &so)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(evidence::NO_EVIDENCE.into()));
    }

    #[test]
    fn a_root_is_witnessed_until_the_log_is_dropped() {
        let root = tempfile::tempdir().unwrap();
        let log = Log::install(root.path(), Path::new("/log")).unwrap();
        let list = root.path().join("etc/ld.so.preload");
        let named = fs::read_to_string(&list).unwrap();
        let so = root.path().join(named.trim().trim_start_matches('/'));
        assert_eq!(fs::read(so).unwrap(), object(Path::new("/log")).unwrap());
        fs::write(root.path().join("log"), encode(&Image::default())).unwrap();
        assert_eq!(log.read().unwrap(), [Image::default()]);
        drop(log);
        assert!(!list.exists());
    }

    #[test]
    fn a_name_that_does_not_fit_is_refused() {
        assert!(object(Path::new(&"l".repeat(255))).is_some());
        assert!(object(Path::new(&"l".repeat(256))).is_none());
    }
}
