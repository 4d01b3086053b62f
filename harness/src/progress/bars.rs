//! A bar with what is running and the time left, for terminals.

use std::time::Duration;

use execlab_model::{repeat::Verdict, result::Status};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{again, image, name, one_line, rough, verdict};
use crate::{
    events::{Event, Reporter},
    lab::ImageState,
};

/// Draws on stderr. Trials that went as they should leave no line behind.
#[derive(Debug)]
pub struct Bars {
    bar: ProgressBar,
    running: Vec<String>,
}

impl Bars {
    /// Draws nothing until the run starts.
    pub fn new() -> Self {
        Self::on(ProgressDrawTarget::stderr())
    }

    pub(super) fn on(target: ProgressDrawTarget) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len} {prefix} {wide_msg}")
            .expect("the template is well formed");
        bar.set_style(style);
        Self {
            bar,
            running: Vec::new(),
        }
    }

    fn ended(&mut self, trial: &str) {
        self.running.retain(|t| t != trial);
        self.show_running();
    }

    fn show_running(&self) {
        self.bar.set_message(
            self.running
                .iter()
                .map(|t| name(t))
                .collect::<Vec<_>>()
                .join("  "),
        );
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

impl Reporter for Bars {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted {
                directory, tally, ..
            } => {
                self.bar.set_length(tally.total as u64);
                self.bar.set_position(tally.done as u64);
                self.bar.enable_steady_tick(Duration::from_millis(500));
                self.bar
                    .println(format!("run {}", name(&directory.display().to_string())));
            }
            Event::Image(news) => match &news.what {
                ImageState::Making => {
                    self.running.push(news.image.clone());
                    self.show_running();
                }
                ImageState::Made(_) | ImageState::MadeAgain(_) | ImageState::Failed(_) => {
                    self.bar.println(image(news));
                    self.ended(&news.image);
                }
                ImageState::Found => {}
            },
            Event::TrialStarted { trial } => {
                self.running.push(trial.clone());
                self.show_running();
            }
            Event::TrialRetried { trial, reason } => {
                self.bar
                    .println(format!("again: {}  ({})", name(trial), one_line(reason)));
            }
            Event::TrialFinished { result, tally } => {
                if result.status != Status::Completed {
                    self.bar.println(verdict(result));
                }
                // A search learns as it goes how many there will be.
                self.bar.set_length(tally.total as u64);
                self.bar.set_position(tally.done as u64);
                if let Some(left) = tally.left {
                    self.bar.set_prefix(format!("{} left", rough(left)));
                }
                self.ended(&result.trial);
            }
            Event::Repeated {
                repeat,
                done,
                total,
            } => {
                if repeat.verdict != Verdict::Same {
                    self.bar.println(again(repeat, *done, *total));
                }
                self.bar.set_prefix(format!("run again {done}/{total}"));
                self.ended(&repeat.trial);
            }
            Event::TrialAbandoned { trial } => self.ended(trial),
            Event::Interrupted { running } => self.bar.println(format!(
                "interrupted: waiting for what is running ({running}); once more to stop at once"
            )),
            Event::RunFinished {
                directory, tally, ..
            } => {
                self.bar.finish_and_clear();
                super::tell(format_args!(
                    "done {}: {}",
                    name(&directory.display().to_string()),
                    tally.statuses()
                ));
            }
        }
    }
}
