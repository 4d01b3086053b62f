//! `runtime-crun`: execs in containers that a distribution's own `crun` makes from OCI bundles, as root, one for
//! each child. Three execs: `crun`; the same process once more, from a mount of the program that it made,
//! opened and took away again (so that no container can write to the program, CVE-2019-5736); and the payload as
//! process 1 inside.
//!
//! The kernel names the second one `/`: a path begins at the root of its mount, which is the file itself.
//!
//! Each child has a bundle of its own, a folder that is named after the id of its first exec, and is in it when
//! it becomes `crun`. The payload's arguments are in the bundle, so that it ends at once whatever the
//! workload's lifetime is. Containers stay in the storm's cgroup, which all of them share.

use std::fs;

use execlab_model::{
    Bytes,
    truth::{Site, id_argument},
    workload::Workload,
};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes, make_dir,
    runtime::{IN_GUESTS, Stage, without_streams},
};
use crate::step::{How, Step, Syscall, Value};

const CRUN: &str = "/usr/bin/crun";
/// The string by which it executes itself again: the kernel makes it of the descriptor.
const AGAIN: &str = "/dev/fd/4";
/// A bundle's configuration, with a place for the payload's id. Paths begin at the bundle.
const CONFIG: &str = include_str!("runtime_crun/config.json");
const ID_PLACE: &str = "@id@";

/// See the module.
#[derive(Debug)]
pub struct RuntimeCrun;

impl Scenario for RuntimeCrun {
    fn name(&self) -> &'static str {
        "runtime-crun"
    }

    fn about(&self) -> &'static str {
        "`crun` runs a container for each child; its exec, its exec of itself and the one inside"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn userland(&self) -> &'static [&'static str] {
        &["crun"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some(IN_GUESTS)
    }

    fn prepare(&self, ground: &Ground, workload: &Workload) -> Result<Prepared, SetupError> {
        let stage = Stage::set(ground)?;
        for inside in ["dev", "proc", "run/execlab"] {
            make_dir(&stage.root.join(inside))?;
        }
        // State beside the bundle, so that each container has a name of its own there.
        let argv = [
            "crun",
            "--root",
            "state",
            "--cgroup-manager=disabled",
            "run",
            "container",
        ];
        let argv: Vec<Bytes> = argv.map(Into::into).into();
        let crun = |label| -> Result<Site, SetupError> {
            Ok(Site {
                cwd: Bytes::default(),
                ..stage.runtime(label, CRUN, argv.clone())?
            })
        };
        let again = Site {
            given: AGAIN.into(),
            ..crun("crun again")?
        };
        let bundles = ground.dir.join("bundles");
        let into_bundle = Syscall {
            number: libc::SYS_chdir,
            arguments: vec![Value::Id],
        };
        let mut way = Way::of(without_streams())
            .step(Step::chdir(bytes(&bundles).0))
            .step(Step::Do(into_bundle))
            .exec(How::Execve, CRUN, crun("crun")?)
            .then(again)
            .then(stage.inside()?);
        way.lifetime_ns = Some(0);

        let execs = u32::try_from(way.sites.len()).expect("three");
        for first in (0..workload.execs).map(|child| child * execs) {
            let [bundle, payload] =
                [first, first + execs - 1].map(|id| text_of(id_argument(id)));
            let bundle = bundles.join(bundle);
            make_dir(&bundle)?;
            let file = bundle.join("config.json");
            fs::write(&file, CONFIG.replace(ID_PLACE, &payload))
                .map_err(SetupError::at(format!("write {}", file.display())))?;
        }
        Ok(stage.prepared(way))
    }
}

fn text_of(id: [u8; 9]) -> String {
    id.map(char::from).iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::runtime::worker;

    #[test]
    fn the_bundle_says_what_truth_says() {
        let argv = worker(ID_PLACE);
        let argv: Vec<_> = argv
            .iter()
            .map(|argument| String::from_utf8_lossy(argument.as_slice()))
            .map(|argument| format!("\"{}\"", argument.replace("{lifetime}", "0")))
            .collect();
        let line = format!("\"args\": [{}]", argv.join(", "));
        assert_eq!(CONFIG.matches(&line).count(), 1, "{line}");
        assert_eq!(CONFIG.matches(ID_PLACE).count(), 1);
    }
}
