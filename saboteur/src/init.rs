//! In the place of process 1: takes the steps of the real one, without letting the kernel settle, and
//! makes its fault on the way or in the record.

use std::{fs, path::PathBuf};

use execlab_model::frame::{self, HEADER, RECORD_MAGIC};
use execlab_trial::{
    TrialError,
    guest::{
        life::{self, Task},
        ports::Ports,
    },
    runner,
};

use crate::{STORM, console};

/// Makes the fault.
pub fn run(fault: &str) -> ! {
    match fault {
        "hangs-in-boot" => console::hang(),
        "exits" => std::process::exit(0),
        _ => {}
    }
    let ports = Ports::open().expect("process 1 may use ports");
    let how = live(&ports, fault);
    life::end(&ports, how)
}

fn live(ports: &Ports, fault: &str) -> Result<(), TrialError> {
    fs::copy("/init", STORM).map_err(TrialError::at("copy the saboteur"))?;
    let (mut programs, cgroups) = life::begin(ports)?;
    if fault.starts_with("storm-") {
        programs.storm = storm(fault);
    }
    let mut task = Task::take(&programs)?;
    let (mut record, _) = runner::run(&task.plan, &programs, &cgroups, |stage| {
        ports.mark(stage);
        if fault == "hangs-in-drain" && stage == "stormed" {
            console::hang();
        }
    })?;
    match fault {
        "no-record" => Ok(()),
        // The runner's own limits are what is tried here, and they are in the monitor's place.
        _ if fault.starts_with("storm-") => task.hand_in(&mut record, None),
        _ => {
            let payload = postcard::to_allocvec(&record).expect("plain data always encodes");
            let framed = spoilt(fault, &task, &payload);
            let put = task.channel.put(&framed);
            put.map_err(TrialError::at("leave the record in the channel"))
        }
    }
}

fn storm(fault: &str) -> PathBuf {
    match fault {
        "storm-missing" => "/bin/nothing-here".into(),
        _ => STORM.into(),
    }
}

/// The frame of a record, with one thing wrong in it.
fn spoilt(fault: &str, task: &Task, payload: &[u8]) -> Vec<u8> {
    let whole = |payload: &[u8]| frame::encode(RECORD_MAGIC, &task.nonce, payload);
    let mut framed = whole(payload);
    match fault {
        "record-cut-short" => {
            let half = HEADER + payload.len() / 2;
            framed[half..].fill(0);
            framed
        }
        "record-bad-checksum" => {
            framed[HEADER + payload.len() / 2] ^= 1;
            framed
        }
        "record-of-another-trial" => frame::encode(RECORD_MAGIC, &[b'0'; 16], payload),
        "record-of-another-version" => {
            framed[8..12].copy_from_slice(&(frame::VERSION + 1).to_le_bytes());
            framed
        }
        "record-says-too-long" => {
            framed[HEADER - 8..HEADER].copy_from_slice(&u64::MAX.to_le_bytes());
            framed
        }
        "record-is-none" => whole(&[0xa5; 1000]),
        // Lengths of lists and texts without an end.
        "record-of-huge-lengths" => whole(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]),
        "record-with-more-behind" => whole(&[payload, b"more"].concat()),
        other => crate::unknown(other),
    }
}
