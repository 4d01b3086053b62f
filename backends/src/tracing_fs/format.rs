//! What tracefs says of its own binary formats: the files `format` of events, and `header_page`.
//!
//! Written by `f_show` and `ring_buffer_print_page_header` (`kernel/trace/trace_events.c`, `ring_buffer.c`), one
//! line a field: `field:TYPE NAME; offset:N; size:N; signed:N;`, with tabs.

/// One field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Where it begins, in bytes from the begin of the event.
    pub offset: usize,
    /// How long it is, in bytes.
    pub size: usize,
    signed: bool,
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The bytes are in the field.
    Here,
    /// The field says where in the event they are (`__data_loc`): offset in its low half, length in the high one.
    Elsewhere,
    /// The same, counted from the end of the field (`__rel_loc`, 5.17).
    Behind,
}

impl Field {
    /// The bytes of the field itself; `None` where the event is too short.
    fn raw(self, event: &[u8]) -> Option<&[u8]> {
        event.get(self.offset..)?.get(..self.size)
    }

    /// A number of up to eight bytes, extended as its sign wants it.
    pub fn number(self, event: &[u8]) -> Option<u64> {
        let raw = self.raw(event)?;
        let mut bytes = [0; 8];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        let number = u64::from_ne_bytes(bytes);
        let unused = 64 - 8 * u32::try_from(raw.len()).ok()?;
        if self.signed && unused < 64 {
            Some(
                (number << unused)
                    .cast_signed()
                    .wrapping_shr(unused)
                    .cast_unsigned(),
            )
        } else {
            Some(number)
        }
    }

    /// A number that fits into 32 bits, as process ids and the like do.
    pub fn word(self, event: &[u8]) -> Option<u32> {
        u32::try_from(self.number(event)? & 0xffff_ffff).ok()
    }

    /// The bytes that the field stands for.
    pub fn bytes(self, event: &[u8]) -> Option<&[u8]> {
        let raw = self.raw(event)?;
        let from = match self.place {
            Place::Here => return Some(raw),
            Place::Elsewhere => 0,
            Place::Behind => self.offset + self.size,
        };
        let location = u32::from_ne_bytes(raw.try_into().ok()?);
        let (offset, length) = (location & 0xffff, location >> 16);
        event.get(from + offset as usize..)?.get(..length as usize)
    }

    /// The string that the field stands for, without its NUL.
    pub fn string(self, event: &[u8]) -> Option<&[u8]> {
        let bytes = self.bytes(event)?;
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        Some(&bytes[..end])
    }
}

/// The format of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Format {
    /// What stands in `common_type` of its events.
    pub id: u16,
    fields: Vec<(String, Field)>,
}

impl Format {
    /// Reads a file `format`; `None` for what is none.
    pub fn parse(text: &str) -> Option<Self> {
        let id = text.lines().find_map(|line| line.strip_prefix("ID: "))?;
        Some(Self {
            id: id.trim().parse().ok()?,
            fields: fields(text),
        })
    }

    /// The field of that name.
    pub fn field(&self, name: &str) -> Option<Field> {
        find(&self.fields, name)
    }
}

/// What stands first in every event (`common_type`).
pub fn event_id(raw: &[u8]) -> Option<u16> {
    raw.first_chunk().map(|id| u16::from_ne_bytes(*id))
}

/// All fields of a text, with their names.
pub fn fields(text: &str) -> Vec<(String, Field)> {
    text.lines().filter_map(field).collect()
}

/// The field of that name.
pub fn find(fields: &[(String, Field)], name: &str) -> Option<Field> {
    let found = fields.iter().find(|(other, _)| other == name);
    found.map(|&(_, field)| field)
}

fn field(line: &str) -> Option<(String, Field)> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declaration = parts.next()?.strip_prefix("field:")?.trim();
    let mut number =
        |name: &str| -> Option<usize> { parts.next()?.strip_prefix(name)?.parse().ok() };
    let (offset, size) = (number("offset:")?, number("size:")?);
    let signed = number("signed:")? == 1;
    let (kind, name) = declaration.rsplit_once(' ')?;
    let place = match kind.split(' ').next()? {
        "__data_loc" => Place::Elsewhere,
        "__rel_loc" => Place::Behind,
        _ => Place::Here,
    };
    let name = name.split('[').next()?;
    // No event is longer than a sub-buffer, and those are at most some megabytes.
    let sane = offset < 1 << 24 && size < 1 << 24;
    let field = Field {
        offset,
        size,
        signed,
        place,
    };
    sane.then(|| (name.to_owned(), field))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Linux 6.18 prints it.
    const EXEC: &str = "name: sched_process_exec
ID: 365
format:
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

	field:__data_loc char[] filename;	offset:8;	size:4;	signed:0;
	field:pid_t pid;	offset:12;	size:4;	signed:1;
	field:pid_t old_pid;	offset:16;	size:4;	signed:1;

print fmt: \"filename=%s pid=%d old_pid=%d\", __get_str(filename), REC->pid, REC->old_pid
";

    /// An event of that format.
    fn exec(pid: u32, old_pid: u32, filename: &[u8]) -> Vec<u8> {
        let mut event = 365u16.to_ne_bytes().to_vec();
        event.extend([0, 0]);
        event.extend(old_pid.to_ne_bytes());
        let length = u32::try_from(filename.len() + 1).unwrap();
        event.extend((length << 16 | 0x14).to_ne_bytes());
        event.extend(pid.to_ne_bytes());
        event.extend(old_pid.to_ne_bytes());
        event.extend(filename);
        event.push(0);
        event.resize(event.len().next_multiple_of(4), 0);
        event
    }

    #[test]
    fn fields_are_found_by_name_whatever_their_type() {
        let format = Format::parse(EXEC).unwrap();
        assert_eq!(format.id, 365);
        let event = exec(7, 8, b"/bin/x");
        let word = |name: &str| format.field(name).unwrap().word(&event);
        assert_eq!((word("pid"), word("old_pid")), (Some(7), Some(8)));
        let filename = format.field("filename").unwrap();
        assert_eq!(filename.string(&event), Some(&b"/bin/x"[..]));
        assert_eq!(format.field("file"), None);

        let arrays = fields("field:char comm[16];	offset:12;	size:16;	signed:0;");
        assert_eq!(arrays[0].0, "comm");
        let relative = fields("field:__rel_loc char[] s;	offset:2;	size:4;	signed:0;");
        let event = [&[0, 0][..], &(3u32 << 16 | 1).to_ne_bytes(), b".ab\0"].concat();
        assert_eq!(relative[0].1.string(&event), Some(&b"ab"[..]));
    }

    #[test]
    fn numbers_are_extended_as_their_sign_wants_it() {
        let number = |line: &str| fields(line)[0].1.number(&[0xfe, 0xff, 0xff, 0xff]);
        let signed = number("field:int a;	offset:0;	size:4;	signed:1;");
        assert_eq!(signed, Some(2u64.wrapping_neg()));
        let unsigned = number("field:u32 a;	offset:0;	size:4;	signed:0;");
        assert_eq!(unsigned, Some(0xffff_fffe));
        assert_eq!(number("field:u64 a;	offset:0;	size:8;	signed:0;"), None);
        assert_eq!(number("field:x a[0];	offset:0;	size:0;	signed:1;"), Some(0));
    }

    proptest! {
        #[test]
        fn no_text_and_no_event_is_too_odd(
            text in "(field:|__data_loc|__rel_loc| |[a-z;:\\[]|offset:|size:|signed:|[0-9]{1,20}|\n){0,40}",
            event in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            for (_, field) in fields(&text) {
                let _ = (field.number(&event), field.word(&event), field.string(&event));
            }
            let _ = Format::parse(&text);
        }

        #[test]
        fn events_read_back(pid: u32, old_pid: u32, name in prop::collection::vec(1u8.., 0..200)) {
            let format = Format::parse(EXEC).unwrap();
            let event = exec(pid, old_pid, &name);
            prop_assert_eq!(format.field("pid").unwrap().word(&event), Some(pid));
            prop_assert_eq!(format.field("filename").unwrap().string(&event), Some(&name[..]));
        }
    }
}
