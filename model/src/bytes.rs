//! Byte strings that survive every format.
//!
//! Paths and arguments on Linux are bytes, not text. In binary formats a [`Bytes`] is its bytes; in
//! JSON it is a string in which everything outside printable ASCII and valid UTF-8 letters is
//! written `\xNN` and a backslash `\\`, so that no two byte strings share a spelling.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A path, an argument or any other byte string from a kernel.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    /// The bytes themselves.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Whether there is no byte at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What follows the last `/`, or everything where there is none.
    pub fn basename(&self) -> &[u8] {
        self.0.rsplit(|&b| b == b'/').next().unwrap_or(&self.0)
    }
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&str> for Bytes {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Bytes {
    /// The escaped spelling: safe to print to a terminal and reversible by [`FromStr`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\\' => f.write_str("\\\\")?,
                    // Letters and signs of any script pass; what steers a terminal does not.
                    c if c.is_control() || is_hidden(c) => {
                        let mut buffer = [0; 4];
                        for b in c.encode_utf8(&mut buffer).bytes() {
                            write!(f, "\\x{b:02x}")?;
                        }
                    }
                    c => fmt::Write::write_char(f, c)?,
                }
            }
            for b in chunk.invalid() {
                write!(f, "\\x{b:02x}")?;
            }
        }
        Ok(())
    }
}

/// Characters that nobody sees and that reorder, hide or forge text: bidirectional controls, zero-width
/// marks and fillers, variation selectors, tags, separators of lines that are no newline, and what is no
/// character at all (which XML forbids). Unicode's `Default_Ignorable_Code_Point`, and the rest of
/// `Bidi_Control`, by ranges.
pub const fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || c as u32 & 0xfffe == 0xfffe
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// An escaped spelling that [`Bytes`] would not have written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad escape at byte {at} of a byte string: only \\\\ and \\xNN are known")]
pub struct BadEscape {
    /// Offset of the backslash.
    pub at: usize,
}

impl FromStr for Bytes {
    type Err = BadEscape;

    fn from_str(text: &str) -> Result<Self, BadEscape> {
        let mut out = Vec::with_capacity(text.len());
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] != b'\\' {
                out.push(bytes[at]);
                at += 1;
                continue;
            }
            match bytes.get(at + 1) {
                Some(b'\\') => {
                    out.push(b'\\');
                    at += 2;
                }
                Some(b'x') => {
                    let digits = bytes.get(at + 2..at + 4).ok_or(BadEscape { at })?;
                    let digit = |d: u8| char::from(d).to_digit(16).ok_or(BadEscape { at });
                    let value = digit(digits[0])? * 16 + digit(digits[1])?;
                    out.push(u8::try_from(value).map_err(|_| BadEscape { at })?);
                    at += 4;
                }
                _ => return Err(BadEscape { at }),
            }
        }
        Ok(Self(out))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string")
            }

            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Bytes, E> {
                Ok(v.into())
            }

            fn visit_byte_buf<E: de::Error>(self, v: Vec<u8>) -> Result<Bytes, E> {
                Ok(Bytes(v))
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Bytes, E> {
                v.parse().map_err(E::custom)
            }
        }
        if deserializer.is_human_readable() {
            deserializer.deserialize_str(Visitor)
        } else {
            deserializer.deserialize_byte_buf(Visitor)
        }
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> Cow<'static, str> {
        "Bytes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "Bytes; those that are not printable UTF-8 are written \\xNN, a backslash \\\\." })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_survive_json_and_the_binary_form(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            let bytes = Bytes(raw);
            let json = serde_json::to_string(&bytes).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Bytes>(&json).unwrap(), &bytes);
            let binary = postcard::to_allocvec(&bytes).unwrap();
            prop_assert_eq!(&postcard::from_bytes::<Bytes>(&binary).unwrap(), &bytes);
        }

        #[test]
        fn the_printed_form_never_steers_a_terminal(raw in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert!(!Bytes(raw).to_string().chars().any(char::is_control));
        }
    }

    #[test]
    fn a_lone_backslash_is_refused() {
        assert_eq!("a\\q".parse::<Bytes>(), Err(BadEscape { at: 1 }));
        assert_eq!("\\x4".parse::<Bytes>(), Err(BadEscape { at: 0 }));
    }
}
