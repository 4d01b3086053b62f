//! Decompression by magic number, for packages, modules and kernel images alike.

use std::io::{self, Read};

/// A compression format, told by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// gzip.
    Gzip,
    /// xz.
    Xz,
    /// The older LZMA format ("lzma alone").
    Lzma,
    /// Zstandard.
    Zstd,
    /// LZ4 in its legacy frame, which is what the kernel's build makes.
    Lz4Legacy,
    /// bzip2: known, not supported.
    Bzip2,
    /// LZO: known, not supported.
    Lzo,
}

const MAGICS: &[(Format, &[u8])] = &[
    (Format::Gzip, b"\x1f\x8b\x08"),
    (Format::Xz, b"\xfd7zXZ\0"),
    (Format::Zstd, b"\x28\xb5\x2f\xfd"),
    (Format::Lz4Legacy, &LZ4_LEGACY_MAGIC.to_le_bytes()),
    (Format::Bzip2, b"BZh"),
    (Format::Lzo, b"\x89LZO"),
    (Format::Lzma, b"\x5d\0\0"),
];

const LZ4_LEGACY_MAGIC: u32 = 0x184c_2102;
/// Each block of a legacy frame holds this much, the last one may hold less.
const LZ4_LEGACY_BLOCK: usize = 8 << 20;

impl Format {
    /// Tells the format by the first bytes, if it is one we know.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        MAGICS
            .iter()
            .find(|(_, magic)| bytes.starts_with(magic))
            .map(|(format, _)| *format)
    }

    /// The format that a file name's suffix promises (`.xz`, `.zst`, `.gz`).
    pub fn of_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            "xz" => Some(Self::Xz),
            "zst" => Some(Self::Zstd),
            "gz" => Some(Self::Gzip),
            "lzma" => Some(Self::Lzma),
            "bz2" => Some(Self::Bzip2),
            _ => None,
        }
    }
}

/// A reader of what `inner` holds once it is decompressed.
pub fn reader<'a>(format: Format, inner: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match format {
        Format::Gzip => Box::new(flate2::read::GzDecoder::new(inner)),
        Format::Xz => Box::new(liblzma::read::XzDecoder::new(inner)),
        Format::Lzma => {
            let stream = liblzma::stream::Stream::new_lzma_decoder(u64::MAX)?;
            Box::new(liblzma::read::XzDecoder::new_stream(inner, stream))
        }
        Format::Zstd => Box::new(
            ruzstd::decoding::StreamingDecoder::new(inner)
                .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.to_string()))?,
        ),
        Format::Lz4Legacy => Box::new(Lz4Legacy::new(inner)?),
        Format::Bzip2 | Format::Lzo => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!("compressed with {format:?}, which is not supported"),
            ));
        }
    })
}

/// Decompresses all of `bytes`, refusing to make more than `limit` bytes of it.
pub fn decode(format: Format, bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut out = Vec::new();
    reader(format, bytes)?
        .take(limit + 1)
        .read_to_end(&mut out)?;
    if out.len() as u64 > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("holds more than {limit} bytes"),
        ));
    }
    Ok(out)
}

/// Reads a legacy LZ4 frame: a magic number, then blocks, each behind its compressed size.
struct Lz4Legacy<R> {
    inner: R,
    block: Vec<u8>,
    plain: Vec<u8>,
    /// The part of `plain` that holds data, and how much of it was handed out.
    filled: usize,
    taken: usize,
}

impl<R: Read> Lz4Legacy<R> {
    fn new(mut inner: R) -> io::Result<Self> {
        let mut magic = [0; 4];
        inner.read_exact(&mut magic)?;
        if u32::from_le_bytes(magic) != LZ4_LEGACY_MAGIC {
            return Err(invalid("no legacy LZ4 magic number"));
        }
        Ok(Self {
            inner,
            block: Vec::new(),
            plain: Vec::new(),
            filled: 0,
            taken: 0,
        })
    }

    /// The next block's compressed size; `None` at the end of the input.
    fn next_size(&mut self) -> io::Result<Option<usize>> {
        loop {
            let mut word = [0; 4];
            let mut got = 0;
            while got < word.len() {
                match self.inner.read(&mut word[got..])? {
                    0 if got == 0 => return Ok(None),
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    n => got += n,
                }
            }
            match u32::from_le_bytes(word) {
                // Frames may follow one another.
                LZ4_LEGACY_MAGIC => {}
                size => return Ok(Some(size as usize)),
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let Some(size) = self.next_size()? else {
            return Ok(());
        };
        if size > lz4_flex::block::get_maximum_output_size(LZ4_LEGACY_BLOCK) {
            return Err(invalid("an LZ4 block is larger than its format allows"));
        }
        self.block.resize(size, 0);
        self.inner.read_exact(&mut self.block)?;
        self.plain.resize(LZ4_LEGACY_BLOCK, 0);
        self.filled = lz4_flex::block::decompress_into(&self.block, &mut self.plain)
            .map_err(|error| invalid(&error.to_string()))?;
        self.taken = 0;
        Ok(())
    }
}

impl<R: Read> Read for Lz4Legacy<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.filled {
            self.filled = 0;
            self.taken = 0;
            self.fill()?;
        }
        let n = buf.len().min(self.filled - self.taken);
        buf[..n].copy_from_slice(&self.plain[self.taken..self.taken + n]);
        self.taken += n;
        Ok(n)
    }
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// Compresses for the tests of this module and of its neighbours.
    pub(crate) fn encode(format: Format, bytes: &[u8]) -> Vec<u8> {
        match format {
            Format::Gzip => {
                let mut out =
                    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Format::Xz => {
                let mut out = liblzma::write::XzEncoder::new(Vec::new(), 1);
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Format::Lzma => {
                let options = liblzma::stream::LzmaOptions::new_preset(1).unwrap();
                let stream = liblzma::stream::Stream::new_lzma_encoder(&options).unwrap();
                let mut out = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
                out.write_all(bytes).unwrap();
                out.finish().unwrap()
            }
            Format::Zstd => ruzstd::encoding::compress_to_vec(
                bytes,
                ruzstd::encoding::CompressionLevel::Fastest,
            ),
            Format::Lz4Legacy => {
                let mut out = LZ4_LEGACY_MAGIC.to_le_bytes().to_vec();
                for block in bytes.chunks(LZ4_LEGACY_BLOCK) {
                    let packed = lz4_flex::block::compress(block);
                    out.extend(u32::try_from(packed.len()).unwrap().to_le_bytes());
                    out.extend(packed);
                }
                out
            }
            Format::Bzip2 | Format::Lzo => unreachable!("not supported"),
        }
    }

    pub(crate) const SUPPORTED: [Format; 5] = [
        Format::Gzip,
        Format::Xz,
        Format::Lzma,
        Format::Zstd,
        Format::Lz4Legacy,
    ];

    proptest! {
        // Each case may allocate what its format takes for a window.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_goes_in_comes_out(bytes: Vec<u8>, which in 0..SUPPORTED.len()) {
            let format = SUPPORTED[which];
            let packed = encode(format, &bytes);
            prop_assert_eq!(Format::sniff(&packed), Some(format));
            prop_assert_eq!(decode(format, &packed, 1 << 20).unwrap(), bytes);
        }

        #[test]
        fn rubbish_never_panics(mut bytes: Vec<u8>, which in 0..MAGICS.len()) {
            let (format, magic) = MAGICS[which];
            bytes.splice(0..0, magic.iter().copied());
            let _ = decode(format, &bytes, 1 << 20);
        }
    }

    #[test]
    fn several_lz4_blocks_and_frames() {
        let bytes: Vec<u8> = (0..2_300_000_u32)
            .flat_map(|n| (n / 1000).to_le_bytes())
            .collect();
        let packed = encode(Format::Lz4Legacy, &bytes);
        assert_eq!(decode(Format::Lz4Legacy, &packed, 1 << 30).unwrap(), bytes);
        let twice = [packed.as_slice(), packed.as_slice()].concat();
        assert_eq!(
            decode(Format::Lz4Legacy, &twice, 1 << 30).unwrap().len(),
            2 * bytes.len()
        );
    }

    #[test]
    fn more_than_the_limit_is_refused() {
        let packed = encode(Format::Xz, &[0; 1000]);
        let error = decode(Format::Xz, &packed, 999).unwrap_err();
        assert!(error.to_string().contains("more than 999 bytes"), "{error}");
        assert_eq!(decode(Format::Xz, &packed, 1000).unwrap().len(), 1000);
    }

    #[test]
    fn a_cut_stream_is_an_error() {
        for format in SUPPORTED {
            let packed = encode(format, &[7; 5000]);
            assert!(
                decode(format, &packed[..packed.len() - 1], 1 << 20).is_err(),
                "{format:?}"
            );
        }
    }
}
