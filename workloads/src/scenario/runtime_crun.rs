//! `runtime-crun`: execs in containers that a distribution's own `crun` makes from OCI bundles, as root, one for
//! each child. No container may write to the program that made it (CVE-2019-5736), so `crun` executes itself
//! again from a copy. Four execs:
//!
//! 1. `crun`, by its name;
//! 2. the same file through a mount of its own that was taken away again. The kernel names it `/`: a path begins at
//!    the root of its mount, and that is the file;
//! 3. a sealed copy in memory. On a disk the second image is content with itself; on tmpfs, of which guests are made,
//!    it can ask for its seals (`F_GET_SEALS`, fcntl(2)), and they are not all set;
//! 4. in a further process, the payload as process 1 inside.
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
    runtime::{IN_GUESTS, MOST, Stage, without_streams},
};
use crate::step::{How, Step, Syscall, Value};

const CRUN: &str = "/usr/bin/crun";
/// The string by which it executes itself again: the kernel makes it of the descriptor, the first one that is
/// free behind the storm's evidence.
const AGAIN: &str = "/dev/fd/4";
/// What it calls its copy.
const MEMORY: &str = "/memfd:crun_cloned:/proc/self/exe";
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
        "`crun` runs a container for each child; its execs, of itself again too, and the one inside"
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

    fn most_execs(&self) -> u32 {
        MOST
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
        let from_mount = Site {
            given: AGAIN.into(),
            ..crun("crun from a mount")?
        };
        let mut from_memory = Site {
            given: AGAIN.into(),
            // Each child makes one.
            dev: 0,
            ino: 0,
            ..crun("crun from memory")?
        };
        from_memory.frames.exact = MEMORY.into();
        let bundles = ground.dir.join("bundles");
        let into_bundle = Syscall {
            number: libc::SYS_chdir,
            arguments: vec![Value::Id],
        };
        let mut way = Way::of(without_streams())
            .step(Step::chdir(bytes(&bundles).0))
            .step(Step::Do(into_bundle))
            .exec(How::Execve, CRUN, crun("crun")?)
            .then(from_mount)
            .then(from_memory)
            .then(stage.inside()?);
        way.lifetime_ns = Some(0);

        let execs = u32::try_from(way.sites.len()).expect("four");
        for first in (0..workload.execs).map(|child| child * execs) {
            let [bundle, payload] = [first, first + execs - 1].map(|id| text_of(id_argument(id)));
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
