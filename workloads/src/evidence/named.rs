//! Evidence of programs that are not ours, and whose arguments or working directory carry an id.

use std::{collections::HashMap, io};

use execlab_model::{Bytes, truth::parse_id_argument};

use super::{EVIDENCE_MAGIC, Evidence, Testimony};
use crate::witness::{Image, Log};

impl Testimony for Log {
    /// Of the images that have an id: the first one among their arguments, or else the last component of their
    /// working directory. A process that executes itself again in the same way has further images: each has the
    /// id behind the one before.
    fn evidence(&self) -> io::Result<Vec<Evidence>> {
        Ok(by_ids(self.read()?))
    }
}

fn by_ids(mut images: Vec<Image>) -> Vec<Evidence> {
    images.sort_by_key(|image| image.started_ns);
    let mut seen = HashMap::new();
    let evidence = |image: Image| {
        let first = image
            .argv
            .iter()
            .map(Bytes::as_slice)
            .chain([image.cwd.basename()])
            .find_map(parse_id_argument)?;
        let further: &mut u32 = seen.entry((first, image.pid)).or_default();
        let id = first + *further;
        *further += 1;
        Some(Evidence {
            magic: EVIDENCE_MAGIC,
            id,
            pid: image.pid,
            uid: image.uid,
            started_ns: image.started_ns,
            ppid: image.ppid,
            host_pid: 0,
        })
    };
    images.into_iter().filter_map(evidence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_the_ids_that_they_carry_and_those_behind() {
        let image = |pid, started_ns, cwd: &str, argv: &[&str]| Image {
            pid,
            started_ns,
            cwd: cwd.into(),
            argv: argv.iter().map(|&text| text.into()).collect(),
            ..Image::default()
        };
        let images = vec![
            image(9, 40, "/bundles/x00000010", &["crun", "run"]),
            image(9, 30, "/bundles/x00000010", &["crun", "run"]),
            image(8, 35, "/x00000012/tmp", &["crun", "run"]),
            image(7, 50, "/x00000030", &["bwrap", "x00000020", "x00000021"]),
        ];
        let found: Vec<_> = by_ids(images)
            .iter()
            .map(|e| (e.id, e.pid, e.started_ns))
            .collect();
        assert_eq!(found, [(0x10, 9, 30), (0x11, 9, 40), (0x20, 7, 50)]);
    }
}
