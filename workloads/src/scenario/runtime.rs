//! What scenarios with a real runtime share: the payload where the runtime finds it, and two witnesses.
//!
//! The runtime is linked dynamically: an object that the linker preloads into it reports its images
//! ([`crate::witness`]). The payload, inside, reports itself through a socket that is bound into the container, and
//! the kernel says with which pid and user of the storm's own namespaces ([`crate::evidence::Listener`]).

use std::path::PathBuf;

use execlab_model::{
    Bytes,
    truth::{Namespaces, Site},
};

use super::{Ground, Place, Prepared, SetupError, Way, bytes, install, make_dir, worker::labelled};
use crate::{
    evidence::{Listener, TELL_ACT},
    step::{Step, text},
    witness::Log,
};

/// Why such scenarios run in guests only.
pub(super) const IN_GUESTS: &str =
    "it runs programs that are in guests alone, and preloads a witness into all of them";

/// The most containers: as many as may wait at the socket ([`Listener::bind`]).
pub(super) const MOST: u32 = 4096;

/// Where the payload's folder and the socket's are inside.
pub(super) const APP: &str = "/app";
pub(super) const RUN: &str = "/run/execlab";
/// The payload's file inside.
pub(super) const WORKER: &str = "/app/worker";

/// The folders of the containers.
pub(super) struct Stage {
    /// What may become their root.
    pub root: PathBuf,
    /// With the payload in it, below the root; is [`APP`] inside.
    pub app: PathBuf,
    /// With the socket in it; becomes [`RUN`].
    pub run: PathBuf,
    place: Place,
    testimonies: (Listener, Log),
}

impl Stage {
    pub fn set(ground: &Ground) -> Result<Self, SetupError> {
        let (root, run) = (ground.dir.join("root"), ground.dir.join("run"));
        let app = root.join("app");
        install(&ground.payload, &app.join("worker"))?;
        make_dir(&run)?;
        let socket = run.join("socket");
        let listener = Listener::bind(&socket)
            .map_err(SetupError::at(format!("listen at {}", socket.display())))?;
        let log = Log::install("/".as_ref(), "/execlab-witness.log".as_ref())?;
        Ok(Self {
            root,
            app,
            run,
            place: Place::here(ground)?,
            testimonies: (listener, log),
        })
    }

    /// An image of the runtime itself, which runs where the storm does.
    pub fn runtime(&self, label: &str, file: &str, argv: Vec<Bytes>) -> Result<Site, SetupError> {
        let site = self.place.site(file, "/", file)?;
        Ok(Site {
            argv,
            ..labelled(label, site)
        })
    }

    /// The payload inside. Each container has namespaces of its own, so truth has the inodes of none.
    pub fn inside(&self) -> Result<Site, SetupError> {
        let file = self.app.join("worker");
        let place = Place {
            namespaces: Namespaces::default(),
            ..self.place.clone()
        };
        let mut site = labelled("inside", place.site(WORKER, "/", &file)?);
        site.frames.exact = WORKER.into();
        site.frames.host = vec![bytes(&file)];
        site.argv = worker("{id}");
        Ok(site)
    }

    /// What scenarios return: of a way whose last exec is the one inside.
    pub fn prepared(self, mut way: Way) -> Prepared {
        let (listener, log) = self.testimonies;
        way.descendants = 1;
        Prepared {
            testimonies: vec![Box::new(listener), Box::new(log)],
            ..Prepared::ways([way])
        }
    }
}

/// Arguments of the payload, from its path on, with its id as the caller has it.
pub(super) fn worker(id: &str) -> Vec<Bytes> {
    let tell = Bytes(TELL_ACT.to_vec());
    let socket = format!("{RUN}/socket");
    vec![
        WORKER.into(),
        id.into(),
        "{lifetime}".into(),
        tell,
        socket.as_str().into(),
    ]
}

/// What a child does before it becomes the runtime: the storm's own standard streams are its line to the trial
/// runner.
pub(super) fn without_streams() -> [Step; 2] {
    [0, 1].map(|at| Step::Open {
        path: text("/dev/null"),
        flags: libc::O_RDWR,
        at,
    })
}
