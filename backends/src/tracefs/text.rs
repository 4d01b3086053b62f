//! The events of `sched_process_exec` in the text of `trace_pipe`.
//!
//! A line is `COMM-TID [CPU] SECONDS.MICROS: sched_process_exec: filename=NAME pid=N old_pid=N`
//! (`trace_print_context`, `kernel/trace/trace_output.c`; the event's own `print fmt`), and where something was lost
//! `CPU:N [LOST K EVENTS]` stands between two of them (`print_trace_line`). Where a line has no room in a `trace_seq` (a page;
//! 8 KiB from 6.8 on), `[LINE TOO BIG]` stands in the place of its fields. Nothing is escaped: the name of the process and
//! that of the file may hold anything but NUL, newlines among it. A file's name that does is put together again
//! from its lines; one that looks like an event itself cannot be told from one.

/// What a text holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<'a> {
    /// An exec.
    Exec {
        /// In whole microseconds, rounded.
        time_us: u64,
        /// The process.
        pid: u32,
        /// The string that was passed to the call.
        filename: &'a [u8],
    },
    /// Events of a CPU were overwritten; how many, if it says so.
    Lost(Option<u64>),
    /// An exec whose line the kernel had no room for (`tracing_read_pipe`): its event is gone.
    TooBig {
        /// As of an exec.
        time_us: u64,
    },
}

const MARK: &[u8] = b": sched_process_exec: filename=";
/// The fields of an event are printed as a whole or not at all, so this stands right behind its name.
const TOO_BIG: &[u8] = b": sched_process_exec: [LINE TOO BIG]";

/// No event has a longer text: a path of 4,096 bytes, and what stands around it.
const LONGEST: usize = 8 << 10;

/// Collects what is read, until events are complete.
#[derive(Debug, Default)]
pub struct Text {
    buffer: Vec<u8>,
    /// Lines that are part of no event.
    pub odd: u64,
}

impl Text {
    /// Takes the next bytes and calls `take` for what is complete now.
    pub fn push(&mut self, bytes: &[u8], mut take: impl FnMut(Item<'_>)) {
        self.buffer.extend_from_slice(bytes);
        let mut begin = 0;
        let mut from = 0;
        while let Some(length) = self.buffer[from..].iter().position(|&b| b == b'\n') {
            let end = from + length;
            from = end + 1;
            match item(&self.buffer[begin..end]) {
                Some(item) => take(item),
                // A name with a newline in it goes on in the next line.
                None if begins(&self.buffer[begin..end]) && end - begin < LONGEST => continue,
                None => self.odd += 1,
            }
            begin = from;
        }
        self.buffer.drain(..begin);
        if self.buffer.len() > 2 * LONGEST {
            self.buffer.clear();
            self.odd += 1;
        }
    }
}

/// Whether an event begins here.
fn begins(text: &[u8]) -> bool {
    find(text, MARK).is_some()
}

/// A complete one.
fn item(text: &[u8]) -> Option<Item<'_>> {
    exec(text).or_else(|| lost(text)).or_else(|| too_big(text))
}

fn exec(text: &[u8]) -> Option<Item<'_>> {
    let mark = find(text, MARK)?;
    let time_us = time(&text[..mark])?;
    let (text, old_pid) = last_word(&text[mark + MARK.len()..], b"old_pid=")?;
    number(old_pid)?;
    let (filename, pid) = last_word(text, b"pid=")?;
    Some(Item::Exec {
        time_us,
        pid: number(pid)?.try_into().ok()?,
        filename,
    })
}

/// The time that ends what stands before an event's name.
fn time(before: &[u8]) -> Option<u64> {
    let word = before.rsplit(|&b| b == b' ').next()?;
    let mut parts = word.splitn(2, |&b| b == b'.');
    let (seconds, micros) = (number(parts.next()?)?, parts.next()?);
    (micros.len() == 6)
        .then(|| seconds.checked_mul(1_000_000)?.checked_add(number(micros)?))
        .flatten()
}

fn too_big(text: &[u8]) -> Option<Item<'_>> {
    // A name with a newline in it may end so, and its event is whole: it goes on.
    if begins(text) {
        return None;
    }
    let time_us = time(text.strip_suffix(TOO_BIG)?)?;
    Some(Item::TooBig { time_us })
}

/// `text` without its last word and the space before it, and what follows `name` in that word.
fn last_word<'a>(text: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let space = text.iter().rposition(|&b| b == b' ')?;
    Some((&text[..space], text[space + 1..].strip_prefix(name)?))
}

fn lost(text: &[u8]) -> Option<Item<'_>> {
    let rest = text.strip_prefix(b"CPU:")?;
    let space = rest.iter().position(|&b| b == b' ')?;
    number(&rest[..space])?;
    let inner = rest[space + 1..]
        .strip_prefix(b"[LOST ")?
        .strip_suffix(b"EVENTS]")?;
    if inner.is_empty() {
        return Some(Item::Lost(None));
    }
    Some(Item::Lost(Some(number(inner.strip_suffix(b" ")?)?)))
}

fn number(digits: &[u8]) -> Option<u64> {
    crate::procfs_lookup::parse::decimal(digits)
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq)]
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

    /// As Linux 6.18 prints it.
    fn line(comm: &[u8], time_us: u64, pid: u32, filename: &[u8]) -> Vec<u8> {
        let (seconds, micros) = (time_us / 1_000_000, time_us % 1_000_000);
        let head =
            format!("-{pid}   [001] .....   {seconds}.{micros:06}: sched_process_exec: filename=");
        let tail = format!(" pid={pid} old_pid={pid}\n");
        [b"   ", comm, head.as_bytes(), filename, tail.as_bytes()].concat()
    }

    #[test]
    fn losses_stand_between_events() {
        let raw = [
            line(b"sh", 1_000_007, 5, b"/bin/x"),
            b"CPU:1 [LOST 12 EVENTS]\nCPU:0 [LOST EVENTS]\nwhat is this\n".to_vec(),
            line(b"<...>", 2_000_000, 6, b"./y pid=1 old_pid=1"),
        ];
        let (items, odd) = read(&[&raw.concat()]);
        let expected = [
            Owned::Exec(1_000_007, 5, b"/bin/x".to_vec()),
            Owned::Lost(Some(12)),
            Owned::Lost(None),
            Owned::Exec(2_000_000, 6, b"./y pid=1 old_pid=1".to_vec()),
        ];
        assert_eq!((items.as_slice(), odd), (&expected[..], 1));
    }

    #[test]
    fn a_line_that_had_no_room_is_an_exec_that_is_gone() {
        let gone = b"   sh-7   [000] ....     5.000006: sched_process_exec: [LINE TOO BIG]\n";
        let named = line(
            b"x",
            1,
            8,
            b"/a\n 5.000006: sched_process_exec: [LINE TOO BIG]\nb",
        );
        let other = b"[LINE TOO BIG]\n";
        let (items, odd) = read(&[gone, &named, other]);
        let name = b"/a\n 5.000006: sched_process_exec: [LINE TOO BIG]\nb".to_vec();
        let expected = [Owned::TooBig(5_000_006), Owned::Exec(1, 8, name)];
        assert_eq!((items.as_slice(), odd), (&expected[..], 1));
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let endless = [
            &line(b"x", 1, 1, &[b'a'; 5000])[..5000],
            &vec![b'\n'; 30_000],
        ]
        .concat();
        let (items, odd) = read(&[&endless, &line(b"x", 1, 1, b"/y")]);
        assert_eq!(items, [Owned::Exec(1, 1, b"/y".to_vec())]);
        assert!(odd > 0);
    }

    proptest! {
        #[test]
        fn names_with_newlines_come_out_whole(
            events in prop::collection::vec((
                "[a-z\n: -]{0,15}", 0u64..1 << 50, 0u32..1 << 22,
                prop::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), 1u8..], 0..60),
            ), 1..6),
            cut in 0usize..100,
        ) {
            let mut raw = Vec::new();
            let mut expected = Vec::new();
            for (comm, time, pid, name) in &events {
                // What looks like the end of an event ends it.
                let mut name = name.clone();
                name.retain(|&b| b != b'=');
                raw.extend(line(comm.as_bytes(), *time, *pid, &name));
                expected.push(Owned::Exec(*time, *pid, name));
            }
            let (head, tail) = raw.split_at(cut.min(raw.len()));
            prop_assert_eq!(read(&[head, tail]).0, expected);
        }

        #[test]
        fn no_text_is_too_odd(
            pieces in prop::collection::vec(
                "(: sched_process_exec: filename=|CPU:[0-9]{0,3} |\\[LOST |EVENTS\\]|: sched_process_exec: \\[LINE TOO BIG\\]| pid=| old_pid=|[0-9]{1,25}|\\.|\n|x){0,12}", 0..4
            ),
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(String::as_bytes).collect();
            read(&pieces);
        }
    }
}
