//! Faults in arguments: what is reported, and which class that is.

use execlab_model::{
    Bytes,
    sighting::{Argv, Sighting},
};

use super::{
    fault::ArgvFault,
    plants::{Worth, is_timed},
};
use crate::score::fields::{ArgvClass, PidClass};

pub(super) fn change_argv(how: ArgvFault, sighting: &mut Sighting, worth: &mut Worth) {
    // What loses its id must have a host pid and a time of its own.
    let may_lose_id = is_timed(sighting) && worth.pid == PidClass::Host && !worth.conflict;
    let Some(Argv::List(list)) = &mut sighting.argv else {
        return;
    };
    if worth.argv != ArgvClass::Exact {
        return;
    }
    let (argv, class) = match how {
        ArgvFault::Join => (Argv::Joined(join(list, b' ')), class_of_joined(list, b' ')),
        ArgvFault::JoinNul => {
            let mut words = join(list, 0);
            if !list.is_empty() {
                words.0.push(0);
            }
            (Argv::Joined(words), class_of_joined(list, 0))
        }
        // One of one is that one.
        ArgvFault::One if list.len() < 2 => return,
        ArgvFault::One => (Argv::List(vec![join(list, b' ')]), ArgvClass::Joined),
        ArgvFault::Cut => match list.split_last() {
            None => return,
            Some((_, [])) => (Argv::List(Vec::new()), ArgvClass::Absent),
            Some((_, rest)) => (Argv::List(rest.to_vec()), ArgvClass::Truncated),
        },
        ArgvFault::CutEnd => {
            let Some((last, rest)) = list.split_last().filter(|(last, _)| !last.is_empty()) else {
                return;
            };
            let cut = Bytes::from(&last.as_slice()[..last.as_slice().len() - 1]);
            (Argv::List([rest, &[cut]].concat()), ArgvClass::Truncated)
        }
        ArgvFault::CutDeep | ArgvFault::CutJoined | ArgvFault::Nothing if !may_lose_id => return,
        ArgvFault::CutDeep => match list.first().map(Bytes::as_slice) {
            None | Some([]) => return,
            Some([first, ..]) => (Argv::List(vec![Bytes(vec![*first])]), ArgvClass::Truncated),
        },
        ArgvFault::CutJoined => {
            let words = join(list, b' ').0;
            if words.len() < 2 {
                return;
            }
            let half = Bytes::from(&words[..words.len() / 2]);
            (Argv::Joined(half), ArgvClass::Truncated)
        }
        ArgvFault::Nothing if list.is_empty() => return,
        ArgvFault::Nothing => (Argv::List(Vec::new()), ArgvClass::Absent),
        ArgvFault::Wrong => match list.split_last() {
            None => return,
            Some((_, rest)) => (
                Argv::List([rest, &["something else".into()]].concat()),
                ArgvClass::Wrong,
            ),
        },
        ArgvFault::Extra => (
            Argv::List([list.as_slice(), &["one more".into()]].concat()),
            ArgvClass::Wrong,
        ),
        ArgvFault::Swap => {
            let [first, second, ..] = list.as_mut_slice() else {
                return;
            };
            std::mem::swap(first, second);
            worth.argv = ArgvClass::Wrong;
            return;
        }
    };
    sighting.argv = Some(argv);
    worth.argv = class;
}

fn join(list: &[Bytes], by: u8) -> Bytes {
    let list: Vec<&[u8]> = list.iter().map(Bytes::as_slice).collect();
    Bytes(list.join(&by))
}

/// An empty string says nothing; one empty argument is an empty string unless a NUL ends it.
fn class_of_joined(list: &[Bytes], by: u8) -> ArgvClass {
    match list {
        [] => ArgvClass::Absent,
        [only] if only.is_empty() && by != 0 => ArgvClass::Absent,
        _ => ArgvClass::Joined,
    }
}
