//! Evidence of programs that are not ours and whose arguments carry an id.

use std::{collections::HashMap, io};

use execlab_model::{Bytes, truth::parse_id_argument};

use super::{EVIDENCE_MAGIC, Evidence, Testimony};
use crate::witness::{Image, Log};

impl Testimony for Log {
    /// Of the images that have an id among their arguments, the first one in each. A process that executes
    /// itself again with the same arguments has further images: each has the id behind the one before.
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
    fn images_have_the_ids_of_their_arguments_and_those_behind() {
        let image = |pid, started_ns, argv: &[&str]| Image {
            pid,
            started_ns,
            argv: argv.iter().map(|&text| text.into()).collect(),
            ..Image::default()
        };
        let images = vec![
            image(9, 40, &["crun", "x00000010", "x00000011"]),
            image(9, 30, &["crun", "x00000010", "x00000011"]),
            image(8, 35, &["crun", "run"]),
            image(7, 50, &["bwrap", "--setenv", "A", "x00000020"]),
        ];
        let found: Vec<_> = by_ids(images)
            .iter()
            .map(|e| (e.id, e.pid, e.started_ns))
            .collect();
        assert_eq!(found, [(0x10, 9, 30), (0x11, 9, 40), (0x20, 7, 50)]);
    }
}
