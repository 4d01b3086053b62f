//! Where the members of the kernel's structures are: the types that the kernel tells of itself in
//! `/sys/kernel/btf/vmlinux` (`CONFIG_DEBUG_INFO_BTF`, 5.4).
//!
//! The format is that of `include/uapi/linux/btf.h`. The one crate that gives members out (`btf-rs`) is LGPL, which does
//! not go with a static program under our licences; only what leads from a name to an offset is read here.

/// Type information that was read.
#[derive(Debug)]
pub struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Where each type begins, by its number; number 0 is `void` and begins nowhere.
    begins: Vec<usize>,
}

/// Where a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// From the begin of the outermost structure, in bits.
    pub bits: u32,
    kind: u32,
}

impl Member {
    /// In bytes; `None` for a bit field that begins within one.
    pub fn bytes(self) -> Option<u32> {
        self.bits.is_multiple_of(8).then_some(self.bits / 8)
    }
}

const STRUCT: u32 = 4;
const UNION: u32 = 5;
const TYPEDEF: u32 = 8;
const VOLATILE: u32 = 9;
const CONST: u32 = 10;
const RESTRICT: u32 = 11;
const TYPE_TAG: u32 = 18;

/// What stands first in each type: the offset of its name, its kind with a count, and a size or another type.
const HEAD: usize = 12;
/// How deep structures without names and typedefs are looked into.
const DEEPEST: u32 = 32;
/// How many of those are looked into for one member; in a real kernel's types a few.
const MOST: u32 = 4096;

impl Btf {
    /// Reads them; `None` for what is no type information, or has kinds of types that are newer than this reader.
    pub fn parse(raw: &[u8]) -> Option<Self> {
        if *raw.first_chunk()? != 0xeb9f_u16.to_ne_bytes() {
            return None;
        }
        let number = |at| Some(word(raw, at)? as usize);
        let (header, types, types_length) = (number(4)?, number(8)?, number(12)?);
        let (strings, strings_length) = (number(16)?, number(20)?);
        let section = |at: usize, length: usize| {
            let begin = header.checked_add(at)?;
            Some(raw.get(begin..begin.checked_add(length)?)?.to_vec())
        };
        let types = section(types, types_length)?;
        let strings = section(strings, strings_length)?;
        let (mut begins, mut at) = (vec![usize::MAX], 0);
        while at < types.len() {
            begins.push(at);
            at = at
                .checked_add(HEAD)?
                .checked_add(behind(word(&types, at + 4)?)?)?;
        }
        Some(Self {
            types,
            strings,
            begins,
        })
    }

    /// The member of a structure by its name, or by several joined by dots, of members within members.
    pub fn member(&self, structure: &str, path: &str) -> Option<Member> {
        let mut found = Member {
            bits: 0,
            kind: self.structure(structure)?,
        };
        for name in path.split('.') {
            let inner = self.find(found.kind, name, 0, &mut 0)?;
            found = Member {
                bits: found.bits.checked_add(inner.bits)?,
                kind: inner.kind,
            };
        }
        Some(found)
    }

    /// How long a structure is, in bytes.
    pub fn size(&self, structure: &str) -> Option<u32> {
        self.word(self.structure(structure)?, 8)
    }

    /// The number of the structure with this name.
    fn structure(&self, name: &str) -> Option<u32> {
        let is = |&number: &u32| {
            let kind = self.kind(number);
            kind == Some(STRUCT) && self.name(number, 0) == Some(name.as_bytes())
        };
        let last = u32::try_from(self.begins.len()).ok()?;
        (1..last).find(is)
    }

    /// A member of a type, also of the structures without a name in it.
    fn find(&self, number: u32, name: &str, depth: u32, looked: &mut u32) -> Option<Member> {
        let number = self.plain(number)?;
        // Types that hold each other would never come to an end.
        *looked += 1;
        if depth > DEEPEST || *looked > MOST || !matches!(self.kind(number)?, STRUCT | UNION) {
            return None;
        }
        let info = self.word(number, 4)?;
        let has_bit_fields = info >> 31 == 1;
        for index in 0..(info & 0xffff) as usize {
            let at = HEAD + 12 * index;
            let (kind, offset) = (self.word(number, at + 4)?, self.word(number, at + 8)?);
            let bits = if has_bit_fields {
                offset & 0x00ff_ffff
            } else {
                offset
            };
            let own = self.name(number, at)?;
            if own == name.as_bytes() {
                return Some(Member { bits, kind });
            }
            if own.is_empty()
                && let Some(inner) = self.find(kind, name, depth + 1, looked)
            {
                return Some(Member {
                    bits: bits.checked_add(inner.bits)?,
                    kind: inner.kind,
                });
            }
        }
        None
    }

    /// What a typedef or a qualifier stands for.
    fn plain(&self, mut number: u32) -> Option<u32> {
        for _ in 0..DEEPEST {
            match self.kind(number)? {
                TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG => {
                    number = self.word(number, 8)?;
                }
                _ => return Some(number),
            }
        }
        None
    }

    fn kind(&self, number: u32) -> Option<u32> {
        Some(self.word(number, 4)? >> 24 & 0x1f)
    }

    fn word(&self, number: u32, at: usize) -> Option<u32> {
        let begin = *self.begins.get(number as usize)?;
        word(&self.types, begin.checked_add(at)?)
    }

    /// The string whose offset stands there.
    fn name(&self, number: u32, at: usize) -> Option<&[u8]> {
        let text = self.strings.get(self.word(number, at)? as usize..)?;
        text.split(|&b| b == 0).next()
    }
}

fn word(raw: &[u8], at: usize) -> Option<u32> {
    let bytes = raw.get(at..)?.first_chunk()?;
    Some(u32::from_ne_bytes(*bytes))
}

/// How many bytes follow the head of a type.
fn behind(info: u32) -> Option<usize> {
    let count = (info & 0xffff) as usize;
    Some(match info >> 24 & 0x1f {
        // Numbers, variables and tags of declarations; arrays.
        1 | 14 | 17 => 4,
        3 => 12,
        // Structures, sections and enumerations of 64 bits; enumerations and parameters.
        STRUCT | UNION | 15 | 19 => 12 * count,
        6 | 13 => 8 * count,
        2 | 7..=12 | 16 | TYPE_TAG => 0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Type information of: 1 an int; 2 `struct inner { int pad; int x; }`; 3 a union without a name that holds it
    /// as `i`; 4 a typedef of 2; 5 `struct outer { int a:3; union 3; typedef 4 named; }`.
    fn example() -> Vec<u8> {
        let strings = b"\0inner\0pad\0x\0i\0outer\0a\0named\0int\0".to_vec();
        let name = |name: &str| {
            let sought = format!("\0{name}\0");
            let at = strings
                .windows(sought.len())
                .position(|w| w == sought.as_bytes());
            u32::try_from(at.unwrap() + 1).unwrap()
        };
        let types: Vec<u32> = [
            vec![name("int"), 1 << 24, 4, 32],
            vec![
                name("inner"),
                STRUCT << 24 | 2,
                8,
                name("pad"),
                1,
                0,
                name("x"),
                1,
                32,
            ],
            vec![0, UNION << 24 | 1, 8, name("i"), 2, 0],
            vec![0, TYPEDEF << 24, 2],
            vec![
                name("outer"),
                1 << 31 | STRUCT << 24 | 3,
                24,
                name("a"),
                1,
                3 << 24 | 5,
                0,
                3,
                64,
                name("named"),
                4,
                128,
            ],
        ]
        .concat();
        let types: Vec<u8> = types.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let header = [24, 0, length(&types), length(&types), length(&strings)];
        let mut raw = 0xeb9f_u16.to_ne_bytes().to_vec();
        raw.extend([1, 0]);
        raw.extend(header.iter().flat_map(|w| w.to_ne_bytes()));
        raw.extend(types);
        raw.extend(strings);
        raw
    }

    #[test]
    fn members_are_found_through_unions_and_typedefs() {
        let btf = Btf::parse(&example()).unwrap();
        let bits = |path: &str| btf.member("outer", path).map(|m| m.bits);
        assert_eq!(bits("a"), Some(5));
        assert_eq!(btf.member("outer", "a").unwrap().bytes(), None);
        assert_eq!(bits("i"), Some(64));
        assert_eq!(bits("i.x"), Some(96));
        assert_eq!(bits("named.x"), Some(160));
        assert_eq!(btf.member("outer", "named.x").unwrap().bytes(), Some(20));
        assert_eq!(
            (bits("x"), bits("named.y"), btf.size("outer")),
            (None, None, Some(24))
        );
    }

    /// Number 1 is a structure that holds itself, 200 times and without a name.
    #[test]
    fn types_that_hold_each_other_come_to_an_end() {
        let members = 200u32;
        let mut types = vec![1, STRUCT << 24 | members, 0];
        types.extend((0..members).flat_map(|_| [0, 1, 0]));
        let strings = b"\0s\0";
        let length = 4 * u32::try_from(types.len()).unwrap();
        let mut raw = 0xeb9f_u16.to_ne_bytes().to_vec();
        raw.extend([1, 0]);
        let header = [24, 0, length, length, 3];
        raw.extend(header.iter().chain(&types).flat_map(|w| w.to_ne_bytes()));
        raw.extend(strings);
        let btf = Btf::parse(&raw).unwrap();
        assert_eq!(btf.size("s"), Some(0));
        assert!(btf.member("s", "x").is_none());
    }

    #[test]
    fn the_running_kernels_types_are_read() {
        let Ok(raw) = std::fs::read("/sys/kernel/btf/vmlinux") else {
            return;
        };
        let btf = Btf::parse(&raw).unwrap();
        assert_eq!(btf.member("list_head", "prev").unwrap().bytes(), Some(8));
        assert!(btf.member("task_struct", "tgid").is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_odd(changes in prop::collection::vec((0usize..300, any::<u8>()), 0..20), cut in 0usize..300) {
            let mut raw = example();
            for (at, byte) in changes {
                if let Some(place) = raw.get_mut(at) {
                    *place = byte;
                }
            }
            raw.truncate(cut.max(24));
            if let Some(btf) = Btf::parse(&raw) {
                let _ = (btf.member("outer", "named.x"), btf.size("inner"));
            }
        }
    }
}
