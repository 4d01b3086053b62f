//! `runtime-bubblewrap`: execs in sandboxes that a distribution's own `bwrap` makes, as an unprivileged user,
//! one for each child. Two execs: `bwrap` itself, and the payload as process 1 inside.

use execlab_model::{Bytes, workload::Workload};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    runtime::{APP, IN_GUESTS, MOST, RUN, Stage, without_streams, worker},
};
use crate::step::{How, Step};

/// Who calls it.
const USER: u32 = 1000;
const BWRAP: &str = "/usr/bin/bwrap";

/// See the module.
#[derive(Debug)]
pub struct RuntimeBubblewrap;

impl Scenario for RuntimeBubblewrap {
    fn name(&self) -> &'static str {
        "runtime-bubblewrap"
    }

    fn about(&self) -> &'static str {
        "an unprivileged `bwrap` makes a sandbox for each child; both its exec and the one inside"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn userland(&self) -> &'static [&'static str] {
        &["bubblewrap"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(IN_GUESTS)
    }

    fn most_execs(&self) -> u32 {
        MOST
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let stage = Stage::set(ground)?;
        // The variable brings the id of this exec before that of the one inside.
        let mut argv: Vec<Bytes> = ["bwrap", "--setenv", "EXECLAB", "{id}"]
            .map(Into::into)
            .into();
        argv.extend(
            ["user", "pid", "ipc", "uts", "net"]
                .map(|kind| format!("--unshare-{kind}").as_str().into()),
        );
        argv.extend(["--as-pid-1", "--die-with-parent", "--proc", "/proc"].map(Into::into));
        argv.extend(["--ro-bind".into(), bytes(&stage.app), APP.into()]);
        argv.extend(["--bind".into(), bytes(&stage.run), RUN.into()]);
        argv.extend(worker("{id+1}"));

        let outside = stage.runtime("bwrap", BWRAP, argv)?;
        let inside = stage.inside()?;
        let steps = without_streams().into_iter().chain([Step::chdir("/")]);
        let way = Way::of(steps.chain(Step::become_user(USER, USER)))
            .exec(How::Execve, BWRAP, outside)
            .then(inside);
        Ok(stage.prepared(way))
    }
}
