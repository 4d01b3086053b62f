//! What the fuzzers do with the bytes that they are given: one function for each target, which panics
//! where something is wrong.
//!
//! Called by the fuzzers themselves (`cargo xtask fuzz`, libFuzzer) and by a test that feeds them the
//! seeds and a fixed number of mutations of them. A target that reads several forms takes the form from the
//! first byte of its input. What can be said only from inside of a crate stands there, in a module `fuzzing`
//! behind the feature of that name. Each says whether a reader took the input: seeds that none takes any more
//! reach little, and a test looks for them.
//!
//! To add one: write its module, its line in [`TARGETS`], its program in `fuzz_targets/` with its entry in
//! `fuzz/Cargo.toml`, and some seeds; a test looks for all of them.

pub mod accounting;
pub mod audit;
pub mod connector;
mod file;
pub mod kernels;
pub mod kmod;
pub mod matrix;
pub mod perf;
pub mod proc;
pub mod record;
pub mod results;
pub mod ring;
pub mod tracefs;
pub mod wires;

/// One target.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name: of its program, and of the folder of its seeds.
    pub name: &'static str,
    /// What it does with an input; whether a reader took it.
    pub run: fn(&[u8]) -> bool,
    /// How many mutations the short run makes; an input of some targets takes a hundred times as long as one of
    /// others.
    pub mutations: u32,
}

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "accounting",
        run: accounting::run,
        mutations: 20_000,
    },
    Target {
        name: "audit",
        run: audit::run,
        mutations: 4_000,
    },
    Target {
        name: "connector",
        run: connector::run,
        mutations: 20_000,
    },
    Target {
        name: "kernels",
        run: kernels::run,
        mutations: 4_000,
    },
    Target {
        name: "kmod",
        run: kmod::run,
        mutations: 20_000,
    },
    Target {
        name: "matrix",
        run: matrix::run,
        mutations: 400,
    },
    Target {
        name: "perf",
        run: perf::run,
        mutations: 20_000,
    },
    Target {
        name: "proc",
        run: proc::run,
        mutations: 10_000,
    },
    Target {
        name: "record",
        run: record::run,
        mutations: 10_000,
    },
    Target {
        name: "results",
        run: results::run,
        mutations: 300,
    },
    Target {
        name: "ring",
        run: ring::run,
        mutations: 20_000,
    },
    Target {
        name: "tracefs",
        run: tracefs::run,
        mutations: 4_000,
    },
    Target {
        name: "wires",
        run: wires::run,
        mutations: 20_000,
    },
];
