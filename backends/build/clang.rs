//! Which clang compiles the eBPF programs. `harness/build/` reads this file too, to name it.

use std::env;

/// What it depends on.
pub const VARIABLES: [&str; 2] = ["EXECLAB_CLANG", "CLANG"];

/// The first of [`VARIABLES`] that is set, else the one of the search path.
pub fn program() -> String {
    VARIABLES
        .iter()
        .find_map(|name| env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "clang".to_owned())
}
