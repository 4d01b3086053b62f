//! The text of one record: `audit(SECONDS.MILLIS:SERIAL): name=value name="value" …`.
//!
//! Strings that a process chose stand in quotes if they hold nothing but printable ASCII without
//! space and quote, else in hexadecimal without quotes (`audit_log_untrustedstring`). So a value
//! never ends early and never runs into the next one, and one without quotes is never text.

use execlab_model::Bytes;

/// When an event was, and which of that millisecond it is: what its records have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// Milliseconds of `CLOCK_REALTIME`, from the clock that moves once a tick.
    pub millis: u64,
    /// Counts up, and wraps round.
    pub serial: u32,
}

/// The value of a field, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// What stands between quotes.
    Quoted(&'a [u8]),
    /// What stands without.
    Bare(&'a [u8]),
}

/// A path that the kernel could not write out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwritten;

/// Splits off the stamp; the rest are the fields.
pub fn stamp(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let text = text.strip_prefix(b"audit(")?;
    let close = text.iter().position(|&b| b == b')')?;
    let (inside, rest) = (&text[..close], &text[close + 1..]);
    let dot = inside.iter().position(|&b| b == b'.')?;
    let colon = inside.iter().position(|&b| b == b':')?;
    let millis = inside.get(dot + 1..colon).filter(|m| m.len() == 3)?;
    let stamp = Stamp {
        millis: decimal(&inside[..dot])?
            .checked_mul(1000)?
            .checked_add(decimal(millis)?)?,
        serial: decimal(&inside[colon + 1..])?.try_into().ok()?,
    };
    Some((stamp, rest.strip_prefix(b":").unwrap_or(rest)))
}

/// The fields of a record, in the order in which they stand. Words that are no fields are skipped.
pub fn fields(text: &[u8]) -> Fields<'_> {
    Fields(text)
}

/// See [`fields`].
#[derive(Debug, Clone)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = (&'a [u8], Value<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let begin = self.0.iter().position(|&b| b != b' ')?;
            let text = &self.0[begin..];
            let end = text
                .iter()
                .position(|&b| b == b'=' || b == b' ')
                .unwrap_or(text.len());
            let (name, rest) = text.split_at(end);
            let Some(rest) = rest.strip_prefix(b"=") else {
                self.0 = rest;
                continue;
            };
            let (value, rest) = if let Some(rest) = rest.strip_prefix(b"\"") {
                let end = rest.iter().position(|&b| b == b'"').unwrap_or(rest.len());
                let after = rest.get(end + 1..).unwrap_or_default();
                (Value::Quoted(&rest[..end]), after)
            } else {
                let end = rest.iter().position(|&b| b == b' ').unwrap_or(rest.len());
                (Value::Bare(&rest[..end]), &rest[end..])
            };
            self.0 = rest;
            return Some((name, value));
        }
    }
}

impl Value<'_> {
    /// A number that the kernel wrote in decimal.
    pub fn number<T: TryFrom<u64>>(self) -> Option<T> {
        match self {
            Value::Bare(digits) => decimal(digits)?.try_into().ok(),
            Value::Quoted(_) => None,
        }
    }

    /// A number that the kernel wrote in hexadecimal (`arch`).
    pub fn hex_number(self) -> Option<u32> {
        match self {
            Value::Bare(digits) => hex(digits),
            Value::Quoted(_) => None,
        }
    }

    /// A number that the kernel wrote in hexadecimal with `0x` before it (`code`).
    pub fn prefixed_hex_number(self) -> Option<u32> {
        match self {
            Value::Bare(digits) => hex(digits.strip_prefix(b"0x")?),
            Value::Quoted(_) => None,
        }
    }

    /// A string that a process chose. `None` if it is written as no such string is.
    pub fn string(self) -> Option<Bytes> {
        match self {
            Value::Quoted(bytes) => Some(bytes.into()),
            Value::Bare(digits) => unhex(digits).map(Bytes),
        }
    }

    /// A path that the kernel made (`exe`, `cwd`): absolute, or told why not.
    pub fn path(self) -> Result<Option<Bytes>, Unwritten> {
        match self {
            // A path begins with a slash, so these can be none.
            Value::Quoted(b"<too_long>" | b"<no_memory>") => Err(Unwritten),
            other => Ok(other.string()),
        }
    }

    /// The device number in `dev=fd:01`, as `stat` gives it.
    pub fn device(self) -> Option<u64> {
        let Value::Bare(text) = self else {
            return None;
        };
        let colon = text.iter().position(|&b| b == b':')?;
        Some(libc::makedev(
            hex(&text[..colon])?,
            hex(&text[colon + 1..])?,
        ))
    }

    /// How many bytes it takes in the record, without quotes.
    pub fn written(self) -> usize {
        match self {
            Value::Quoted(bytes) | Value::Bare(bytes) => bytes.len(),
        }
    }
}

fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |number, &b| {
        let digit = b.is_ascii_digit().then(|| u64::from(b - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits
        .iter()
        .try_fold(0, |number, &b| Some(number << 4 | u32::from(nibble(b)?)))
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The bytes in hexadecimal text; `None` for anything that is not pairs of digits, such as `(null)`.
fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?))
        .collect()
}

/// The call number in the name of an argument's field: `a3` is `(3, 0)`, `a3[2]` is `(3, 2)`.
pub fn argument(name: &[u8]) -> Option<Argument> {
    let rest = name.strip_prefix(b"a")?;
    if let Some(digits) = rest.strip_suffix(b"_len") {
        return Some(Argument::Length(decimal(digits)?.try_into().ok()?));
    }
    if let Some(inside) = rest.strip_suffix(b"]") {
        let open = inside.iter().position(|&b| b == b'[')?;
        return Some(Argument::Part(
            decimal(&inside[..open])?.try_into().ok()?,
            decimal(&inside[open + 1..])?.try_into().ok()?,
        ));
    }
    Some(Argument::Whole(decimal(rest)?.try_into().ok()?))
}

/// What a field of an EXECVE record says of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// `a3=`: all of it.
    Whole(u32),
    /// `a3[2]=`: a part of one that is split.
    Part(u32, u32),
    /// `a3_len=`: how many bytes all parts together take in the records, without quotes.
    Length(u32),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::kernel_text::untrusted;

    #[test]
    fn stamps_are_read_and_nothing_else_is_one() {
        let (stamp, rest) = stamp(b"audit(1700000000.042:4294967295): a=b").unwrap();
        assert_eq!(stamp.millis, 1_700_000_000_042);
        assert_eq!(stamp.serial, u32::MAX);
        assert_eq!(rest, b" a=b");
        for text in [
            &b""[..],
            b"audit(",
            b"audit()",
            b"audit(1.2:3): ",
            b"audit(1.002:): ",
            b"audit(1.002:4294967296): ",
            b"audit(18446744073709551615.000:1): ",
            b"audit(:.1): ",
        ] {
            assert_eq!(super::stamp(text), None, "{text:?}");
        }
    }

    #[test]
    fn fields_end_where_they_end() {
        let all: Vec<_> = fields(b" a=1  b=\"x\" stray c= d=(null) e=\"open").collect();
        assert_eq!(
            all,
            [
                (&b"a"[..], Value::Bare(b"1")),
                (b"b", Value::Quoted(b"x")),
                (b"c", Value::Bare(b"")),
                (b"d", Value::Bare(b"(null)")),
                (b"e", Value::Quoted(b"open")),
            ]
        );
    }

    #[test]
    fn what_looks_like_hexadecimal_but_is_quoted_is_text() {
        assert_eq!(Value::Quoted(b"616263").string(), Some("616263".into()));
        assert_eq!(Value::Bare(b"616263").string(), Some("abc".into()));
        assert_eq!(Value::Bare(b"(null)").string(), None);
        assert_eq!(Value::Quoted(b"<too_long>").path(), Err(Unwritten));
        assert_eq!(Value::Quoted(b"").string(), Some("".into()));
    }

    #[test]
    fn devices_are_those_of_stat() {
        assert_eq!(Value::Bare(b"fd:01").device(), Some(libc::makedev(0xfd, 1)));
        assert_eq!(
            Value::Bare(b"00:100").device(),
            Some(libc::makedev(0, 0x100))
        );
        assert_eq!(Value::Bare(b"01").device(), None);
    }

    #[test]
    fn names_of_arguments() {
        assert_eq!(argument(b"a0"), Some(Argument::Whole(0)));
        assert_eq!(argument(b"a12[345]"), Some(Argument::Part(12, 345)));
        assert_eq!(argument(b"a7_len"), Some(Argument::Length(7)));
        for name in [
            &b"argc"[..],
            b"a",
            b"a[1]",
            b"a1[]",
            b"a1[2",
            b"b1",
            b"a_len",
        ] {
            assert_eq!(argument(name), None, "{name:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_never_a_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = stamp(&text);
            for (name, value) in fields(&text) {
                let _ = (argument(name), value.string(), value.path(), value.device());
                let _ = (value.number::<u32>(), value.hex_number(), value.written());
            }
        }

        #[test]
        fn hostile_strings_come_through(
            strings in proptest::collection::vec(proptest::collection::vec(1u8.., 0..40), 0..6),
        ) {
            let mut text = b" ".to_vec();
            for s in &strings {
                text.extend_from_slice(b"x=");
                text.extend_from_slice(&untrusted(s));
                text.push(b' ');
            }
            let got: Vec<_> = fields(&text).map(|(_, v)| v.string().unwrap().0).collect();
            prop_assert_eq!(got, strings);
        }
    }
}
