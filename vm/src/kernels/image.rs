//! Kernel images: what release a bzImage is of, and the `vmlinux` inside it.
//!
//! Field names and offsets are those of the x86 boot protocol.

use super::compress::{self, Format};

/// No kernel is larger than this once unpacked.
const LIMIT: u64 = 1 << 30;

/// A kernel image that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// Neither of the forms of a kernel.
    #[error("it is neither a bzImage nor an ELF kernel (vmlinux)")]
    NotAKernel,
    /// A bzImage of before version 2.08 of the boot protocol, or a cut one.
    #[error("its bzImage header is too old or the file is cut off: {0}")]
    Header(&'static str),
    /// The payload is compressed in a way that is not supported.
    #[error(
        "its payload is compressed with {0}, which is not supported; give the uncompressed vmlinux instead"
    )]
    Unsupported(String),
    /// The payload is damaged.
    #[error("its payload cannot be unpacked: {0}")]
    Payload(String),
    /// An ELF without a kernel's version text.
    #[error("no release (`Linux version …`) was found in it")]
    NoRelease,
}

/// Whether this is an ELF file, such as a `vmlinux`.
pub fn is_elf(image: &[u8]) -> bool {
    image.starts_with(b"\x7fELF")
}

/// The release (what `uname -r` says) of a bzImage or a vmlinux.
pub fn release(image: &[u8]) -> Result<String, ImageError> {
    if is_elf(image) {
        return release_of_elf(image);
    }
    check_bzimage(image)?;
    // kernel_version: offset of a text, less 0x200; the release is its first word.
    let offset = usize::from(u16_at(image, 0x20e)?);
    let text = image
        .get(offset + 0x200..)
        .filter(|_| offset != 0)
        .ok_or(ImageError::Header("it names no version"))?;
    word(text).ok_or(ImageError::Header("it names no version"))
}

/// The ELF kernel (`vmlinux`) inside a bzImage.
pub fn vmlinux(image: &[u8]) -> Result<Vec<u8>, ImageError> {
    check_bzimage(image)?;
    if u16_at(image, 0x206)? < 0x208 {
        return Err(ImageError::Header("its boot protocol is older than 2.08"));
    }
    let setup_sectors = match image[0x1f1] {
        0 => 4,
        n => usize::from(n),
    };
    // payload_offset counts from the start of the protected-mode code, which follows the boot sector and the setup.
    let start = (setup_sectors + 1) * 512 + u32_at(image, 0x248)?;
    let end = start + u32_at(image, 0x24c)?;
    let payload = image
        .get(start..end)
        .ok_or(ImageError::Header("it ends before its payload does"))?;
    if is_elf(payload) {
        return Ok(payload.to_vec());
    }
    let format = Format::sniff(payload).ok_or_else(|| {
        let start: Vec<String> = payload
            .iter()
            .take(6)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        ImageError::Unsupported(format!("something unknown ({})", start.join(" ")))
    })?;
    // The build appends the unpacked size to every format but gzip, which ends in it anyway.
    let (stream, size) = match (format, payload.split_last_chunk::<4>()) {
        (Format::Bzip2 | Format::Lzo, _) => {
            return Err(ImageError::Unsupported(format!("{format:?}")));
        }
        (_, None) => return Err(ImageError::Header("its payload is empty")),
        (Format::Gzip, Some((_, size))) => (payload, u32::from_le_bytes(*size)),
        (_, Some((stream, size))) => (stream, u32::from_le_bytes(*size)),
    };
    let plain = compress::decode(format, stream, LIMIT)
        .map_err(|error| ImageError::Payload(format!("{format:?}: {error}")))?;
    if plain.len() as u64 != u64::from(size) {
        let what = format!(
            "{format:?}: {} bytes came out instead of {size}",
            plain.len()
        );
        return Err(ImageError::Payload(what));
    }
    if !is_elf(&plain) {
        return Err(ImageError::Payload(
            "what came out is no ELF kernel".to_owned(),
        ));
    }
    Ok(plain)
}

fn check_bzimage(image: &[u8]) -> Result<(), ImageError> {
    let marked =
        image.get(0x1fe..0x200) == Some(b"\x55\xaa") && image.get(0x202..0x206) == Some(b"HdrS");
    marked.then_some(()).ok_or(ImageError::NotAKernel)
}

/// The word after `Linux version ` in the kernel's banner. Other texts begin alike (`%s`), so it must start with a digit.
fn release_of_elf(image: &[u8]) -> Result<String, ImageError> {
    const BANNER: &[u8] = b"Linux version ";
    let mut rest = image;
    while let Some(at) = find(rest, BANNER) {
        rest = &rest[at + BANNER.len()..];
        if rest.first().is_some_and(u8::is_ascii_digit)
            && let Some(release) = word(rest)
        {
            return Ok(release);
        }
    }
    Err(ImageError::NoRelease)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    // Skip from one first byte to the next; `windows().position()` is ten times slower without optimisation.
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| *byte == needle[0]) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The printable text up to a space, a NUL or a line's end.
fn word(text: &[u8]) -> Option<String> {
    let end = text
        .iter()
        .take(256)
        .position(|byte| matches!(byte, b' ' | b'\n' | 0))?;
    let word = &text[..end];
    (!word.is_empty() && word.iter().all(u8::is_ascii_graphic))
        .then(|| String::from_utf8_lossy(word).into_owned())
}

fn u16_at(image: &[u8], at: usize) -> Result<u16, ImageError> {
    image
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map(|bytes| u16::from_le_bytes(*bytes))
        .ok_or(ImageError::Header("it ends within the header"))
}

fn u32_at(image: &[u8], at: usize) -> Result<usize, ImageError> {
    image
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map(|bytes| u32::from_le_bytes(*bytes) as usize)
        .ok_or(ImageError::Header("it ends within the header"))
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::super::compress::tests::{SUPPORTED, encode};
    use super::*;

    /// An ELF kernel as far as this module looks.
    pub(crate) fn fake_vmlinux(release: &str) -> Vec<u8> {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(5000, 7);
        elf.extend(
            format!("Linux version %s (x)\0Linux version {release} (who) (gcc) #1 SMP\n\0")
                .into_bytes(),
        );
        elf.resize(9000, 9);
        elf
    }

    /// A bzImage around a payload, compressed as asked; `None` leaves it as it is.
    pub(crate) fn fake_bzimage(release: &str, payload: &[u8], format: Option<Format>) -> Vec<u8> {
        const SETUP_SECTORS: u8 = 3;
        const PAYLOAD_OFFSET: u32 = 100;
        let mut packed = match format {
            Some(format) => encode(format, payload),
            None => payload.to_vec(),
        };
        if !matches!(format, None | Some(Format::Gzip)) {
            packed.extend(u32::try_from(payload.len()).unwrap().to_le_bytes());
        }
        let mut image = vec![0; (usize::from(SETUP_SECTORS) + 1) * 512 + PAYLOAD_OFFSET as usize];
        image[0x1f1] = SETUP_SECTORS;
        image[0x1fe..0x200].copy_from_slice(b"\x55\xaa");
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
        image[0x20e..0x210].copy_from_slice(&0x200_u16.to_le_bytes());
        let version = format!("{release} (who@where) #1 SMP\0");
        image[0x400..0x400 + version.len()].copy_from_slice(version.as_bytes());
        image[0x248..0x24c].copy_from_slice(&PAYLOAD_OFFSET.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
        image.extend(packed);
        image.extend([0xee; 64]);
        image
    }

    #[test]
    fn every_compression_is_unpacked() {
        let elf = fake_vmlinux("6.1.0-1-cloud-amd64");
        for format in SUPPORTED.into_iter().map(Some).chain([None]) {
            let image = fake_bzimage("6.1.0-1-cloud-amd64", &elf, format);
            assert_eq!(vmlinux(&image).unwrap(), elf, "{format:?}");
            assert_eq!(release(&image).unwrap(), "6.1.0-1-cloud-amd64");
        }
        assert_eq!(release(&elf).unwrap(), "6.1.0-1-cloud-amd64");
    }

    #[test]
    fn what_is_no_usable_kernel_says_why() {
        let elf = fake_vmlinux("6.1.0");
        let good = fake_bzimage("6.1.0", &elf, Some(Format::Xz));
        assert_eq!(vmlinux(b"MZ and so on"), Err(ImageError::NotAKernel));
        assert_eq!(release(b"MZ and so on"), Err(ImageError::NotAKernel));
        assert_eq!(
            release(b"\x7fELF but no kernel"),
            Err(ImageError::NoRelease)
        );
        assert!(matches!(vmlinux(&good[..2200]), Err(ImageError::Header(_))));

        let mut damaged = good.clone();
        damaged[2300] ^= 0xff;
        assert!(matches!(vmlinux(&damaged), Err(ImageError::Payload(_))));

        let not_elf = fake_bzimage("6.1.0", b"not a kernel", Some(Format::Zstd));
        assert!(matches!(vmlinux(&not_elf), Err(ImageError::Payload(_))));

        for (start, name) in [
            (b"BZh9".as_slice(), "Bzip2"),
            (b"what's this", "77 68 61 74"),
        ] {
            let error = vmlinux(&fake_bzimage("6.1.0", start, None))
                .unwrap_err()
                .to_string();
            assert!(error.contains(name), "{error}");
            assert!(error.contains("give the uncompressed vmlinux"), "{error}");
        }

        let mut wrong_size = fake_bzimage("6.1.0", &elf, Some(Format::Zstd));
        let end = wrong_size.len() - 64;
        wrong_size[end - 4] ^= 1;
        assert!(
            vmlinux(&wrong_size)
                .unwrap_err()
                .to_string()
                .contains("bytes came out instead of")
        );
    }

    proptest! {
        #[test]
        fn no_image_panics(mut image in proptest::collection::vec(any::<u8>(), 0x250..3000)) {
            let _ = (vmlinux(&image), release(&image));
            image[0x1fe..0x200].copy_from_slice(b"\x55\xaa");
            image[0x202..0x206].copy_from_slice(b"HdrS");
            let _ = (vmlinux(&image), release(&image));
            image[0x24a..0x24c].fill(0);
            image[0x24d..0x250].fill(0);
            let _ = (vmlinux(&image), release(&image));
        }
    }
}
