//! Plain lines, for logs.

use std::io::Write;

use super::{name, rough, verdict};
use crate::{
    events::{Event, Reporter, Tally},
    lab::ImageState,
};

/// Writes one line for each event that a log should have.
#[derive(Debug)]
pub struct Lines<W> {
    out: W,
}

impl<W: Write> Lines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    fn place(tally: &Tally) -> String {
        let width = tally.total.to_string().len();
        format!("[{:>width$}/{}]", tally.done, tally.total)
    }
}

impl<W: Write> Reporter for Lines<W> {
    fn event(&mut self, event: &Event) {
        let line = match event {
            Event::RunStarted {
                directory,
                jobs,
                tally,
            } => {
                let kept = match tally.done {
                    0 => String::new(),
                    n => format!(", {n} of them done"),
                };
                format!(
                    "run {}: {} trials{kept}, {jobs} at a time",
                    name(&directory.display().to_string()),
                    tally.total
                )
            }
            Event::Image(news) if news.what == ImageState::Making => return,
            Event::Image(news) => super::image(news),
            Event::TrialStarted { .. } => return,
            Event::TrialRetried { trial, reason } => {
                format!("again: {}  ({})", name(trial), super::one_line(reason))
            }
            Event::TrialFinished { result, tally } => {
                let left = match tally.left {
                    Some(left) if tally.done < tally.total => format!("  {} left", rough(left)),
                    _ => String::new(),
                };
                format!("{} {}{left}", Self::place(tally), verdict(result))
            }
            Event::Repeated {
                repeat,
                done,
                total,
            } => super::again(repeat, *done, *total),
            Event::TrialAbandoned { trial } => format!("given up: {}", name(trial)),
            Event::Interrupted { running } => {
                format!("interrupted: waiting for what is running ({running})")
            }
            Event::RunFinished {
                directory, tally, ..
            } => format!(
                "done {}: {}",
                name(&directory.display().to_string()),
                tally.statuses()
            ),
        };
        // Progress that nobody can read is no reason to end a run.
        let _ = writeln!(self.out, "{line}");
    }
}
