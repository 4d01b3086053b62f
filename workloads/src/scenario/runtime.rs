//! What scenarios with a real runtime share: the payload where the runtime binds it, and two witnesses.
//!
//! The runtime is linked dynamically: an object that the linker preloads into it reports its images
//! ([`crate::witness`]). The payload, inside, reports itself through a socket that is bound into the container, and
//! the kernel says with which pid and user of the storm's own namespaces ([`crate::evidence::Listener`]).

use std::path::PathBuf;

use execlab_model::Bytes;

use super::{Ground, Prepared, SetupError, Way, install, make_dir};
use crate::{
    evidence::{Listener, TELL_ACT},
    step::{Step, text},
    witness::Log,
};

/// Why such scenarios run in guests only.
pub(super) const IN_GUESTS: &str = "it runs programs of a distribution that are in guests alone, and preloads a witness into all of them";

/// Where the payload's folder and the socket's are inside.
pub(super) const APP: &str = "/app";
pub(super) const RUN: &str = "/run/execlab";
/// The payload's file inside.
pub(super) const WORKER: &str = "/app/worker";

/// The folders that a runtime binds.
pub(super) struct Stage {
    /// With the payload in it; becomes [`APP`].
    pub app: PathBuf,
    /// With the socket in it; becomes [`RUN`].
    pub run: PathBuf,
    testimonies: (Listener, Log),
}

impl Stage {
    pub fn set(ground: &Ground) -> Result<Self, SetupError> {
        let (app, run) = (ground.dir.join("app"), ground.dir.join("run"));
        install(&ground.payload, &app.join("worker"))?;
        make_dir(&run)?;
        let socket = run.join("socket");
        let listener = Listener::bind(&socket)
            .map_err(SetupError::at(format!("listen at {}", socket.display())))?;
        let log = Log::install("/".as_ref(), "/execlab-witness.log".as_ref())?;
        Ok(Self {
            app,
            run,
            testimonies: (listener, log),
        })
    }

    /// What scenarios return.
    pub fn prepared(self, ways: impl IntoIterator<Item = Way>) -> Prepared {
        let (listener, log) = self.testimonies;
        Prepared {
            testimonies: vec![Box::new(listener), Box::new(log)],
            ..Prepared::ways(ways)
        }
    }
}

/// Arguments of the payload, from its path on, whose id lies so far behind the runtime's own.
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
pub(super) fn without_streams() -> [Step; 3] {
    let null = |at| Step::Open {
        path: text("/dev/null"),
        flags: libc::O_RDWR,
        at,
    };
    [null(0), null(1), Step::chdir("/")]
}
