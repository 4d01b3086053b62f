//! What holds for any bytes from tracefs, and from the kernel's own types. Called by `fuzz/` alone.

use super::{
    btf::Btf,
    losses::Stats,
    page::{Layout, Page, is_known_encoding},
    text::{Item, Text},
};
use crate::tracing_fs::format::{Format, event_id, fields};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn check(input: &[u8]) -> bool {
    let Some((form, bytes)) = input.split_first() else {
        return false;
    };
    match form % 5 {
        0 => page(bytes),
        1 => text(bytes),
        2 => event(bytes),
        3 => headers(bytes),
        _ => types(bytes),
    }
}

/// As a 64-bit kernel's `header_page` tells it.
const HEADER_PAGE: &str = "field: u64 timestamp; offset:0; size:8; signed:0;
field: local_t commit; offset:8; size:8; signed:1;
field: char data; offset:16; size:4080; signed:0;
";

/// Events lie in their page, one behind the other, and what stands behind the page changes nothing.
fn page(bytes: &[u8]) -> bool {
    let layout = Layout::parse(HEADER_PAGE).expect("a kernel's own");
    let read = |raw: &[u8]| {
        let mut events = Vec::new();
        let page = Page::parse(layout, raw).ok()?;
        let whole = page.events(|time, event| events.push((time, event.to_vec())));
        Some((page.time_ns, page.missed, whole, events))
    };
    let Some(page) = read(bytes) else {
        return false;
    };
    let padded = [bytes, &[0xff; 9]].concat();
    assert_eq!(read(&padded).as_ref(), Some(&page));
    let events = &page.3;
    // Each has a head of four bytes.
    let told: usize = events.iter().map(|(_, event)| 4 + event.len()).sum();
    assert!(16 + told <= bytes.len(), "more than there was");
    !events.is_empty()
}

#[derive(Debug, PartialEq, Eq)]
enum Owned {
    Exec(u64, u32, Vec<u8>),
    Lost(Option<u64>),
    TooBig(u64),
}

fn read(pieces: &[&[u8]]) -> (Vec<Owned>, u64) {
    let (mut text, mut items) = (Text::default(), Vec::new());
    for piece in pieces {
        text.push(piece, |item| {
            items.push(match item {
                Item::Exec {
                    time_us,
                    pid,
                    filename,
                } => Owned::Exec(time_us, pid, filename.to_vec()),
                Item::Lost(count) => Owned::Lost(count),
                Item::TooBig { time_us } => Owned::TooBig(time_us),
            });
        });
    }
    (items, text.odd)
}

/// It does not matter in which pieces a text comes, and names stand in it.
fn text(bytes: &[u8]) -> bool {
    let Some((cut, bytes)) = bytes.split_first() else {
        return false;
    };
    let whole = read(&[bytes]);
    // What never ends is given up, and how soon depends on the pieces.
    if bytes.len() < 8 << 10 {
        let (head, tail) = bytes.split_at(usize::from(*cut).min(bytes.len()));
        assert_eq!(read(&[head, tail]), whole);
    }
    // Each piece has what waits looked through again.
    if bytes.len() < 512 {
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(read(&single), whole);
    }
    for item in &whole.0 {
        if let Owned::Exec(_, _, name) = item {
            assert!(name.is_empty() || bytes.windows(name.len()).any(|part| part == name));
        }
    }
    !whole.0.is_empty()
}

/// Whatever a format says, a field tells of no more than the event; format and event are parted by a NUL.
fn event(bytes: &[u8]) -> bool {
    let mut parts = bytes.splitn(2, |&byte| byte == 0);
    let format = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let raw = parts.next().unwrap_or_default();
    let fields = fields(&format);
    for (_, field) in &fields {
        let (bytes, string) = (field.bytes(raw), field.string(raw));
        if let Some(string) = string {
            assert!(!string.contains(&0));
            assert!(
                bytes.is_some_and(|bytes| bytes.starts_with(string) && bytes.len() <= raw.len())
            );
        }
        if let Some(number) = field.number(raw) {
            assert_eq!(field.word(raw).map(u64::from), Some(number & 0xffff_ffff));
        }
    }
    let _ = event_id(raw);
    let parsed = Format::parse(&format);
    for (name, _) in &fields {
        assert!(
            parsed
                .as_ref()
                .is_none_or(|format| format.field(name).is_some())
        );
    }
    parsed.is_some_and(|_| !fields.is_empty())
}

/// The layout of a page has room for what stands in it; counters are numbers that stand in the text.
fn headers(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let layout = Layout::parse(&text);
    if let Some(layout) = layout {
        assert!(layout.size() >= 16 + 64);
    }
    let stats = Stats::parse(&text);
    if let Some(stats) = stats {
        for number in [stats.overrun, stats.commit_overrun, stats.dropped] {
            // One may be written with a sign or with zeros before it.
            assert!(text.contains(&number.to_string()));
        }
    }
    layout.is_some() || stats.is_some() || is_known_encoding(&text)
}

/// Types lead to an end, whatever they say, and a member that is found has the name that was sought.
fn types(bytes: &[u8]) -> bool {
    let Some(btf) = Btf::parse(bytes) else {
        return false;
    };
    let there = |name: &str| {
        let name = name.as_bytes();
        bytes.windows(name.len()).any(|part| part == name)
    };
    for (structure, path) in [
        ("outer", "named.x"),
        ("outer", "i.x"),
        ("outer", "a"),
        ("s", "x"),
    ] {
        if btf.member(structure, path).is_some() {
            assert!(there(structure) && path.split('.').all(there));
        }
    }
    btf.size("outer").or_else(|| btf.size("s")).is_some()
}
