//! Monitors that break, and what they do to their guest.

use std::sync::OnceLock;

use super::{Group, Place, kernels, newest};

fn of_the_monitor(test: &str) {
    static GROUP: OnceLock<Group> = OnceLock::new();
    const FAULTS: &[&str] = &[
        "dies_before_ready",
        "dies",
        "is_killed",
        "hangs_before_ready",
        "hangs",
        "ignores_sigterm",
        "floods_stdout",
        "floods_seam",
        "floods_seam_with_long_paths",
        "speaks_garbage",
        "half_message",
    ];
    let group = GROUP.get_or_init(|| Group::run(&[newest()], Place::Monitor, FAULTS));
    group.check(test);
}

/// On the oldest and the newest kernel.
fn of_resources(test: &str) {
    static GROUP: OnceLock<Group> = OnceLock::new();
    const FAULTS: &[&str] = &["eats_memory", "fills_the_disk"];
    let group = GROUP.get_or_init(|| Group::run(&kernels(), Place::Monitor, FAULTS));
    group.check(test);
}

#[test]
fn dies_before_ready() {
    of_the_monitor("dies_before_ready");
}

#[test]
fn dies() {
    of_the_monitor("dies");
}

#[test]
fn is_killed() {
    of_the_monitor("is_killed");
}

#[test]
fn hangs_before_ready() {
    of_the_monitor("hangs_before_ready");
}

#[test]
fn hangs() {
    of_the_monitor("hangs");
}

#[test]
fn ignores_sigterm() {
    of_the_monitor("ignores_sigterm");
}

#[test]
fn floods_stdout() {
    of_the_monitor("floods_stdout");
}

#[test]
fn floods_seam() {
    of_the_monitor("floods_seam");
}

#[test]
fn floods_seam_with_long_paths() {
    of_the_monitor("floods_seam_with_long_paths");
}

#[test]
fn speaks_garbage() {
    of_the_monitor("speaks_garbage");
}

#[test]
fn half_message() {
    of_the_monitor("half_message");
}

#[test]
fn eats_memory() {
    of_resources("eats_memory");
}

#[test]
fn fills_the_disk() {
    of_resources("fills_the_disk");
}

#[test]
fn lies_about_ready() {
    let fault = "lies_about_ready";
    Group::run(&kernels(), Place::Monitor, &[fault]).check(fault);
}
