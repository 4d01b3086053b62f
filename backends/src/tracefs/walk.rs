//! The path of a file out of the kernel's own directory entries, fetched by a probe.
//!
//! The walk goes as `d_path` goes (`prepend_path`, `fs/d_path.c`), as far as arguments of a probe reach: from the entry of the file
//! up to the root of its mount, on from the place where that is mounted, and so on to the root of the mount
//! namespace. The probe fetches entries, names and mounts without looking; which of them belong to the path is found out
//! here.

use execlab_model::Bytes;

use super::chain::{Arguments, Chain, Offsets};
use crate::tracing_fs::format::{Field, Format};

/// So many mounts are walked through. The file systems of most files are two or three deep.
const MOUNTS: usize = 3;
/// Names that are fetched of one mount at most, where so many arguments are short enough.
const NAMES: usize = 10;

/// Where the members are that lead upwards.
#[derive(Debug, Clone, Copy)]
struct Members {
    path_mount: i64,
    path_entry: i64,
    name: i64,
    parent: i64,
    hashed: i64,
    /// Of `struct mount`: the part of it that others point to.
    part: i64,
    above: i64,
    place: i64,
    /// Of that part.
    root: i64,
}

/// Adds what is to be fetched of a `struct file`. How far `struct mount` begins before the part of it that files
/// point to.
pub fn fetch(arguments: &mut Arguments, file: &Chain, offsets: &mut Offsets<'_>) -> i64 {
    let of = Members {
        path_mount: offsets.get("file", "f_path.mnt"),
        path_entry: offsets.get("file", "f_path.dentry"),
        name: offsets.get("dentry", "d_name.name"),
        parent: offsets.get("dentry", "d_parent"),
        hashed: offsets.get("dentry", "d_hash.pprev"),
        part: offsets.get("mount", "mnt"),
        above: offsets.get("mount", "mnt_parent"),
        place: offsets.get("mount", "mnt_mountpoint"),
        root: offsets.get("vfsmount", "mnt_root"),
    };
    let mut entry = file.at(of.path_entry);
    arguments.add("h", &entry.at(of.hashed), "x64");
    // The file points into its mount, everything else to the begin of one.
    let (mut mount, mut begin) = (file.at(of.path_mount), of.part);
    for leg in 0..MOUNTS {
        arguments.add(&format!("m{leg}"), &mount, "x64");
        arguments.add(
            &format!("r{leg}"),
            &mount.at(of.part + of.root - begin),
            "x64",
        );
        for step in 0..NAMES {
            let name = entry.at(of.name).at(0);
            let known = arguments.add(&format!("d{leg}{step}"), &entry, "x64");
            if !known || !arguments.add(&format!("n{leg}{step}"), &name, "string") {
                break;
            }
            entry = entry.at(of.parent);
        }
        entry = mount.at(of.place - begin);
        mount = mount.at(of.above - begin);
        begin = 0;
    }
    arguments.add(&format!("m{MOUNTS}"), &mount, "x64");
    of.part
}

/// What was fetched of one mount.
#[derive(Debug)]
struct Leg {
    root: Field,
    /// Entries from the first upwards; one more than there are names, where that was short enough.
    entries: Vec<Field>,
    names: Vec<Field>,
    /// The mount that this one is mounted on.
    above: Field,
}

/// Finds the path in an event.
#[derive(Debug)]
pub struct Walk {
    hashed: Field,
    mount: Field,
    begin: u64,
    legs: Vec<Leg>,
}

impl Walk {
    /// In events of this format; `begin` is what [`fetch`] said.
    pub fn of(format: &Format, begin: i64) -> Option<Self> {
        let many = |what: &str, leg: usize| {
            let field = |step| format.field(&format!("{what}{leg}{step}"));
            (0..NAMES).map_while(field).collect()
        };
        let leg = |leg: usize| {
            Some(Leg {
                root: format.field(&format!("r{leg}"))?,
                entries: many("d", leg),
                names: many("n", leg),
                above: format.field(&format!("m{}", leg + 1))?,
            })
        };
        Some(Self {
            hashed: format.field("h")?,
            mount: format.field("m0")?,
            begin: u64::try_from(begin).ok()?,
            legs: (0..MOUNTS).map_while(leg).collect(),
        })
    }

    /// The names of all the walk's fields, for people: how many of each mount.
    pub fn reach(&self) -> Vec<usize> {
        self.legs.iter().map(|leg| leg.names.len()).collect()
    }

    /// The path, and whether its beginning is missing. A file without a name in its folder ends in ` (deleted)`, as
    /// everywhere in the kernel.
    pub fn path(&self, event: &[u8]) -> Option<(Bytes, bool)> {
        let mut names: Vec<&[u8]> = Vec::new();
        let mut deleted = self.hashed.number(event)? == 0;
        let mut mount = self.mount.number(event)?.checked_sub(self.begin)?;
        let mut cut = true;
        for leg in &self.legs {
            match leg.climb(event, &mut names)? {
                End::Root => {}
                End::TooFar => break,
                End::Nowhere => {
                    // A lone name is a file that never was in a folder; several are the way from the top of a
                    // file system of which the mount shows another part.
                    deleted |= names.len() == 1;
                    cut = false;
                    break;
                }
            }
            let above = leg.above.number(event)?;
            if above == mount {
                cut = false;
                break;
            }
            mount = above;
        }
        if names.is_empty() {
            return None;
        }
        let mut path = Vec::new();
        for name in names.iter().rev() {
            path.push(b'/');
            path.extend_from_slice(name);
        }
        if cut {
            path.remove(0);
        }
        if deleted {
            path.extend_from_slice(b" (deleted)");
        }
        Some((path.into(), cut))
    }
}

/// Where a walk within a mount ended.
enum End {
    /// At its root.
    Root,
    /// At an entry that has nothing above it and is not the root.
    Nowhere,
    /// Before either.
    TooFar,
}

impl Leg {
    fn climb<'a>(&self, event: &'a [u8], names: &mut Vec<&'a [u8]>) -> Option<End> {
        let root = self.root.number(event)?;
        let mut below = None;
        for (step, entry) in self.entries.iter().enumerate() {
            let entry = entry.number(event)?;
            if entry == root {
                return Some(End::Root);
            }
            if below == Some(entry) {
                return Some(End::Nowhere);
            }
            below = Some(entry);
            let Some(name) = self.names.get(step) else {
                break;
            };
            names.push(name.string(event)?);
        }
        Some(End::TooFar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A format of these numbers, in this order, with two names for each of three mounts.
    fn format() -> (Format, Vec<String>) {
        let mut names = vec!["h".to_owned(), "m0".into()];
        for leg in 0..3 {
            names.push(format!("r{leg}"));
            names.push(format!("m{}", leg + 1));
            names.extend((0..3).map(|step| format!("d{leg}{step}")));
            names.extend((0..2).map(|step| format!("n{leg}{step}")));
        }
        let mut text = "ID: 1\n".to_owned();
        for (index, name) in names.iter().enumerate() {
            let kind = if name.starts_with('n') {
                "char s[8]"
            } else {
                "u64 x"
            };
            let (kind, _) = kind.split_once(' ').unwrap();
            let line = format!(
                "field:{kind} {name};\toffset:{};\tsize:8;\tsigned:0;\n",
                8 * index
            );
            text.push_str(&line);
        }
        (Format::parse(&text).unwrap(), names)
    }

    /// The path in an event with these values; what is not given is 0, or an empty name.
    fn path(given: &[(&str, u64)], texts: &[(&str, &str)]) -> Option<(String, bool)> {
        let (format, names) = format();
        let walk = Walk::of(&format, 32).unwrap();
        let mut event = Vec::new();
        for name in names {
            let number = given
                .iter()
                .find(|(n, _)| *n == name)
                .map_or(0, |&(_, v)| v);
            let mut bytes = number.to_ne_bytes();
            if let Some((_, text)) = texts.iter().find(|(n, _)| *n == name) {
                bytes[..text.len()].copy_from_slice(text.as_bytes());
            }
            event.extend(bytes);
        }
        walk.path(&event).map(|(path, cut)| (path.to_string(), cut))
    }

    const TEXTS: &[(&str, &str)] = &[
        ("n00", "file"),
        ("n01", "dir"),
        ("n10", "mnt"),
        ("n11", "run"),
    ];

    #[test]
    fn the_walk_goes_on_where_a_mount_is_mounted() {
        let entries = [("d00", 10), ("d01", 11), ("d02", 12), ("r0", 12), ("h", 1)];
        // The mount at 100 is where nothing is above it.
        let alone = [&entries[..], &[("m0", 132), ("m1", 100)]].concat();
        assert_eq!(path(&alone, TEXTS), Some(("/dir/file".into(), false)));

        let mounted = [&entries[..], &[("m0", 132), ("m1", 200), ("m2", 200)]].concat();
        let two = [
            &mounted[..],
            &[("d10", 20), ("d11", 21), ("d12", 22), ("r1", 22)],
        ]
        .concat();
        assert_eq!(path(&two, TEXTS), Some(("/run/mnt/dir/file".into(), false)));

        // More than two names in the upper one: the beginning is not there.
        let deep = [
            &mounted[..],
            &[("d10", 20), ("d11", 21), ("d12", 22), ("r1", 99)],
        ]
        .concat();
        assert_eq!(path(&deep, TEXTS), Some(("run/mnt/dir/file".into(), true)));
    }

    #[test]
    fn what_is_in_no_folder_is_deleted() {
        let unlinked = [
            ("d00", 10),
            ("d01", 11),
            ("r0", 11),
            ("m0", 132),
            ("m1", 100),
        ];
        let told = path(&unlinked, TEXTS).unwrap().0;
        assert_eq!(told, "/file (deleted)");
        let nameless = [("d00", 10), ("d01", 10), ("h", 1), ("r0", 99), ("m0", 132)];
        assert_eq!(
            path(&nameless, TEXTS),
            Some(("/file (deleted)".into(), false))
        );
        let nothing = [("d00", 10), ("r0", 10), ("m0", 132), ("m1", 100)];
        assert_eq!(path(&nothing, TEXTS), None);
    }
}
