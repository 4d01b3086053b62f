//! Events put together from records: a table of those that are under way.
//!
//! Records of events on several processors come mixed, so each is sorted in by time and serial.
//! EOE ends an event. One that never ends (its EOE was lost, or its front half) is closed with what
//! there is once nothing came for it for a while, or when the table is full.

use super::{
    event::{Event, Outcome},
    record,
    wire::kind,
};

/// More events under way than this are never due to order, but to loss.
const MOST_OPEN: usize = 1024;
/// See the module.
#[derive(Debug)]
pub struct Assembler {
    /// Oldest first: most often there is one, and it is the right one.
    open: Vec<Event>,
    /// Whether PATH records are made, that is, not excluded.
    paths: bool,
    malformed: u64,
}

impl Assembler {
    /// For a kernel that makes PATH records or was told not to.
    pub fn new(paths: bool) -> Self {
        Self {
            open: Vec::new(),
            paths,
            malformed: 0,
        }
    }

    /// How many events are under way.
    pub fn open(&self) -> usize {
        self.open.len()
    }

    /// How many records could not be read.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Takes in one record and hands over the event that it ends, if it ends one.
    pub fn record(
        &mut self,
        kind: u16,
        text: &[u8],
        received_ns: u64,
        mut close: impl FnMut(Outcome),
    ) {
        if !matches!(kind, kind::SYSCALL | kind::EXECVE | kind::PATH | kind::EOE) {
            return;
        }
        let Some((stamp, fields)) = record::stamp(text) else {
            self.malformed += 1;
            return;
        };
        // Interpreters, and TOMOYO's own look-up: of no use, and too late to open an event for.
        if kind == kind::PATH && !fields.starts_with(b" item=0 ") {
            return;
        }
        let known = self.open.iter().rposition(|event| event.stamp == stamp);
        let at = known.unwrap_or_else(|| {
            if self.open.len() == MOST_OPEN {
                close(self.open.remove(0).close(self.paths));
            }
            self.open.push(Event::new(stamp));
            self.open.len() - 1
        });
        let event = &mut self.open[at];
        event.touched_ns = received_ns;
        if !event.take(kind, fields) {
            self.malformed += 1;
        }
        if event.is_over(kind, self.paths) {
            close(self.open.remove(at).close(self.paths));
        }
    }

    /// Closes the events for which nothing came since `before_ns`.
    pub fn close_idle(&mut self, before_ns: u64, mut close: impl FnMut(Outcome)) {
        let paths = self.paths;
        for event in self.open.extract_if(.., |e| e.touched_ns <= before_ns) {
            close(event.close(paths));
        }
    }
}

#[cfg(test)]
#[path = "assembler_tests.rs"]
mod tests;
