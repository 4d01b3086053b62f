//! What holds for any bytes of a download or of the cache. Called by `fuzz/` alone.

use std::{cmp::Ordering, path::Path, time::SystemTime};

use super::{
    compress::{self, Format},
    deb, deb822, image,
    lock::{Lock, PoolPath, series_of},
    modules::{self, Needs},
    release::Release,
    version,
};

/// No more than this is unpacked of one input.
const LIMIT: u64 = 1 << 22;

/// A kernel image, a bzImage or an ELF: its release is a word that stands in it, and what is unpacked is an
/// ELF. Gives whether it is either.
pub fn kernel_image(bytes: &[u8]) -> bool {
    let release = image::release(bytes);
    if let Ok(release) = &release {
        assert!(!release.is_empty() && release.bytes().all(|byte| byte.is_ascii_graphic()));
        let text = release.as_bytes();
        assert!(bytes.windows(text.len()).any(|part| part == text));
        let _ = series_of(release);
    }
    let plain = image::vmlinux(bytes);
    if let Ok(plain) = &plain {
        assert!(image::is_elf(plain));
        assert!(!image::is_elf(bytes), "an ELF is no bzImage");
    }
    release.is_ok() || plain.is_ok()
}

/// Any payload in a bzImage whose header is right. Gives whether it can be unpacked.
pub fn payload(bytes: &[u8]) -> bool {
    const START: usize = 1024 + 16;
    let mut image = vec![0; START];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(b"\x55\xaa");
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x20f_u16.to_le_bytes());
    image[0x248..0x24c].copy_from_slice(&16_u32.to_le_bytes());
    let length = u32::try_from(bytes.len()).expect("inputs are small");
    image[0x24c..0x250].copy_from_slice(&length.to_le_bytes());
    image.extend_from_slice(bytes);
    let plain = image::vmlinux(&image);
    if image::is_elf(bytes) {
        assert_eq!(plain.as_deref(), Ok(bytes));
    }
    let taken = plain.is_ok();
    if let Ok(plain) = plain {
        image.extend_from_slice(b"what comes behind the payload");
        assert_eq!(image::vmlinux(&image), Ok(plain));
    }
    taken
}

/// A compressed stream: never more than was allowed, and the same wherever the limit is. Gives whether
/// it can be unpacked.
pub fn stream(bytes: &[u8]) -> bool {
    let Some(format) = Format::sniff(bytes) else {
        return false;
    };
    let Ok(plain) = compress::decode(format, bytes, LIMIT) else {
        return false;
    };
    let length = plain.len() as u64;
    assert!(length <= LIMIT);
    assert_eq!(compress::decode(format, bytes, length).ok(), Some(plain));
    if let Some(less) = length.checked_sub(1) {
        assert!(compress::decode(format, bytes, less).is_err());
    }
    true
}

/// A package: no file in it leads out of the folder that it is unpacked into. Gives whether it
/// was read to its end, and holds any.
pub fn package(path: &Path) -> bool {
    let (mut left, mut files) = (LIMIT, 0);
    let read = deb::visit_files(path, &mut |member, reader| {
        assert!(member.is_relative());
        let names = member.components();
        assert!(
            names
                .into_iter()
                .all(|name| matches!(name, std::path::Component::Normal(_)))
        );
        let read = std::io::copy(&mut std::io::Read::take(reader, left), &mut std::io::sink())?;
        left -= read;
        files += 1;
        if left == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        Ok(())
    });
    read.is_ok() && files > 0
}

/// A module: what it says it needs are names, as the kernel has them. Gives whether it says anything, or is
/// the name of one.
pub fn module(bytes: &[u8]) -> bool {
    let path = Path::new("x.ko");
    let mut taken = false;
    for needs in [Needs::of(path, bytes).ok(), Some(Needs::of_modinfo(bytes))]
        .into_iter()
        .flatten()
    {
        taken |= !needs.hard.is_empty() || !needs.soft.is_empty();
        let of_kernel = |name: &String| !name.contains('-');
        assert!(needs.hard.iter().chain(&needs.soft).all(of_kernel));
        assert!(
            needs
                .hard
                .iter()
                .all(|name| !name.is_empty() && !name.contains(','))
        );
        assert!(
            needs
                .soft
                .iter()
                .all(|name| !name.contains(char::is_whitespace))
        );
    }
    if let Ok(name) = str::from_utf8(bytes)
        && let Some((module, _)) = modules::split_name(name)
    {
        assert!(name.replace('-', "_").starts_with(&module));
        taken = true;
    }
    taken
}

/// A lock reads back as it is written, and whatever it names stays below its archive. Gives whether it is a
/// lock.
pub fn lock(text: &str) -> bool {
    let Ok(lock) = Lock::parse(text) else {
        return false;
    };
    let again = Lock::parse(&lock.to_toml()).expect("it was written just now");
    assert_eq!(again, lock);
    let sorted = Lock::new(lock.kernels.clone());
    assert_eq!(Lock::new(sorted.kernels.clone()), sorted);
    for kernel in &lock.kernels {
        assert!(!kernel.cache_key().contains('/'));
        let found = lock.find(&kernel.release).expect("it is in the lock");
        assert_eq!(found.release, kernel.release);
        let _ = kernel.download_size();
        assert!(
            kernel
                .packages
                .iter()
                .all(|p| p.path.as_str().starts_with("pool/"))
        );
    }
    assert!(lock.series().len() <= lock.kernels.len());
    !lock.kernels.is_empty()
}

/// Indexes of the archive: fields come back as they stand, and a signed index tells only what is in it. Gives
/// whether it names a file, or is a signed index.
pub fn index(text: &str) -> bool {
    let mut taken = false;
    for stanza in deb822::stanzas(text) {
        if let Some(path) = stanza.get("Filename")
            && let Ok(path) = PoolPath::try_from(path.to_owned())
        {
            assert!(path.as_str().split('/').all(|part| part != ".."));
            taken = true;
        }
        let (a, b) = (stanza.get("Version"), stanza.get("Package"));
        versions(a.unwrap_or(text), b.unwrap_or_default());
    }
    let whole = format!("Suite: x\nCodename: y\n{text}");
    for (text, suite) in [(text, "sid"), (&whole, "x")] {
        if let Ok(release) = Release::parse(text, suite) {
            assert!(text.contains(release.packages_sha256.as_str()));
            assert!(release.packages_path.starts_with("main/binary-amd64/"));
            let _ = release.expired_since(SystemTime::UNIX_EPOCH);
            taken = true;
        }
    }
    taken
}

fn versions(a: &str, b: &str) {
    assert_eq!(version::compare(a, a), Ordering::Equal);
    assert_eq!(version::compare(a, b), version::compare(b, a).reverse());
    let later = format!("{a}.1");
    assert_eq!(version::compare(a, &format!("{a}~")), Ordering::Greater);
    assert_ne!(version::compare(&later, a), Ordering::Less);
}
