//! Every fault: how it is made, and what becomes of it. Each row has a test of its name.

/// What became of a trial that met a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its line has this status.
    Line(&'static str),
    /// It has no line: what is there is whole, and `--resume` goes on.
    NoLine,
    /// No trial was run.
    NotRun,
    /// execlab made good what was broken, and says so where the row has evidence; the trial completed.
    Healed,
}

/// One fault.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The name of its test.
    pub test: &'static str,
    /// What breaks.
    pub fault: &'static str,
    /// How the test breaks it.
    pub made: &'static str,
    /// What becomes of the trial.
    pub fate: Fate,
    /// What the run ends with.
    pub code: i32,
    /// What the reason, or what is said on the terminal, holds.
    pub evidence: &'static [&'static str],
    /// What still lies there when the run has ended; the next run takes it away.
    pub left: &'static str,
}

/// The row of a test.
pub fn row(test: &str) -> &'static Row {
    let found = SECTIONS
        .iter()
        .flat_map(|s| s.rows)
        .find(|r| r.test == test);
    found.unwrap_or_else(|| panic!("{test} is not in the table"))
}

/// Rows of one kind.
#[derive(Debug)]
pub struct Section {
    pub title: &'static str,
    pub rows: &'static [Row],
}

const LOST: Fate = Fate::Line("lost");
const FAILED: Fate = Fate::Line("backend-failed");
const INFRA: Fate = Fate::Line("infra");
const UNSUPPORTED: Fate = Fate::Line("unsupported");

macro_rules! rows {
    ($($test:ident: $fault:literal, $made:literal, $fate:expr, $code:literal, [$($evidence:literal),*] $(, left $left:literal)?;)*) => {
        &[$(Row {
            test: stringify!($test),
            fault: $fault,
            made: $made,
            fate: $fate,
            code: $code,
            evidence: &[$($evidence),*],
            left: rows!(@left $($left)?),
        }),*]
    };
    (@left) => { "nothing" };
    (@left $left:literal) => { $left };
}

pub const SECTIONS: &[Section] = &[
    Section {
        title: "The guest's kernel",
        rows: rows! {
            panic: "kernel panic", "`c` to `/proc/sysrq-trigger` in the storm", LOST, 20, ["Kernel panic", "sysrq triggered crash"];
            oops: "kernel oops", "a module whose start writes to address 0", LOST, 20, ["BUG: kernel NULL pointer dereference"];
            soft_lockup: "soft lock-up", "a module whose start takes a spin lock and loops", LOST, 20, ["soft lockup"];
            powers_off: "guest switched off", "`reboot(RB_POWER_OFF)` in the storm", LOST, 20, ["without a record", "Power down"];
            floods_console: "console flooded", "endless writes to the serial port", LOST, 20, ["printed more than 4 MiB and was stopped"];
        },
    },
    Section {
        title: "Boot, drain and record",
        rows: rows! {
            hangs_in_boot: "hang in boot", "process 1 sleeps for ever", LOST, 20, ["the guest did not boot within"];
            exits: "process 1 ends", "process 1 exits", LOST, 20, ["Attempted to kill init"];
            hangs_in_drain: "hang in the drain", "process 1 sleeps for ever after the storm", LOST, 20, ["made no progress", "`stormed`"];
            no_record: "guest ends well, without a record", "process 1 leaves none", LOST, 20, ["`done` without a record"];
            record_cut_short: "record cut short", "its second half is missing", LOST, 20, ["cut short: its end mark is missing"];
            record_bad_checksum: "record with a bad checksum", "one bit of it is another one", LOST, 20, ["checksum does not match"];
            record_of_another_trial: "record of another trial", "it has another nonce", LOST, 20, ["belongs to another trial"];
            record_of_another_version: "record from another version", "its frame says the next format", LOST, 20, ["the frame has format 4", "reads format 3", "install execlab again"];
            record_says_too_long: "record longer than the channel", "its frame says 2^64 - 1 bytes", LOST, 20, ["says it holds 18446744073709551615 bytes"];
            record_is_none: "record that is none", "a good frame around 0xa5 bytes", LOST, 20, ["record cannot be read"];
            record_of_huge_lengths: "record with lengths beyond any memory", "a good frame around a list of 2^63 entries", LOST, 20, ["record cannot be read"];
            record_with_more_behind: "record with something behind it", "four bytes more in a good frame", LOST, 20, ["followed by 4 bytes"];
        },
    },
    Section {
        title: "The workload",
        rows: rows! {
            storm_missing: "workload cannot start", "its program is not there", LOST, 20, ["cannot start /bin/nothing-here"];
            storm_refuses: "workload cannot prepare", "it answers that it cannot", LOST, 20, ["cannot prepare the storm: saboteur: the ground is taken"];
            storm_hangs: "workload hangs, asleep", "it sleeps for ever when it is to begin", LOST, 20, ["cannot run the storm: the storm hangs: no answer within"];
            storm_spins: "workload hangs, busy", "it loops for ever when it is to begin", LOST, 20, ["made no progress", "`attached`"];
            storm_dies: "workload dies in the middle", "it exits when it is to begin", LOST, 20, ["cannot run the storm"];
            storm_garbage: "workload answers garbage", "64 bytes of 0xa5", LOST, 20, ["a message of 2779096485 bytes, which is none"];
            storm_half_answer: "workload answers half", "5 of 204 bytes, then silence", LOST, 20, ["the storm hangs: no answer within"];
        },
    },
    Section {
        title: "The monitor",
        rows: rows! {
            dies_before_ready: "monitor dies before it is ready", "it exits with 3", FAILED, 14, ["ended before it was ready", "exit status: 3", "saboteur: dies before it is ready"];
            dies: "monitor dies in the storm", "it exits with 3", FAILED, 14, ["ended with exit status: 3"];
            is_killed: "monitor is killed", "SIGKILL in the storm", FAILED, 14, ["ended with signal: 9 (SIGKILL)"];
            hangs_before_ready: "monitor hangs before it is ready", "it sleeps for ever", FAILED, 14, ["was never ready", "was killed"];
            hangs: "monitor hangs in the storm", "it sleeps for ever", FAILED, 14, ["did not stop when told to and was killed"];
            ignores_sigterm: "monitor does not stop", "it sees everything and stays when told to stop", FAILED, 14, ["did not stop when told to and was killed"];
            floods_stdout: "monitor floods its output", "endless text to its standard output", FAILED, 14, ["SIGXFSZ", "wrote more than 24 MiB into a file"];
            floods_seam: "monitor floods with sightings", "70,000 sightings of nothing in the storm", FAILED, 14, ["handed over more than 66176 messages"];
            floods_seam_with_long_paths: "sightings that no record has room for", "5,000 sightings with paths of 4,000 bytes", FAILED, 14, ["sightings, and the record has room for"];
            speaks_garbage: "monitor prints garbage", "4,096 bytes of 0xa5 instead of messages", FAILED, 14, ["its seam is damaged"];
            half_message: "monitor ends in the middle of a message", "half a sighting after its last word, exit 0", FAILED, 14, ["its seam ends in the middle of a message"];
            lies_about_ready: "monitor lies about being ready", "it says so and watches nothing", UNSUPPORTED, 0, ["said that it was ready, but saw none of 5 canary execs"];
            eats_memory: "out of memory in the guest", "it allocates until the kernel ends it", FAILED, 14, ["signal: 9 (SIGKILL)", "memory had run out"];
            fills_the_disk: "no space in the guest", "it fills the guest's file system", FAILED, 14, ["exit status: 4", "no space is left where it writes"];
        },
    },
    Section {
        title: "QEMU",
        rows: rows! {
            qemu_missing: "QEMU missing", "`EXECLAB_QEMU` names no file", Fate::NotRun, 21, ["cannot start", "apt-get install qemu-system-x86"];
            qemu_is_something_else: "not QEMU at all", "a program that prints something else", Fate::NotRun, 21, ["is no QEMU"];
            qemu_too_old: "QEMU too old", "a program that says 4.2.0", Fate::NotRun, 21, ["4.2.0"];
            qemu_killed_once: "QEMU killed once", "SIGKILL as soon as it runs, the first time", Fate::Healed, 0, ["signal: 9"];
            qemu_killed_each_time: "QEMU killed each time", "SIGKILL as soon as it runs", INFRA, 14, ["QEMU", "signal: 9"];
            qemu_has_no_memory: "QEMU gets no memory", "an address space of 200 MB", INFRA, 14, ["QEMU", "annot"];
        },
    },
    Section {
        title: "What is kept on disk",
        rows: rows! {
            warm_image_damaged: "warm image damaged", "one bit of the state is another one", Fate::Healed, 0, ["made again"];
            warm_image_damaged_for_good: "warm image damaged and cannot be made again", "the same, and QEMU is killed when it boots", INFRA, 14, ["there is no warm image"];
            warm_image_replaced_in_a_run: "warm image damaged after it was checked", "cut short while trials run", Fate::Healed, 0, ["cannot restore the warm image"];
            kernel_damaged: "kernel file damaged, no network", "one bit of the kernel in the cache is another one", Fate::NotRun, 21, ["vmlinux in the cache is damaged", "cannot be had"];
            module_damaged: "module damaged", "one bit of a module that the guest needs", Fate::NotRun, 21, ["overlay.ko is damaged", "execlab kernels verify"];
            initramfs_damaged: "guest's files damaged", "one bit of the initramfs in the cache", Fate::Healed, 0, [];
            disk_full: "disk full while results are written", "a file system of 256 KiB", Fate::NoLine, 21, ["No space left on device", "--resume"];
            run_directory_removed: "run directory removed in a run", "`rm -r` after the first result", Fate::NoLine, 21, ["cannot write"];
            run_directory_in_use: "run directory in use", "a second execlab goes on with a run that runs", Fate::NotRun, 22, ["in use by another execlab"];
            half_a_line: "killed while a line is written", "SIGKILL, and the last line cut in the middle", Fate::NoLine, 0, [], left "half a line, until the run goes on";
        },
    },
    Section {
        title: "The harness",
        rows: rows! {
            ctrl_c: "Ctrl-C", "the byte 3 to the terminal, guests run", Fate::NoLine, 14, ["--resume"];
            ctrl_c_twice: "second Ctrl-C", "the byte 3 twice", Fate::NoLine, 130, ["--resume"];
            terminal_closed: "terminal closed", "the other end of the terminal is closed", Fate::NoLine, 14, [];
            sigterm: "SIGTERM", "`kill -TERM`", Fate::NoLine, 14, ["--resume"];
            sigkill: "SIGKILL", "`kill -KILL`", Fate::NoLine, 137, [], left "the running guests' temporary folders, until the next run sweeps them";
        },
    },
];
