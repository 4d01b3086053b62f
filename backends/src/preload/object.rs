//! The shared object that is preloaded (`preload/*.c`), and the settings in it.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

/// As the compiler made it.
const OBJECT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/preload.so"));
/// What the settings begin with, and where each lies behind that (`preload/preload.h`).
const MAGIC: &[u8; 16] = b"@execlab-preload";
const REPORT: usize = 16;
const LOOKUP: usize = 17;
const NAME_LENGTH: usize = 18;
const PATH: usize = 24;
/// Room for each of the three names, the ending NUL included.
const NAME_BYTES: usize = 104;

/// What the object is told.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// New images report themselves.
    pub images: bool,
    /// Calls are reported.
    pub calls: bool,
    /// Cgroup and namespaces too.
    pub full: bool,
    /// Where the monitor listens.
    pub path: &'a Path,
    /// The same without a file: an abstract name.
    pub name: &'a [u8],
    /// What a byte is added to for each loss.
    pub lost: &'a Path,
}

/// The object with these settings in it; `None` where a name has more than 103 bytes, or a NUL.
pub fn tell(told: &Told<'_>) -> Option<Vec<u8>> {
    let mut object = OBJECT.to_vec();
    let at = object
        .windows(MAGIC.len())
        .position(|window| window == MAGIC)
        .expect("the object has a place for its settings");
    let bytes = |path| OsStr::as_bytes(Path::as_os_str(path));
    let settings = &mut object[at..at + PATH + 3 * NAME_BYTES];
    settings[REPORT] = u8::from(told.images) | u8::from(told.calls) << 1;
    settings[LOOKUP] = u8::from(told.full);
    settings[NAME_LENGTH] = u8::try_from(told.name.len()).ok()?;
    let names = [bytes(told.path), told.name, bytes(told.lost)];
    for (name, place) in names
        .into_iter()
        .zip(settings[PATH..].chunks_mut(NAME_BYTES))
    {
        if name.len() >= NAME_BYTES || name.contains(&0) {
            return None;
        }
        place.fill(0);
        place[..name.len()].copy_from_slice(name);
    }
    Some(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stand_at_their_places_and_long_names_are_refused() {
        let told = Told {
            images: true,
            calls: false,
            full: true,
            path: Path::new("/a/path"),
            name: b"a name",
            lost: Path::new("/a/file"),
        };
        let object = tell(&told).unwrap();
        assert_eq!(object.len(), OBJECT.len());
        let at = object.windows(16).position(|w| w == MAGIC).unwrap();
        let settings = &object[at..];
        assert_eq!(settings[REPORT..=NAME_LENGTH], [1, 1, 6]);
        assert!(settings[PATH..].starts_with(b"/a/path\0"));
        assert!(settings[PATH + NAME_BYTES..].starts_with(b"a name\0"));
        assert!(settings[PATH + 2 * NAME_BYTES..].starts_with(b"/a/file\0"));
        let long = "x".repeat(NAME_BYTES);
        let path = Path::new(&long);
        assert!(tell(&Told { path, ..told }).is_none());
    }
}
