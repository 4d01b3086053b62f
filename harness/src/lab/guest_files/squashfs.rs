//! The image of the scenario `squashfs`: the payload and its bare sibling, in a file system of their own.

use std::io::Cursor;

use backhand::{FilesystemCompressor, FilesystemWriter, NodeHeader, compression::Compressor};

use super::{PAYLOAD, PAYLOAD_BARE};

/// What every kernel with squashfs can unpack (zlib), and the same bytes each time: all times are zero.
pub(super) fn image() -> Vec<u8> {
    let header = NodeHeader {
        permissions: 0o755,
        ..NodeHeader::default()
    };
    let mut files = FilesystemWriter::default();
    files.set_time(0);
    files.set_root_mode(0o755);
    files.set_compressor(
        FilesystemCompressor::new(Compressor::Gzip, None).expect("zlib is compiled in"),
    );
    files.push_dir("bin", header).expect("an absolute path");
    for (path, program) in [("bin/worker", PAYLOAD), ("bin/worker-bare", PAYLOAD_BARE)] {
        files
            .push_file(Cursor::new(program), path, header)
            .expect("its folder is there");
    }
    let mut image = Cursor::new(Vec::new());
    files.write(&mut image).expect("memory takes it");
    image.into_inner()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use backhand::{FilesystemReader, InnerNode};

    use super::*;

    #[test]
    fn the_image_is_the_same_each_time_and_holds_the_payload() {
        let bytes = image();
        assert_eq!(bytes, image());
        let reader = FilesystemReader::from_reader(Cursor::new(bytes)).unwrap();
        let node = reader
            .files()
            .find(|node| node.fullpath.ends_with("bin/worker"))
            .unwrap();
        assert_eq!(node.header.permissions, 0o755);
        let InnerNode::File(file) = &node.inner else {
            panic!("{node:?}")
        };
        let mut contents = Vec::new();
        reader
            .file(file)
            .reader()
            .read_to_end(&mut contents)
            .unwrap();
        assert!(contents == PAYLOAD);
    }
}
