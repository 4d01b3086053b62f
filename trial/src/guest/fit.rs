//! A record that fits into the channel.
//!
//! Truth and costs always do: the channel is made as large as the workload asks for. How much a monitor
//! hands over is up to the monitor, and one that hands over too much is not to cost its trial the truth.

use std::io;

use execlab_model::{
    record::{GuestStatus, Record},
    sched::SchedTrace,
};

use crate::TrialError;

/// The bytes of a record, at most `room` of them. What does not fit is the last of the monitor's
/// sightings; a monitor whose sightings do not fit has failed.
pub fn encode(record: &mut Record, room: usize) -> Result<Vec<u8>, TrialError> {
    let bytes = to_bytes(record)?;
    let all = record.sightings.len();
    if bytes.len() <= room || all == 0 {
        return Ok(bytes);
    }
    let over = bytes.len() - room;
    drop(bytes);
    let mut freed = 0;
    let mut kept = all;
    // The reason below takes some room too.
    while freed < over + 256 && kept > 0 {
        kept -= 1;
        freed += to_bytes(&record.sightings[kept])?.len();
    }
    record.sightings.truncate(kept);
    let mut why = format!(
        "the monitor handed over {all} sightings, and the record has room for {kept} of them"
    );
    if let GuestStatus::BackendFailed(before) = &record.status {
        why = format!("{before}; {why}");
    }
    record.status = GuestStatus::BackendFailed(why);
    to_bytes(record)
}

/// The bytes of what the scheduler did, at most `room` of them; none where not even its frame fits. What does not
/// fit is the last pages of the fullest buffer.
pub fn encode_sched(mut sched: SchedTrace, room: usize) -> Result<Vec<u8>, TrialError> {
    loop {
        let bytes = to_bytes(&sched)?;
        if bytes.len() <= room {
            return Ok(bytes);
        }
        let mut over = bytes.len() - room;
        let fullest = sched.cpus.iter_mut().max_by_key(|cpu| cpu.pages.len());
        let Some(cpu) = fullest.filter(|cpu| !cpu.pages.is_empty()) else {
            return Ok(Vec::new());
        };
        while over > 0
            && let Some(page) = cpu.pages.pop()
        {
            cpu.left_out += 1;
            over = over.saturating_sub(page.as_slice().len());
        }
    }
}

fn to_bytes(what: &impl serde::Serialize) -> Result<Vec<u8>, TrialError> {
    postcard::to_allocvec(what)
        .map_err(io::Error::other)
        .map_err(TrialError::at("write the record"))
}

#[cfg(test)]
mod tests {
    use execlab_model::{Bytes, sched::CpuTrace, sighting::Sighting};

    use super::*;
    use crate::runner::blank_record;

    #[test]
    fn what_fits_is_left_alone_and_a_flood_is_cut_and_told() {
        let mut record = blank_record();
        record.sightings = vec![Sighting::default(); 1000];
        let whole = encode(&mut record, 1 << 20).unwrap();
        assert_eq!(record.status, GuestStatus::Completed);
        let room = whole.len() / 2;
        let cut = encode(&mut record, room).unwrap();
        assert!(cut.len() <= room, "{} > {room}", cut.len());
        assert!(record.sightings.len() > 300, "{}", record.sightings.len());
        let GuestStatus::BackendFailed(why) = &record.status else {
            panic!("{:?}", record.status);
        };
        assert!(why.contains("handed over 1000 sightings"), "{why}");
        assert_eq!(postcard::from_bytes::<Record>(&cut).unwrap(), record);
    }

    #[test]
    fn pages_that_do_not_fit_are_left_out_and_counted() {
        let page = Bytes(vec![7; 4096]);
        let sched = SchedTrace {
            cpus: vec![CpuTrace {
                pages: vec![page; 10],
                ..CpuTrace::default()
            }],
            ..SchedTrace::default()
        };
        let all = encode_sched(sched.clone(), 1 << 20).unwrap();
        assert_eq!(postcard::from_bytes::<SchedTrace>(&all).unwrap(), sched);
        let room = all.len() - 1;
        let cut = encode_sched(sched.clone(), room).unwrap();
        assert!(cut.len() <= room);
        let cut: SchedTrace = postcard::from_bytes(&cut).unwrap();
        assert_eq!((cut.cpus[0].pages.len(), cut.cpus[0].left_out), (9, 1));
        assert!(encode_sched(sched, 3).unwrap().is_empty());
    }
}
