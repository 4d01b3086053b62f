//! What programs count, by CPU, in a map beside their losses.

use aya::maps::{Array, MapData};
use execlab_model::sighting::{LossReport, LossUnit};

use super::attached::Attached;
use super::load::{take, unusable};
use crate::{AttachError, MonitorError, Seam};

/// The map `counts` of an object, and what it means.
pub(super) struct Counts {
    map: Array<MapData, u64>,
    meaning: Meaning,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Meaning {
    /// Something that is as it should be, in these words.
    Note(&'static str),
    /// Events that are lost, each perhaps an exec, with the name of their source.
    Events(&'static str),
}

impl Counts {
    /// Has them told of these programs at the end.
    pub(super) fn add(attached: &mut Attached, meaning: Meaning) -> Result<(), AttachError> {
        let map = take(&mut attached.ebpf, "counts");
        let map = Array::try_from(map).map_err(|error| unusable(&error))?;
        attached.counts = Some(Self { map, meaning });
        Ok(())
    }

    /// To be called once nothing is counted any more.
    pub(super) fn tell(
        &self,
        seam: &mut Seam,
        window_ns: (u64, u64),
        notes: &mut Vec<String>,
    ) -> Result<(), MonitorError> {
        let mut count = 0u64;
        for cpu in 0..self.map.len() {
            let more = self.map.get(&cpu, 0).map_err(|error| {
                MonitorError::call("bpf(MAP_LOOKUP_ELEM, counts)")(std::io::Error::other(error))
            })?;
            count = count.saturating_add(more);
        }
        match self.meaning {
            Meaning::Note(what) => notes.push(format!("{count} {what}")),
            Meaning::Events(source) if count > 0 => seam.loss(LossReport {
                source: source.to_owned(),
                unit: LossUnit::Event,
                count: Some(count),
                window_ns,
            })?,
            Meaning::Events(_) => {}
        }
        Ok(())
    }
}
