//! `chroot`: execs of a process that has another root directory in the same mount namespace. The kernel
//! names the file from the process's root where it asks `d_path`, and from the reader's where a link in
//! `/proc` is read; only the walk to the root of the mount namespace is the whole path.

use std::path::Path;

use execlab_model::workload::Workload;

use super::{Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, install, make_dir};
use crate::step::Step;

/// See the module.
#[derive(Debug)]
pub struct Chroot;

impl Scenario for Chroot {
    fn name(&self) -> &'static str {
        "chroot"
    }

    fn about(&self) -> &'static str {
        "another root directory: absolute and relative paths in it, and a file that is left outside"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        ways(ground, &Place::here(ground)?).map(Prepared::ways)
    }
}

fn ways(ground: &Ground, place: &Place) -> Result<[Way; 3], SetupError> {
    let (jail, outside) = (ground.dir.join("jail"), ground.dir.join("outside"));
    let file = jail.join("app/worker");
    install(&ground.payload, &file)?;
    make_dir(&jail.join("work"))?;
    install(&ground.payload, &outside.join("worker"))?;

    let inside = |label: &str, given: &str, cwd: &str| -> Result<Way, SetupError> {
        let mut site = place.site(given, Path::new(cwd), &file)?;
        site.label = label.into();
        site.frames.in_root = Some("/app/worker".into());
        let [root, top] = Step::chroot(bytes(&jail).0);
        Ok(Way::plain(site).after(&[root, top, Step::chdir(cwd)]))
    };
    // The working directory stays where it is: what is called from there is in no path of this root.
    let left = || -> Result<Way, SetupError> {
        let mut site = place.site("./worker", &outside, outside.join("worker"))?;
        site.label = "outside".into();
        let [root, _] = Step::chroot(bytes(&jail).0);
        Ok(Way::plain(site).after(&[Step::chdir(bytes(&outside).0), root]))
    };
    Ok([
        inside("absolute", "/app/worker", "/")?,
        inside("relative", "../app/worker", "/work")?,
        left()?,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_the_jail_is_named_from_both_roots() {
        let dir = tempfile::tempdir().unwrap();
        let ground = Ground {
            payload: dir.path().join("payload"),
            dir: dir.path().join("ground"),
            cgroups: "/".into(),
            base: "".into(),
        };
        for name in ["payload", "payload-bare"] {
            std::fs::write(dir.path().join(name), name).unwrap();
        }
        let place = Place {
            namespaces: execlab_model::truth::Namespaces::default(),
            cgroup: "/".into(),
            cgroup_id: 1,
            in_container: false,
        };
        let ways = ways(&ground, &place).unwrap();
        let roots = ways.each_ref().map(|way| {
            let frames = &way.sites[0].frames;
            let exact = std::str::from_utf8(frames.exact.as_slice()).unwrap();
            let jail = ground.dir.join("jail");
            let below = Path::new(exact).strip_prefix(jail).ok();
            assert_eq!(
                below.map(|path| bytes(&Path::new("/").join(path))),
                frames.in_root
            );
            frames.in_root.is_some()
        });
        assert_eq!(roots, [true, true, false]);
    }
}
