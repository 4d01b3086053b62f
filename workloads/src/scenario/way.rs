//! A way: what one child does, and what truth holds of the execs that it makes.

use execlab_model::truth::{Planned, Site};

use super::bare;
use crate::{
    spawn::Maker,
    step::{Call, How, Step},
};

/// What one child does: the steps up to its exec, and what truth holds of that exec and of those that
/// its image makes in turn.
#[derive(Debug, Clone, Default)]
pub struct Way {
    /// How the child is made, where the workload does not say it.
    pub maker: Option<Maker>,
    /// What it does; [`Step::Exec`] or [`Step::Exit`] comes last.
    pub steps: Vec<Step>,
    /// Its execs, in their order; each has the id behind the one before.
    pub sites: Vec<Site>,
    /// The same for a payload that only exits; where all ways of a scenario have one, truth's own cost is measured
    /// against them.
    pub bare: Option<Vec<Step>>,
    /// Whether each exec is made in a further process by somebody else than this child (the kernel, a daemon):
    /// pid and parent are then taken from the images' own words, which are of the initial PID namespace.
    pub by_others: bool,
    /// What the program does that the child becomes, where that is not ours: its execs and those of its descendants
    /// are told by [`super::Prepared::witness`], and there are no sites here.
    pub witnessed: Option<Witnessed>,
    /// How many processes the program makes that the child becomes, each of which makes one of these execs.
    pub descendants: u32,
    /// How long its images live in nanoseconds, where what they show takes a time of its own and the workload's
    /// does not matter.
    pub lifetime_ns: Option<u64>,
    /// The real user id in the initial user namespace, where images are told another one.
    pub uid: Option<u32>,
}

/// What each child of a way sets out to do whose images are witnessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Witnessed {
    /// Execs of it and its descendants, one for each image.
    pub execs: u32,
    /// Processes: it and its descendants.
    pub processes: u32,
}

impl Way {
    /// A way that begins with these steps.
    pub fn of(steps: impl IntoIterator<Item = Step>) -> Self {
        Self {
            steps: steps.into_iter().collect(),
            ..Self::default()
        }
    }

    /// One plain `execve` of the site's file by the string it is given.
    pub fn plain(site: Site) -> Self {
        let given = site.given.clone();
        let bare = bare::name(given.as_slice());
        Self {
            bare: Some(vec![Step::Exec(Call::new(bare.clone(), vec![bare.into()]))]),
            ..Self::call(site)
        }
    }

    /// The same without a bare sibling.
    pub fn call(site: Site) -> Self {
        let given = site.given.clone();
        Self::of([]).exec(How::Execve, given.0, site)
    }

    /// The child is made so, whatever the workload says.
    #[must_use]
    pub fn made_by(self, maker: Maker) -> Self {
        Self {
            maker: Some(maker),
            ..self
        }
    }

    /// One more step, before the exec.
    #[must_use]
    pub fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// The exec itself, with the site's arguments.
    #[must_use]
    pub fn exec(mut self, how: How, path: impl Into<Vec<u8>>, site: Site) -> Self {
        self.steps
            .push(Step::Exec(Call::new(path, site.argv.clone()).by(how)));
        self.sites.push(site);
        self
    }

    /// An exec that the image before makes, by what its arguments tell it.
    #[must_use]
    pub fn then(mut self, site: Site) -> Self {
        self.sites.push(site);
        self
    }

    /// Steps before all others, in the way and in its bare sibling.
    #[must_use]
    pub fn after(mut self, steps: &[Step]) -> Self {
        for list in [Some(&mut self.steps), self.bare.as_mut()]
            .into_iter()
            .flatten()
        {
            list.splice(0..0, steps.iter().cloned());
        }
        self
    }

    /// What it is to come to.
    pub fn planned(&self) -> Planned {
        let sites = self.sites.len() as u64;
        let (execs, forks) = match self.witnessed {
            Some(witnessed) => (witnessed.execs.into(), witnessed.processes.into()),
            None if self.by_others => (sites, 1 + sites),
            None => (sites, 1 + u64::from(self.descendants)),
        };
        Planned {
            execs,
            attempts: self.steps.iter().filter(|s| s.is_attempt()).count() as u64,
            forks,
            children: 1,
        }
    }
}
