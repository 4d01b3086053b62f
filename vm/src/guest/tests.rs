//! Guests that are shell scripts: what becomes of each kind of end, without any machine.

use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};

use tempfile::TempDir;

use super::*;
use crate::qemu::{Engine, QemuError};

const NONCE: Nonce = [3; 16];

/// A program in QEMU's place. `$marks`, `$serial` and `$channel` are the paths on its command line,
/// `$here` is its own folder.
struct FakeQemu {
    dir: TempDir,
    qemu: Qemu,
}

impl FakeQemu {
    fn new(guest: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("qemu");
        let script = format!(
            "#!/bin/sh\n\
             [ \"$1\" = -L ] && exit\n\
             [ \"$1\" = --version ] && echo 'QEMU emulator version 9.0.0 (fake)' && exit\n\
             here=$(dirname \"$0\")\n\
             for a; do case $a in\n\
               *id=marks,path=*) marks=${{a#*path=}};;\n\
               *id=serial,path=*) serial=${{a#*path=}};;\n\
               *mem-path=*) channel=${{a#*mem-path=}};;\n\
             esac; done\n{guest}\n"
        );
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        // Another test's thread may be between its fork and its exec and hold the script open for writing.
        let qemu = loop {
            match Qemu::at(program.clone()) {
                Err(QemuError::Start { source, .. })
                    if source.kind() == ErrorKind::ExecutableFileBusy =>
                {
                    std::thread::yield_now();
                }
                found => break found.unwrap(),
            }
        };
        Self { dir, qemu }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, clocks: Clocks) -> Result<Vec<u8>, GuestError> {
        let machine = Machine {
            engine: Engine::Counting,
            memory_mib: 64,
            channel_mib: 1,
            boot: Vec::new(),
        };
        Guest {
            qemu: &self.qemu,
            machine: &machine,
            kernel: &self.path("kernel"),
            initramfs: &self.path("initramfs"),
            start: Start::Cold,
            nonce: &NONCE,
            plan: b"plan",
            serial_log: &self.path("log"),
            clocks,
        }
        .run()
    }

    fn reason(&self, clocks: Clocks) -> String {
        match self.run(clocks) {
            Err(GuestError::Lost(reason)) => reason,
            other => panic!("not lost but {other:?}"),
        }
    }
}

/// Longer than any machine needs for a shell script.
const PATIENT: Clocks = Clocks {
    boot: Duration::from_mins(5),
    stage: Duration::from_mins(5),
    total: Duration::from_mins(5),
    hurry: None,
};

const TELL: &str = "cat \"$here/record\" 1<>\"$channel\" >&1; exit 33";

#[test]
fn a_whole_record_is_what_a_guest_is_judged_by() {
    let fake = FakeQemu::new(TELL);
    let record = frame::encode(RECORD_MAGIC, &NONCE, b"told");
    fs::write(fake.path("record"), record).unwrap();
    assert_eq!(fake.run(PATIENT).unwrap(), b"told");
}

#[test]
fn a_record_of_another_trial_or_cut_short_is_none() {
    let mut damaged = frame::encode(RECORD_MAGIC, &NONCE, b"told");
    damaged[frame::HEADER + 1] ^= 1;
    for record in [frame::encode(RECORD_MAGIC, &[4; 16], b"told"), damaged] {
        let fake = FakeQemu::new(TELL);
        fs::write(fake.path("record"), record).unwrap();
        let reason = fake.reason(PATIENT);
        assert!(reason.contains("not whole"), "{reason}");
    }
}

#[test]
fn a_guest_that_ends_without_a_record_is_lost_with_its_last_words() {
    for status in [0, 33, 35] {
        let words = "echo booted >$marks; echo 'Kernel panic' >$serial";
        let reason = FakeQemu::new(&format!("{words}; exit {status}")).reason(PATIENT);
        let expected = "the guest ended after `booted` without a record; \
                        its console ends with: Kernel panic";
        assert_eq!(reason, expected);
    }
}

#[test]
fn trouble_of_qemu_itself_is_the_hosts() {
    for end in [
        "echo 'cannot set up guest memory' >&2; exit 1",
        "echo booted >$marks; kill -9 $$",
    ] {
        match FakeQemu::new(end).run(PATIENT) {
            Err(GuestError::Qemu { .. }) => {}
            other => panic!("{end}: {other:?}"),
        }
    }
}

#[test]
fn a_guest_that_hangs_is_ended_by_its_clocks() {
    let short = Duration::from_millis(100);
    let booting = Clocks {
        boot: short,
        ..PATIENT
    };
    let reason = FakeQemu::new("exec sleep 1000").reason(booting);
    assert!(
        reason.starts_with("the guest did not boot within"),
        "{reason}"
    );
    let working = Clocks {
        stage: short,
        ..PATIENT
    };
    let reason = FakeQemu::new("echo booted >$marks; exec sleep 1000").reason(working);
    assert!(reason.starts_with("the guest made no progress"), "{reason}");
}
