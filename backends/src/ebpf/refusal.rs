//! Whether the kernel said no to us, or something went wrong; with the words for it.

use std::{error::Error, io};

use aya::{EbpfError, maps::MapError};

use crate::AttachError;

/// Characters of a long explanation that are kept.
const KEEP: usize = 1500;

/// An error with its causes, and no more of a verifier's log than its end.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    if text.len() > 2 * KEEP {
        let head: String = text.chars().take(KEEP / 4).collect();
        let tail: String = text.chars().rev().take(KEEP).collect();
        let tail: String = tail.chars().rev().collect();
        text = format!("{head} … {tail}");
    }
    text
}

fn errno(mut error: &(dyn Error + 'static)) -> Option<i32> {
    loop {
        if let Some(code) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::raw_os_error)
        {
            return Some(code);
        }
        error = error.source()?;
    }
}

/// Of an object that could not be loaded.
pub(super) fn explain(error: EbpfError) -> AttachError {
    match error {
        EbpfError::MapError(MapError::CreateError { name, io_error })
            if name == "ring" && io_error.raw_os_error() == Some(libc::EINVAL) =>
        {
            AttachError::Unsupported(
                "the kernel has no BPF ring buffer (Linux 5.8): bpf(MAP_CREATE) answered EINVAL"
                    .into(),
            )
        }
        error => judge("bpf(load object)", &error),
    }
}

/// A kernel without BPF, without what is to be attached to, under lockdown, or that does not let us: unsupported. All
/// else is a failure.
pub(super) fn judge(call: &str, error: &(dyn Error + 'static)) -> AttachError {
    let text = chain(error);
    match errno(error) {
        Some(libc::EPERM | libc::EACCES | libc::ENOSYS) if !text.contains("processed") => {
            AttachError::Unsupported(format!("{call} is not allowed here: {text}"))
        }
        Some(libc::ENOENT | libc::ENODEV | libc::EADDRNOTAVAIL) => {
            AttachError::Unsupported(format!("{call}: this kernel has no such place: {text}"))
        }
        _ if text.contains("tracefs not found") => AttachError::Unsupported(format!(
            "{call}: no tracefs is mounted at /sys/kernel/tracing (mount -t tracefs)"
        )),
        // What the verifier up to 5.11 calls an operation that it does not know.
        _ if text.contains("BPF_STX uses reserved fields") => AttachError::Unsupported(format!(
            "{call}: the kernel has no atomic operations for programs (Linux 5.12): {text}"
        )),
        _ if text.contains("unknown func bpf_probe_read_kernel") => {
            AttachError::Unsupported(format!(
                "programs may not read the kernel's memory here (lockdown=confidentiality): {text}"
            ))
        }
        _ => AttachError::call(call)(io::Error::other(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_a_failure() {
        let because = |code| {
            let io_error = io::Error::from_raw_os_error(code);
            let name = "cpus".to_owned();
            explain(EbpfError::MapError(MapError::CreateError {
                name,
                io_error,
            }))
        };
        assert!(
            matches!(because(libc::EPERM), AttachError::Unsupported(why) if why.contains("cpus"))
        );
        assert!(matches!(because(libc::ENOMEM), AttachError::Call { .. }));
        let said = |text: &str| judge("bpf(load)", &io::Error::other(text.to_owned()));
        let unsupported = |error, what: &str| matches!(error, AttachError::Unsupported(why) if why.contains(what));
        assert!(unsupported(said("BPF_STX uses reserved fields"), "5.12"));
        assert!(unsupported(said("tracefs not found"), "mount -t tracefs"));
        assert!(matches!(
            said("R1 invalid mem access"),
            AttachError::Call { .. }
        ));
    }
}
