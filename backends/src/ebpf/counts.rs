//! What programs count, by CPU, in a map beside their losses.

use std::io;

use aya::maps::{Array, MapData};
use execlab_model::sighting::LossUnit;

use super::attached::Attached;
use super::load::{take, unusable};
use crate::{AttachError, MonitorError, Seam};

/// The map `counts` of an object, and what it means.
pub(super) struct Counts {
    map: Array<MapData, u64>,
    meaning: Meaning,
    /// Counted before all programs were attached.
    before: u64,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// Something that is as it should be, in these words.
    Note(&'static str),
    /// Execs that are lost, with the name of their source.
    Execs(&'static str),
}

const LOOKUP: &str = "bpf(MAP_LOOKUP_ELEM, counts)";

/// Of all CPUs.
fn sum(map: &Array<MapData, u64>) -> io::Result<u64> {
    (0..map.len()).try_fold(0u64, |sum, cpu| {
        let more = map.get(&cpu, 0).map_err(io::Error::other)?;
        Ok(sum.saturating_add(more))
    })
}

impl Counts {
    /// Has them told of these programs at the end.
    pub(super) fn add(attached: &mut Attached, meaning: Meaning) -> Result<(), AttachError> {
        let map = take(&mut attached.ebpf, "counts");
        let map = Array::try_from(map).map_err(|error| unusable(&error))?;
        let before = sum(&map).map_err(AttachError::call(LOOKUP))?;
        attached.counts = Some(Self {
            map,
            meaning,
            before,
        });
        Ok(())
    }

    /// To be called once nothing is counted any more.
    pub(super) fn tell(
        &self,
        seam: &mut Seam,
        window_ns: (u64, u64),
        notes: &mut Vec<String>,
    ) -> Result<(), MonitorError> {
        let count = sum(&self.map).map_err(MonitorError::call(LOOKUP))?;
        let count = count.saturating_sub(self.before);
        match self.meaning {
            Meaning::Note(what) => notes.push(format!("{count} {what}")),
            Meaning::Execs(source) => seam.lost(source, LossUnit::Exec, count, window_ns)?,
        }
        Ok(())
    }
}
