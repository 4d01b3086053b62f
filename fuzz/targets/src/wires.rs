//! What the families `fanotify`, `preload` and `lsm` read, and audit's records of one line.

use execlab_backends::{audit, fanotify, lsm, preload};

/// What holds for them stands beside their parsers; the first byte says which one it is. Gives whether that took the input.
pub fn run(input: &[u8]) -> bool {
    let Some((form, bytes)) = input.split_first() else {
        return false;
    };
    match form % 7 {
        0 => fanotify::fuzzing::group(bytes),
        1 => fanotify::fuzzing::head(bytes),
        2 => fanotify::fuzzing::mount_list(bytes),
        3 => preload::fuzz(bytes),
        4 => lsm::ima::fuzz(bytes),
        5 => lsm::tomoyo::fuzz(bytes),
        _ => audit::fuzzing::single(bytes),
    }
}
