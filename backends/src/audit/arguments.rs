//! Arguments, put together from EXECVE records.
//!
//! A record holds about 7,500 bytes. What does not fit goes on in the next, also in the middle of
//! an argument: `a1_len=9000 a1[0]=…`, then `a1[1]=…` (`audit_log_execve_info`).

use execlab_model::Bytes;

use super::record::{Argument, argument, fields};

/// Beyond this an event is cut: the kernel takes 6 MiB of arguments and environment.
const MOST_BYTES: usize = 8 << 20;

/// A whole argument or a part of one.
#[derive(Debug)]
struct Piece {
    /// Which argument, and which part of it.
    place: (u32, u32),
    bytes: Bytes,
    /// How many bytes it took in the record.
    written: usize,
    /// In the first part: how many bytes all parts take.
    announced: Option<usize>,
}

/// The arguments of one exec while their records come in, in any order.
#[derive(Debug, Default)]
pub struct Arguments {
    count: Option<u32>,
    pieces: Vec<Piece>,
    bytes: usize,
}

impl Arguments {
    /// Takes in the fields of one EXECVE record; whether all could be read.
    pub fn take(&mut self, text: &[u8]) -> bool {
        let mut announced = None;
        let mut read = true;
        for (name, value) in fields(text) {
            if name == b"argc" {
                self.count = value.number();
                // A hint and no more: what was lost would make it a lie.
                let room = self.count.unwrap_or(0).min(64);
                self.pieces.reserve(room as usize);
                continue;
            }
            let (place, length) = match argument(name) {
                Some(Argument::Length(which)) => {
                    announced = value.number::<usize>().map(|length| (which, length));
                    continue;
                }
                Some(Argument::Whole(which)) => ((which, 0), Some(value.written())),
                Some(Argument::Part(which, part)) => {
                    let length = announced.filter(|(of, _)| part == 0 && *of == which);
                    ((which, part), length.map(|(_, length)| length))
                }
                None => continue,
            };
            let Some(bytes) = value.string() else {
                read = false;
                continue;
            };
            self.bytes += bytes.as_slice().len();
            if self.bytes > MOST_BYTES {
                return false;
            }
            self.pieces.push(Piece {
                place,
                bytes,
                written: value.written(),
                announced: length,
            });
        }
        // Records may be swapped on their way; the pieces are kept in order all the same.
        if !self.pieces.is_sorted_by_key(|p| p.place) {
            self.pieces.sort_by_key(|p| p.place);
        }
        read
    }

    /// Whether all arguments are there to their ends.
    pub fn is_whole(&self) -> bool {
        let (arguments, whole) = self.survey();
        whole && Some(arguments) == self.count
    }

    /// How many arguments there are to their ends before the first gap, and whether there is none.
    fn survey(&self) -> (u32, bool) {
        let mut next = 0;
        let mut pieces = self.pieces.iter().peekable();
        while let Some(first) = pieces.next() {
            let mut written = first.written;
            let mut part = 0;
            while let Some(more) = pieces.next_if(|p| p.place == (next, part + 1)) {
                written += more.written;
                part += 1;
            }
            if first.place != (next, 0) || first.announced != Some(written) {
                return (next, false);
            }
            next += 1;
        }
        (next, true)
    }

    /// The arguments up to the first gap, and whether there is none. Without the first there are
    /// none at all.
    pub fn join(self) -> (Option<Vec<Bytes>>, bool) {
        let (arguments, whole) = self.survey();
        let whole = whole && Some(arguments) == self.count;
        let mut list: Vec<Bytes> = Vec::with_capacity(arguments as usize + 1);
        let mut part = 0;
        for piece in self.pieces {
            let (argument, this) = piece.place;
            let index = argument as usize;
            // The first argument that is not whole is told as far as it came, and none behind it.
            if this == 0 && index == list.len() && argument <= arguments {
                list.push(piece.bytes);
            } else if this == part + 1 && index + 1 == list.len() {
                list[index].0.extend_from_slice(piece.bytes.as_slice());
            } else {
                break;
            }
            part = this;
        }
        ((!list.is_empty()).then_some(list), whole)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::audit::kernel_text::execve;

    fn taken(records: &[&[u8]]) -> Arguments {
        let mut arguments = Arguments::default();
        for record in records {
            assert!(arguments.take(record));
        }
        arguments
    }

    fn list(strings: &[&str]) -> Vec<Bytes> {
        strings.iter().map(|s| Bytes::from(*s)).collect()
    }

    #[test]
    fn plain_arguments_and_an_empty_one() {
        let arguments = taken(&[br#" argc=3 a0="/bin/ls" a1="" a2=6120622A"#]);
        assert!(arguments.is_whole());
        assert_eq!(
            arguments.join(),
            (Some(list(&["/bin/ls", "", "a b*"])), true)
        );
    }

    #[test]
    fn a_split_argument_with_its_last_part_lost_is_cut_and_known_to_be() {
        let first = &br#" argc=3 a0="x" a1_len=10 a1[0]="01234""#[..];
        let last = &br#" a1[1]="56789" a2="y""#[..];
        assert_eq!(
            taken(&[first, last]).join(),
            (Some(list(&["x", "0123456789", "y"])), true)
        );
        assert_eq!(
            taken(&[last, first]).join(),
            (Some(list(&["x", "0123456789", "y"])), true),
            "swapped records"
        );
        let cut = taken(&[first]);
        assert!(!cut.is_whole());
        assert_eq!(cut.join(), (Some(list(&["x", "01234"])), false));
        assert_eq!(taken(&[last]).join(), (None, false));
        // A middle part lost, the next argument there: nothing behind the gap is told.
        assert_eq!(
            taken(&[first, br#" a2="y""#]).join(),
            (Some(list(&["x", "01234"])), false)
        );
    }

    #[test]
    fn an_argument_count_that_does_not_agree_is_a_cut() {
        assert_eq!(
            taken(&[br#" argc=2 a0="x""#]).join(),
            (Some(list(&["x"])), false)
        );
    }

    fn any_arguments() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let hostile = proptest::collection::vec(1u8.., 0..50);
        let plain = "[a-z0-9/]{0,60}".prop_map(String::into_bytes);
        proptest::collection::vec(prop_oneof![hostile, plain], 1..12)
    }

    proptest! {
        #[test]
        fn where_the_kernel_splits_does_not_matter(
            argv in any_arguments(), room in 1usize..200, swap in any::<prop::sample::Index>(),
        ) {
            let mut records = execve(&argv, room);
            let middle = swap.index(records.len());
            records.rotate_left(middle);
            let mut arguments = Arguments::default();
            for record in &records {
                prop_assert!(arguments.take(record));
            }
            prop_assert!(arguments.is_whole());
            let expected: Vec<Bytes> = argv.into_iter().map(Bytes).collect();
            prop_assert_eq!(arguments.join(), (Some(expected), true));
        }

        #[test]
        fn a_lost_record_is_noticed_and_nothing_is_invented(
            argv in any_arguments(), room in 1usize..60, lost in any::<prop::sample::Index>(),
        ) {
            let mut records = execve(&argv, room);
            let lost = lost.index(records.len());
            records.remove(lost);
            let mut arguments = Arguments::default();
            for record in &records {
                arguments.take(record);
            }
            prop_assert!(!arguments.is_whole());
            let (list, whole) = arguments.join();
            prop_assert!(!whole);
            let list = list.unwrap_or_default();
            prop_assert!(list.len() <= argv.len());
            for (i, (got, sent)) in list.iter().zip(&argv).enumerate() {
                if i + 1 < list.len() {
                    prop_assert_eq!(got.as_slice(), &sent[..]);
                } else {
                    prop_assert!(sent.starts_with(got.as_slice()));
                }
            }
        }

        #[test]
        fn garbage_is_never_a_panic(
            records in proptest::collection::vec(
                r#"( ?(argc|a[0-9]{1,11}|a[0-9]\[[0-9]{1,11}\]|a[0-9]_len)=("?[0-9A-F]{0,8}"?))*"#, 0..5),
        ) {
            let mut arguments = Arguments::default();
            for record in &records {
                arguments.take(record.as_bytes());
            }
            arguments.is_whole();
            arguments.join();
        }
    }
}
