//! Entries of `binary_runtime_measurements`, as they come in pieces.
//!
//! An entry is, in the byte order of the machine: the number of a PCR (32 bits), 20 bytes of hash, the length of a
//! template's name and the name, the length of its fields and the fields (`ima_measurements_show`). A field
//! is its length and its bytes; the second one of `ima-ng` and of all that extend it is the path, with a zero behind it.

use execlab_model::Bytes;

/// The hash of an entry: that of SHA-1, whatever files are hashed with.
const HASH: usize = 20;
/// Longer than any entry: a path is 4,096 bytes at most, a signature some hundreds.
const MOST: u32 = 1 << 20;

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `None` for a template that has none in its second field.
    pub path: Option<Bytes>,
    /// Whether it stands for a file whose hash cannot be relied on: no exec.
    pub violation: bool,
}

/// What is no list of measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a length of {0} bytes, in an entry that has no such")]
pub struct BadLength(u32);

/// The part of the list that was read and not yet handed on.
#[derive(Debug, Default)]
pub struct List {
    bytes: Vec<u8>,
    /// Where the next entry begins.
    at: usize,
}

/// Takes parts off the front of an entry.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    /// Bytes with their length before them; `None` where the end has not come yet.
    fn counted(&mut self) -> Result<Option<&'a [u8]>, BadLength> {
        let Some(length) = self.bytes(4) else {
            return Ok(None);
        };
        let length = u32::from_ne_bytes(length.try_into().expect("4 bytes"));
        if length > MOST {
            return Err(BadLength(length));
        }
        Ok(self.bytes(length as usize))
    }
}

impl List {
    /// Takes in what was read.
    pub fn add(&mut self, bytes: &[u8]) {
        self.bytes.drain(..std::mem::take(&mut self.at));
        self.bytes.extend_from_slice(bytes);
    }

    /// The next entry; `None` where it has not come whole yet.
    pub fn next(&mut self) -> Result<Option<Entry>, BadLength> {
        let mut cursor = Cursor(&self.bytes[self.at..]);
        let Some(hash) = cursor.bytes(4 + HASH) else {
            return Ok(None);
        };
        if cursor.counted()?.is_none() {
            return Ok(None);
        }
        let Some(fields) = cursor.counted()? else {
            return Ok(None);
        };
        let left = cursor.0.len();
        let entry = Entry {
            path: path(fields),
            violation: hash[4..].iter().all(|&byte| byte == 0),
        };
        self.at = self.bytes.len() - left;
        Ok(Some(entry))
    }
}

/// The second field, without the zero behind it.
fn path(fields: &[u8]) -> Option<Bytes> {
    let mut cursor = Cursor(fields);
    cursor.counted().ok()??;
    let name = cursor.counted().ok()??;
    Some(name.strip_suffix(b"\0").unwrap_or(name).into())
}

/// What holds for any list, cut into pieces of any length. Called by `fuzz/` alone: the pieces change nothing, and no more is told than
/// was there. Gives whether there was an entry.
#[cfg(feature = "fuzzing")]
pub fn check(input: &[u8]) -> bool {
    let Some((&piece, raw)) = input.split_first() else {
        return false;
    };
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let (mut list, mut entries) = (List::default(), Vec::new());
        for piece in pieces {
            list.add(piece);
            loop {
                match list.next() {
                    Ok(Some(entry)) => entries.push(entry),
                    Ok(None) => break,
                    Err(error) => return (entries, Some(error)),
                }
            }
        }
        (entries, None)
    };
    let whole = read(&mut std::iter::once(raw));
    assert_eq!(read(&mut raw.chunks(usize::from(piece) + 1)), whole);
    let paths = whole.0.iter().filter_map(|entry| entry.path.as_ref());
    let told: usize = paths.map(|path| path.as_slice().len()).sum();
    assert!(told + whole.0.len() * (4 + HASH) <= raw.len());
    !whole.0.is_empty()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counted(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap();
        [&length.to_ne_bytes()[..], bytes].concat()
    }

    /// An entry as the kernel writes it.
    pub fn entry(template: &str, path: &[u8], violation: bool) -> Vec<u8> {
        let fields = [
            counted(&[b"sha256:\0".as_slice(), &[7; 32]].concat()),
            counted(&[path, b"\0"].concat()),
            counted(b""),
        ];
        [
            &10u32.to_ne_bytes()[..],
            &[u8::from(!violation); HASH],
            &counted(template.as_bytes()),
            &counted(&fields.concat()),
        ]
        .concat()
    }

    #[test]
    fn an_entry_of_a_real_kernel_reads_back() {
        // Of 7.3: /bin/busybox, measured by `measure func=BPRM_CHECK`.
        let text = "0a000000d103110c32a7cedd0522f5e79bd08de13b97af5407000000696d612d7369674100000028000000\
                    7368613235363a003d9f2889d6782537624a4e1a10e68a2ddd53e0ee8bac02676f27308f42ec6bf60d0000\
                    002f62696e2f62757379626f780000000000";
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let mut list = List::default();
        list.add(&bytes);
        let path = Some("/bin/busybox".into());
        assert_eq!(
            list.next(),
            Ok(Some(Entry {
                path,
                violation: false
            }))
        );
        assert_eq!(list.next(), Ok(None));
    }

    #[test]
    fn a_length_that_cannot_be_ends_it() {
        let mut bytes = entry("ima-ng", b"/x", false);
        bytes[24..28].copy_from_slice(&u32::MAX.to_ne_bytes());
        let mut list = List::default();
        list.add(&bytes);
        assert_eq!(list.next(), Err(BadLength(u32::MAX)));
    }

    proptest! {
        #[test]
        fn entries_come_through_in_any_pieces(
            entries in proptest::collection::vec(
                (proptest::collection::vec(1u8.., 0..50), any::<bool>()), 0..8),
            piece in 1usize..90,
        ) {
            let bytes: Vec<u8> = entries
                .iter()
                .flat_map(|(path, violation)| entry("ima-sig", path, *violation))
                .collect();
            let mut list = List::default();
            let mut got = Vec::new();
            for piece in bytes.chunks(piece) {
                list.add(piece);
                while let Some(entry) = list.next().unwrap() {
                    got.push((entry.path.unwrap().0, entry.violation));
                }
            }
            prop_assert_eq!(got, entries);
        }

        #[test]
        fn garbage_is_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut list = List::default();
            list.add(&bytes);
            while let Ok(Some(_)) = list.next() {}
        }
    }
}
