//! The images that the trials of a run start from, as far as it has asked for them.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc,
};

use super::Run;
use crate::{
    events::{Event, Reporter},
    lab::{ImageState, Start, image_name},
    plan::TrialSpec,
    verify::Image,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Images {
    /// As the laboratory names them.
    asked_for: HashSet<String>,
    /// As people name them.
    made: HashSet<String>,
}

impl Images {
    /// Has the images made that these trials start from, but for those that were asked for before.
    pub(crate) fn warm_up(
        &mut self,
        run: Run<'_>,
        places: impl Iterator<Item = usize>,
        reporter: &mut dyn Reporter,
    ) {
        if run.start != Start::Warm || run.is_interrupted() {
            return;
        }
        let trials: Vec<TrialSpec> = places
            .map(|at| &run.plan.trials[at])
            .filter(|trial| !self.asked_for.contains(&run.lab.image(trial)))
            .cloned()
            .collect();
        if trials.is_empty() {
            return;
        }
        self.asked_for
            .extend(trials.iter().map(|trial| run.lab.image(trial)));
        let (sender, news) = mpsc::channel();
        std::thread::scope(|scope| {
            let trials = &trials;
            scope.spawn(move || {
                let tell = |news| {
                    // The receiver below outlives this thread.
                    let _ = sender.send(news);
                };
                let make = || run.lab.warm_up(trials, run.jobs, run.interrupted, &tell);
                // A defect here shows again in every trial that needs the image.
                let _ = catch_unwind(AssertUnwindSafe(make));
            });
            for news in news {
                if matches!(news.what, ImageState::Made(_) | ImageState::MadeAgain(_)) {
                    self.made.insert(news.image.clone());
                }
                reporter.event(&Event::Image(news));
            }
        });
    }

    /// What a trial of the plan starts from; `None` where it boots.
    pub(super) fn of(&self, run: Run<'_>, at: usize) -> Option<Image> {
        let trial = &run.plan.trials[at];
        (run.start == Start::Warm && run.lab.has_images()).then(|| Image {
            name: run.lab.image(trial),
            made: self.made.contains(&image_name(trial)),
        })
    }
}
