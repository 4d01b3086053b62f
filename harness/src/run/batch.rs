//! Trials that are no whole run: what a search asks for next.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
};

use execlab_model::result::TrialResult;

use super::{Queue, Run, Said, worker, writer::GLANCE};
use crate::store::StoreError;

impl Run<'_> {
    /// Runs those trials of the plan that have no line in `done`, and has what is said of each heard as it
    /// is said, by one thread; now and then there is nothing to hear.
    pub(crate) fn batch(
        self,
        done: Vec<Option<Arc<TrialResult>>>,
        logs: &Path,
        mut hear: impl FnMut(Option<Said>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let queue = Queue::new(self.plan.baselines(), done, &[]);
        let slots = AtomicUsize::new(0);
        let work = |say| {
            worker::Worker {
                run: self,
                queue: &queue,
                logs,
                slot: slots.fetch_add(1, Ordering::Relaxed),
                say,
            }
            .work();
        };
        let hear_all = |said: mpsc::Receiver<Said>| loop {
            match said.recv_timeout(GLANCE) {
                Ok(said) => hear(Some(said))?,
                Err(mpsc::RecvTimeoutError::Timeout) => hear(None)?,
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(()),
            }
        };
        self.on_all_workers(hear_all, work, || queue.stop())
    }
}
