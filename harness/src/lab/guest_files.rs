//! The programs of a trial, in a guest and on a host. They were built with this binary (see `build/`) and travel
//! inside it, so that one file is all that has to be installed.

use std::borrow::Cow;

use execlab_workloads::scenario::programs;

mod squashfs;

/// Process 1.
pub const INIT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-init"));
/// What makes the execs.
pub const STORM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-storm"));
/// What is executed.
pub const PAYLOAD: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-payload"));
/// What is executed to see what truth costs: it only exits.
pub const PAYLOAD_BARE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-payload-bare"));
/// What some scenarios execute, or need for it; see [`beside_payload`].
const COMPAT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-payload-32"));
const DYNAMIC: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-payload-dynamic"));
/// What starts dynamically linked programs in a guest; a host has its own.
pub const LINKER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-linker"));
/// What runs a trial on the machine itself, and stands beside it.
pub const HOST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/execlab-host"));
/// Compilers and linker that made them, with their versions.
pub const TOOLCHAIN: &str = env!("EXECLAB_GUEST_TOOLCHAIN");

/// For each backend the program that watches with it and knows no other.
const MONITORS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/monitors.rs"));

/// What lies beside the payload for scenarios that need another one, by name.
pub fn beside_payload() -> [(&'static str, Cow<'static, [u8]>); 3] {
    [
        (programs::COMPAT, COMPAT.into()),
        (programs::DYNAMIC, DYNAMIC.into()),
        (programs::IMAGE, squashfs::image().into()),
    ]
}

/// The program that watches with a backend; `None` for the baseline, which has none.
pub fn monitor(backend: &str) -> Option<&'static [u8]> {
    let program = execlab_backends::find(backend)?.program();
    MONITORS
        .iter()
        .find_map(|(name, bytes)| (*name == program).then_some(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::BASELINE;

    fn programs() -> impl Iterator<Item = (&'static str, &'static [u8])> {
        [
            ("init", INIT),
            ("host", HOST),
            ("storm", STORM),
            ("payload", PAYLOAD),
            ("payload-bare", PAYLOAD_BARE),
            ("payload-32", COMPAT),
            ("payload-dynamic", DYNAMIC),
        ]
        .into_iter()
        .chain(MONITORS.iter().copied())
    }

    fn holds(program: &[u8], text: &str) -> bool {
        program.windows(text.len()).any(|w| w == text.as_bytes())
    }

    /// The build reads its list from the features of `backends/`, so this is where the two meet.
    #[test]
    fn every_backend_that_watches_has_a_monitor() {
        let watching = execlab_backends::BACKENDS.iter().map(|b| b.name());
        let mut watching: Vec<_> = watching.filter(|name| *name != BASELINE).collect();
        let mut built: Vec<_> = MONITORS.iter().map(|(name, _)| *name).collect();
        watching.sort_unstable();
        built.sort_unstable();
        assert_eq!(watching, built);
        assert!(monitor(BASELINE).is_none());
    }

    /// The line that describes a backend is in its monitor, and in no other one's.
    #[test]
    fn a_monitor_holds_its_own_backend_and_no_other() {
        for backend in execlab_backends::BACKENDS {
            for (name, program) in MONITORS {
                let own = backend.name() == *name;
                assert_eq!(
                    holds(program, backend.about()) && backend.name() != BASELINE,
                    own,
                    "{} in the monitor of {name}",
                    backend.name()
                );
            }
        }
    }

    #[test]
    fn no_path_of_the_machine_that_built_it_is_in_a_guest() {
        let workspace = env!("CARGO_MANIFEST_DIR").trim_end_matches("/harness");
        let home = std::env::home_dir().map(|home| home.join(".cargo"));
        let paths = [Some(workspace.into()), Some(env!("OUT_DIR").into()), home];
        for path in paths.into_iter().flatten() {
            let path = path.to_string_lossy();
            for (name, program) in programs() {
                assert!(!holds(program, &path), "{path} in {name}");
            }
        }
    }

    #[test]
    fn the_toolchain_is_named_with_its_versions() {
        let parts: Vec<_> = TOOLCHAIN.split(", ").collect();
        assert!(parts[0].starts_with("rustc 1."), "{TOOLCHAIN}");
        assert!(parts[1].starts_with("clang "), "{TOOLCHAIN}");
        assert!(!TOOLCHAIN.contains("unknown"), "{TOOLCHAIN}");
    }
}
