//! Guests that are lost: kernels that panic or hang, and process 1 and workloads that break.

use std::sync::OnceLock;

use super::{Group, Place, kernels, oldest};

/// On the oldest and the newest kernel.
fn in_the_kernel(test: &str) {
    static GROUP: OnceLock<Group> = OnceLock::new();
    const FAULTS: &[&str] = &[
        "panic",
        "oops",
        "soft_lockup",
        "powers_off",
        "floods_console",
    ];
    let group = GROUP.get_or_init(|| Group::run(&kernels(), Place::Monitor, FAULTS));
    group.check(test);
}

/// Guests that boot, on the kernel that boots fastest.
fn in_process_1(test: &str) {
    static GROUP: OnceLock<Group> = OnceLock::new();
    const FAULTS: &[&str] = &[
        "hangs_in_boot",
        "exits",
        "hangs_in_drain",
        "no_record",
        "record_cut_short",
        "record_bad_checksum",
        "record_of_another_trial",
        "record_of_another_version",
        "record_says_too_long",
        "record_is_none",
        "record_of_huge_lengths",
        "record_with_more_behind",
        "storm_missing",
        "storm_refuses",
        "storm_hangs",
        "storm_spins",
        "storm_dies",
        "storm_garbage",
        "storm_half_answer",
    ];
    let group = GROUP.get_or_init(|| Group::run(&[oldest()], Place::Init, FAULTS));
    group.check(test);
}

#[test]
fn panic() {
    in_the_kernel("panic");
}

#[test]
fn oops() {
    in_the_kernel("oops");
}

#[test]
fn soft_lockup() {
    in_the_kernel("soft_lockup");
}

#[test]
fn powers_off() {
    in_the_kernel("powers_off");
}

#[test]
fn floods_console() {
    in_the_kernel("floods_console");
}

#[test]
fn hangs_in_boot() {
    in_process_1("hangs_in_boot");
}

#[test]
fn exits() {
    in_process_1("exits");
}

#[test]
fn hangs_in_drain() {
    in_process_1("hangs_in_drain");
}

#[test]
fn no_record() {
    in_process_1("no_record");
}

#[test]
fn record_cut_short() {
    in_process_1("record_cut_short");
}

#[test]
fn record_bad_checksum() {
    in_process_1("record_bad_checksum");
}

#[test]
fn record_of_another_trial() {
    in_process_1("record_of_another_trial");
}

#[test]
fn record_of_another_version() {
    in_process_1("record_of_another_version");
}

#[test]
fn record_says_too_long() {
    in_process_1("record_says_too_long");
}

#[test]
fn record_is_none() {
    in_process_1("record_is_none");
}

#[test]
fn record_of_huge_lengths() {
    in_process_1("record_of_huge_lengths");
}

#[test]
fn record_with_more_behind() {
    in_process_1("record_with_more_behind");
}

#[test]
fn storm_missing() {
    in_process_1("storm_missing");
}

#[test]
fn storm_refuses() {
    in_process_1("storm_refuses");
}

#[test]
fn storm_hangs() {
    in_process_1("storm_hangs");
}

#[test]
fn storm_spins() {
    in_process_1("storm_spins");
}

#[test]
fn storm_dies() {
    in_process_1("storm_dies");
}

#[test]
fn storm_garbage() {
    in_process_1("storm_garbage");
}

#[test]
fn storm_half_answer() {
    in_process_1("storm_half_answer");
}
