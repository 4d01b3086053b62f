//! A sub-buffer of the kernel's ring buffer, as `trace_pipe_raw` hands it over.
//!
//! A header of which `events/header_page` tells the layout, and events, each behind 32 bits that
//! `events/header_event` describes (`kernel/trace/ring_buffer.c`, `include/linux/ring_buffer.h`). Nothing here
//! panics on any input.

use crate::tracing_fs::format::{fields, find};

/// In `commit`, above the length: events were lost before this page, and how many stands behind its last event
/// (`RB_MISSED_EVENTS`, `RB_MISSED_STORED`).
const MISSED: u64 = 1 << 31;
/// As `libtraceevent` reads it (`COMMIT_MASK`): below the two flags, and much more than any page has.
const LENGTH: u64 = (1 << 27) - 1;

/// Kinds of events that hold no data, and the bits of the delta of time.
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;
const DELTA_BITS: u32 = 27;
/// An absolute time has 59 bits; what is above them comes from the time before it.
const STAMP_BITS: u32 = 59;

/// Where things stand in the header of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    commit: usize,
    data: usize,
    size: usize,
}

impl Layout {
    /// From `events/header_page`; `None` where it is not of the form that this reader knows: a 64-bit kernel's.
    pub fn parse(header_page: &str) -> Option<Self> {
        let fields = fields(header_page);
        let [time, commit, data] = ["timestamp", "commit", "data"].map(|n| find(&fields, n));
        let (time, commit, data) = (time?, commit?, data?);
        let known = (time.offset, time.size, commit.size) == (0, 8, 8);
        let behind = commit.offset >= 8 && data.offset >= commit.offset + 8;
        (known && behind && data.size >= 64).then_some(Self {
            commit: commit.offset,
            data: data.offset,
            size: data.offset + data.size,
        })
    }

    /// How long a page is, header and all, in bytes: what one read gives.
    pub fn size(self) -> usize {
        self.size
    }
}

/// Whether `events/header_event` describes the encoding that this reader knows.
pub fn is_known_encoding(header_event: &str) -> bool {
    let told: String = header_event.split_whitespace().collect();
    let expected = [
        "type_len:5bits",
        "time_delta:27bits",
        "padding:type==29",
        "time_extend:type==30",
        "time_stamp:type==31",
        "datamaxtype_len==28",
    ];
    expected.iter().all(|line| told.contains(line))
}

/// These bytes are no page of the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page that the kernel cannot have written")]
pub struct Malformed;

/// One page.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// What the times of its events count from.
    pub time_ns: u64,
    /// Whether the kernel lost events between the page before and this one.
    pub missed: bool,
    events: &'a [u8],
}

impl<'a> Page<'a> {
    /// Reads the header.
    pub fn parse(layout: Layout, raw: &'a [u8]) -> Result<Self, Malformed> {
        let word = |at: usize| {
            let bytes = raw.get(at..)?.first_chunk()?;
            Some(u64::from_ne_bytes(*bytes))
        };
        let commit = word(layout.commit).ok_or(Malformed)?;
        let length = usize::try_from(commit & LENGTH).map_err(|_| Malformed)?;
        let events = raw.get(layout.data..).and_then(|data| data.get(..length));
        Ok(Self {
            time_ns: word(0).ok_or(Malformed)?,
            missed: commit & MISSED != 0,
            events: events.ok_or(Malformed)?,
        })
    }

    /// Calls `take` with the time and the bytes of each event, oldest first.
    pub fn events(self, mut take: impl FnMut(u64, &'a [u8])) -> Result<(), Malformed> {
        let mut rest = self.events;
        let mut time_ns = self.time_ns;
        while !rest.is_empty() {
            let header = word(&mut rest)?;
            let (kind, delta) = (header & 31, u64::from(header >> 5));
            match kind {
                // The rest of the page was too short for the next event.
                PADDING if delta == 0 => break,
                // An event that was thrown away again; the next one's time counts from it.
                PADDING => {
                    let length = word(&mut rest)?;
                    time_ns = time_ns.wrapping_add(delta);
                    data(
                        &mut rest,
                        (length as usize).checked_sub(4).ok_or(Malformed)?,
                    )?;
                }
                TIME_EXTEND => {
                    let upper = u64::from(word(&mut rest)?);
                    time_ns = time_ns.wrapping_add((upper << DELTA_BITS) + delta);
                }
                TIME_STAMP => {
                    let upper = u64::from(word(&mut rest)?);
                    time_ns = (time_ns >> STAMP_BITS << STAMP_BITS) | (upper << DELTA_BITS) | delta;
                }
                0 => {
                    let length = word(&mut rest)?;
                    time_ns = time_ns.wrapping_add(delta);
                    let length = (length as usize).checked_sub(4).ok_or(Malformed)?;
                    take(time_ns, data(&mut rest, length)?);
                }
                words => {
                    time_ns = time_ns.wrapping_add(delta);
                    take(time_ns, data(&mut rest, 4 * words as usize)?);
                }
            }
        }
        Ok(())
    }
}

fn word(rest: &mut &[u8]) -> Result<u32, Malformed> {
    let (word, behind) = rest.split_first_chunk().ok_or(Malformed)?;
    *rest = behind;
    Ok(u32::from_ne_bytes(*word))
}

fn data<'a>(rest: &mut &'a [u8], length: usize) -> Result<&'a [u8], Malformed> {
    let (data, behind) = rest.split_at_checked(length).ok_or(Malformed)?;
    *rest = behind;
    Ok(data)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Linux 6.18 prints them.
    const HEADER_PAGE: &str = "	field: u64 timestamp;	offset:0;	size:8;	signed:0;
	field: local_t commit;	offset:8;	size:8;	signed:1;
	field: int overwrite;	offset:8;	size:1;	signed:1;
	field: char data;	offset:16;	size:4080;	signed:0;
";
    const HEADER_EVENT: &str = "# compressed entry header
	type_len    :    5 bits
	time_delta  :   27 bits
	array       :   32 bits

	padding     : type == 29
	time_extend : type == 30
	time_stamp : type == 31
	data max type_len  == 28
";

    fn layout() -> Layout {
        Layout::parse(HEADER_PAGE).unwrap()
    }

    /// A page as the kernel writes one: of events with times and data, data in whole words.
    fn write(time_ns: u64, missed: Option<u64>, events: &[(u64, Vec<u8>)]) -> Vec<u8> {
        let mut data = Vec::new();
        let mut last = time_ns;
        for (time, bytes) in events {
            let delta = time - last;
            last = *time;
            let mut small = u32::try_from(delta & ((1 << DELTA_BITS) - 1)).unwrap();
            if delta >> DELTA_BITS != 0 {
                data.extend((small << 5 | TIME_EXTEND).to_ne_bytes());
                data.extend(u32::try_from(delta >> DELTA_BITS).unwrap().to_ne_bytes());
                small = 0;
            }
            let length = u32::try_from(bytes.len()).unwrap();
            if (4..=112).contains(&length) {
                data.extend(((small << 5) | (length / 4)).to_ne_bytes());
            } else {
                data.extend((small << 5).to_ne_bytes());
                data.extend((length + 4).to_ne_bytes());
            }
            data.extend(bytes);
        }
        let mut commit = data.len() as u64;
        if let Some(count) = missed {
            commit |= MISSED | 1 << 30;
            data.extend(count.to_ne_bytes());
        }
        data.resize(data.len().max(4080), 0);
        [&time_ns.to_ne_bytes()[..], &commit.to_ne_bytes(), &data].concat()
    }

    fn read(page: Page<'_>) -> Result<Vec<(u64, Vec<u8>)>, Malformed> {
        let mut events = Vec::new();
        page.events(|time, data| events.push((time, data.to_vec())))?;
        Ok(events)
    }

    #[test]
    fn the_kernels_own_words_are_understood() {
        assert_eq!(layout().size(), 4096);
        assert!(is_known_encoding(HEADER_EVENT));
        assert!(!is_known_encoding(&HEADER_EVENT.replace("27", "28")));
        assert_eq!(
            Layout::parse(&HEADER_PAGE.replace("size:8", "size:4")),
            None
        );
        assert_eq!(Layout::parse(""), None);
    }

    #[test]
    fn what_holds_no_data_only_moves_the_time() {
        let words: [u32; 9] = [
            5 << 5 | TIME_EXTEND,
            1,
            // Thrown away: eight bytes of it behind its length.
            3 << 5 | PADDING,
            12,
            0xaaaa_aaaa,
            0xbbbb_bbbb,
            7 << 5 | 1,
            0x6463_6261,
            PADDING,
        ];
        let data: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let page = Page {
            time_ns: 100,
            missed: false,
            events: &data,
        };
        let time = 100 + (1 << DELTA_BITS) + 5 + 3 + 7;
        assert_eq!(read(page).unwrap(), [(time, b"abcd".to_vec())]);

        let words: [u32; 4] = [9 << 5 | TIME_STAMP, 2, 1 << 5 | 1, 0x6463_6261];
        let data: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        let high = 3 << STAMP_BITS;
        let page = Page {
            time_ns: high + 100,
            missed: false,
            events: &data,
        };
        let time = high | ((2 << DELTA_BITS) + 9 + 1);
        assert_eq!(read(page).unwrap(), [(time, b"abcd".to_vec())]);
    }

    proptest! {
        #[test]
        fn what_was_written_reads_back(
            time_ns in 0u64..1 << 60,
            missed in prop::option::of(any::<u64>()),
            events in prop::collection::vec(
                (0u64..1 << 40, prop::collection::vec(any::<u8>(), 0..60)), 0..20
            ),
        ) {
            let mut time = time_ns;
            let events: Vec<_> = events.into_iter().map(|(delta, mut data)| {
                time += delta;
                data.resize(data.len().next_multiple_of(4), 0);
                (time, data)
            }).collect();
            let raw = write(time_ns, missed, &events);
            let page = Page::parse(layout(), &raw).unwrap();
            prop_assert_eq!(page.missed, missed.is_some());
            prop_assert_eq!(read(page).unwrap(), events);
        }

        #[test]
        fn no_page_is_too_odd(
            time_ns: u64,
            commit in (0u64..120, 0u64..4),
            data in prop::collection::vec(any::<u32>(), 0..28),
            kinds in prop::collection::vec(0u32..32, 28),
        ) {
            let words = data.iter().zip(&kinds).map(|(w, k)| w & !31 & 0xffff | k);
            let data: Vec<u8> = words.flat_map(u32::to_ne_bytes).collect();
            let commit = commit.0 | commit.1 << 30;
            let raw = [&time_ns.to_ne_bytes()[..], &commit.to_ne_bytes(), &data].concat();
            if let Ok(page) = Page::parse(layout(), &raw) {
                let mut bytes = 0;
                let _ = page.events(|_, data| bytes += 4 + data.len());
                prop_assert!(bytes <= data.len());
            }
        }
    }
}
