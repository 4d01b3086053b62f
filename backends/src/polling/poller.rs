//! What `proc-poll` and `proc-poll-pidfd` share: a listing at each beat, and the table of known processes.

use execlab_model::sighting::Sighting;

use super::{
    beat::{Beat, Woken},
    ends::Ends,
    raise_descriptor_limit,
    table::{self, Table},
};
use crate::{
    AttachError, Monitor, MonitorError, Seam, Settings, Stop,
    clock::monotonic_ns,
    procfs_lookup::{Depth, Listing, Scan},
    seam::SeamWriteError,
};

/// How often a `cursor` scan lists everything all the same.
const FULL_EVERY_NS: u64 = 1_000_000_000;

/// Scans at an interval.
#[derive(Debug)]
pub struct Poller {
    cursor: bool,
    last_full_ns: u64,
    beat: Beat,
    listing: Listing,
    table: Table,
    evidence: Vec<String>,
}

impl Poller {
    /// With `ends` it is told when a known process ends.
    pub fn attach(settings: &Settings, ends: Option<Ends>) -> Result<Self, AttachError> {
        let (soft, hard) = raise_descriptor_limit()?;
        let cursor = settings.word("scan") == "cursor";
        let mut listing = Listing::open().map_err(AttachError::call("open /proc"))?;
        let mut evidence = listing.prove(cursor)?;
        evidence.push(table::prove_fork_flag()?);
        let mut table = Table::open(Depth::from_word(settings.word("lookup")), ends)
            .map_err(AttachError::call("open /proc"))?;
        listing
            .scan(Scan::Full)
            .map_err(AttachError::call("getdents64 of /proc"))?;
        table.begin(&listing.found);
        evidence.push(format!(
            "{} processes known at attach; descriptor limit {soft} raised to {hard}",
            listing.found.len()
        ));
        Ok(Self {
            cursor,
            last_full_ns: monotonic_ns(),
            beat: Beat::new(settings.number("interval-us")),
            listing,
            table,
            evidence,
        })
    }

    /// To be told with what else proves that it is attached.
    #[must_use]
    pub fn with_evidence(mut self, more: String) -> Self {
        self.evidence.push(more);
        self
    }

    fn scan(&mut self, seam: &mut Seam, now: u64) -> Result<(), MonitorError> {
        let full = !self.cursor || now - self.last_full_ns >= FULL_EVERY_NS;
        if full {
            self.last_full_ns = now;
        }
        self.listing
            .scan(if full { Scan::Full } else { Scan::New })
            .map_err(MonitorError::call("getdents64 of /proc"))?;
        reporting(seam, |report| {
            self.table.check_known(now, report);
            self.table.add(&self.listing.found, now, report);
        })?;
        if full {
            self.table.forget_unlisted(&self.listing.found);
        }
        Ok(())
    }

    fn take_ends(&mut self, seam: &mut Seam) -> Result<(), MonitorError> {
        Ok(reporting(seam, |report| {
            self.table.check_ended(monotonic_ns(), report);
        })?)
    }
}

/// Runs something that reports sightings. The first one that could not be handed over is the error.
pub fn reporting(
    seam: &mut Seam,
    work: impl FnOnce(&mut dyn FnMut(Sighting)),
) -> Result<(), SeamWriteError> {
    let mut handed_over = Ok(());
    work(&mut |sighting| {
        if handed_over.is_ok() {
            handed_over = seam.sighting(sighting);
        }
    });
    handed_over
}

impl Monitor for Poller {
    fn evidence(&self) -> Vec<String> {
        self.evidence.clone()
    }

    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError> {
        loop {
            let begun = self.beat.begin();
            self.scan(seam, begun)?;
            seam.flush()?;
            self.beat.end();
            let woken = loop {
                match self.beat.wait(stop, self.table.ends())? {
                    Woken::Readable => self.take_ends(seam)?,
                    other => break other,
                }
                seam.flush()?;
            };
            if woken == Woken::Stopped {
                break;
            }
        }
        // What came up since the last scan.
        self.take_ends(seam)?;
        self.scan(seam, monotonic_ns())?;
        Ok(seam.flush()?)
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.beat.note()];
        notes.extend(self.table.notes());
        notes
    }
}
