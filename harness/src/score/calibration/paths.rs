//! Faults in paths: what is reported, and which class that is by the definitions of DESIGN §5.

use execlab_model::{
    Bytes,
    result::PathClass,
    sighting::Sighting,
    truth::{Exec, Site, Truth},
};

use super::{
    fault::{Given, PathFault},
    plants::Worth,
    scenes::{DELETED, is_nameless, lexical},
};
use crate::score::fields::FieldClass;

/// A path to report and what it is worth.
struct Told {
    path: Bytes,
    class: PathClass,
    suffixed: bool,
}

/// What a monitor reports that has no fault: of a file without a name the kernel says so.
pub(super) fn right(site: &Site) -> (Bytes, bool) {
    let exact = site.frames.exact.clone();
    if is_nameless(site) {
        (Bytes([exact.as_slice(), DELETED].concat()), true)
    } else {
        (exact, false)
    }
}

pub(super) fn change_path(
    truth: &Truth,
    how: PathFault,
    sighting: &mut Sighting,
    worth: &mut Worth,
) {
    // A fault in a path that has one already would be worth neither.
    if worth.path_is_faulty {
        return;
    }
    if how == PathFault::GivenOnly {
        let given = &truth.site(&truth.execs[worth.exec as usize]).given;
        sighting.given = Some(given.clone());
        sighting.path = None;
        worth.given = FieldClass::Right;
        worth.path = class_of_given(truth.site(&truth.execs[worth.exec as usize]));
        worth.suffixed = false;
        worth.path_is_faulty = true;
        return;
    }
    if let Some(told) = told(truth, worth.exec, how) {
        sighting.path = Some(told.path);
        worth.path = told.class;
        worth.suffixed = told.suffixed;
        worth.path_is_faulty = true;
    }
}

/// A string of the call beside a path; without one it would be taken for the path.
pub(super) fn add_given(truth: &Truth, how: Given, sighting: &mut Sighting, worth: &mut Worth) {
    if sighting.path.is_none() {
        return;
    }
    let given = &truth.site(&truth.execs[worth.exec as usize]).given;
    let bytes = given.as_slice();
    (sighting.given, worth.given) = match how {
        Given::Right => (Some(given.clone()), FieldClass::Right),
        Given::Cut if bytes.is_empty() => return,
        Given::Cut => (Some(bytes[..bytes.len() - 1].into()), FieldClass::Wrong),
        Given::Other => (Some("./another".into()), FieldClass::Wrong),
    };
}

/// `None` where a site has no such name.
fn told(truth: &Truth, index: u32, how: PathFault) -> Option<Told> {
    use PathClass as C;
    let site = truth.site(&truth.execs[index as usize]);
    let frames = &site.frames;
    let exact = frames.exact.as_slice();
    let last = frames.exact.basename();
    let behind_cwd = || !site.given.as_slice().starts_with(b"/");
    let (path, class) = match how {
        PathFault::Cut => (exact[..exact.len() / 2].into(), C::Truncated),
        PathFault::CutFront if exact.len() > last.len() + 1 => {
            (exact[exact.len() - last.len() - 2..].into(), C::Truncated)
        }
        PathFault::CutFront => (last[1..].into(), C::Truncated),
        PathFault::Basename => (last.into(), C::Basename),
        PathFault::Comm => (last[..last.len().min(15)].into(), C::Basename),
        PathFault::GivenName => (site.given.basename().into(), C::Basename),
        PathFault::AsGiven => (site.given.clone(), class_of_given(site)),
        PathFault::BehindCwd if !behind_cwd() => return None,
        PathFault::BehindCwd => {
            let path = [site.cwd.as_slice(), site.given.as_slice()].join(&b'/');
            (Bytes(path), C::AsGiven)
        }
        PathFault::Lexical => {
            let path = lexical(site)?;
            let class = if path == frames.exact {
                C::Exact
            } else if Some(&path) == frames.in_root.as_ref() {
                C::InRoot
            } else {
                C::AsGiven
            };
            (path, class)
        }
        PathFault::Host => (frames.host.first()?.clone(), C::Host),
        PathFault::HostLayer => (frames.host.last()?.clone(), C::Host),
        PathFault::InRoot => (frames.in_root.clone()?, C::InRoot),
        PathFault::Interpreter => (frames.interpreter.clone()?, C::Interpreter),
        PathFault::InterpreterName => {
            let name = frames.interpreter.as_ref()?.basename();
            (name.into(), C::Interpreter)
        }
        PathFault::Stale => (frames.stale.first()?.clone(), C::Stale),
        PathFault::StaleToo => (frames.stale.last()?.clone(), C::Stale),
        PathFault::Wrong => ("/usr/sbin/another".into(), C::Wrong),
        PathFault::Empty => (Bytes::default(), C::Absent),
        PathFault::Deleted => {
            let path = Bytes([exact, DELETED].concat());
            return Some(Told {
                path,
                class: C::Exact,
                suffixed: true,
            });
        }
        PathFault::Undeleted => (frames.exact.clone(), C::Exact),
        // Whoever takes the suffix off a name that really ends so has cut it.
        PathFault::SuffixOff => (exact.strip_suffix(DELETED)?.into(), C::Truncated),
        PathFault::FileBefore => {
            let [before, _] = beside(truth, index);
            return Some(resolved_in_process(truth, index, before?));
        }
        PathFault::FileAfter => {
            let [_, after] = beside(truth, index);
            return Some(resolved_in_process(truth, index, after?));
        }
        PathFault::NextOwner => return resolved_too_late(truth, index),
        PathFault::GivenOnly => return None,
    };
    Some(Told {
        path,
        class,
        suffixed: false,
    })
}

fn class_of_given(site: &Site) -> PathClass {
    if site.given == site.frames.exact {
        PathClass::Exact
    } else if Some(&site.given) == site.frames.in_root.as_ref() {
        PathClass::InRoot
    } else {
        PathClass::AsGiven
    }
}

/// Whether two execs that follow each other in the truth are of one process.
pub(super) fn share_process(first: &Exec, second: &Exec) -> bool {
    first.pid == second.pid && first.ended_ns == second.started_ns
}

/// The execs of the process before and after this one.
fn beside(truth: &Truth, index: u32) -> [Option<&Exec>; 2] {
    let exec = &truth.execs[index as usize];
    let before = (index as usize).checked_sub(1).map(|at| &truth.execs[at]);
    let after = truth.execs.get(index as usize + 1);
    [
        before.filter(|before| share_process(before, exec)),
        after.filter(|after| share_process(exec, after)),
    ]
}

/// The file that the process has before or after this exec.
fn resolved_in_process(truth: &Truth, index: u32, other: &Exec) -> Told {
    let (path, suffixed) = right(truth.site(other));
    let other = &truth.site(other).frames.exact;
    let own = &truth.site(&truth.execs[index as usize]).frames.exact;
    Told {
        path,
        class: if other == own {
            PathClass::Exact
        } else {
            PathClass::Stale
        },
        suffixed,
    }
}

/// The file of the process that has the pid next. It is another file, unless that process happens to
/// execute one of this process's.
fn resolved_too_late(truth: &Truth, index: u32) -> Option<Told> {
    let exec = &truth.execs[index as usize];
    let mut later = truth.execs[index as usize..].windows(2);
    let last = later.position(|pair| !share_process(&pair[0], &pair[1]))? + index as usize;
    let mut others = truth.execs[last + 1..].iter();
    let other = others.find(|other| other.pid == exec.pid)?;
    let file = |exec: &Exec| &truth.site(exec).frames.exact;
    let known = [Some(exec)].into_iter().chain(beside(truth, index));
    if known.flatten().any(|known| file(known) == file(other)) {
        return Some(resolved_in_process(truth, index, other));
    }
    let (path, _) = right(truth.site(other));
    Some(Told {
        class: PathClass::Wrong,
        // Of a name that is not known, nobody can tell whether it really ends so.
        suffixed: path.as_slice().ends_with(DELETED),
        path,
    })
}
