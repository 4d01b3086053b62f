//! Children really go the ways of the scenarios that run on any machine, and what truth says of their files is
//! what the file system says. What truth says of the kernel's view is for guests to show.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use execlab_model::{
    Bytes,
    workload::{Load, Spawn, Workload},
};
use execlab_workloads::{
    Scenario,
    scenario::{self, Family, Ground, Prepared},
    spawn::Launcher,
};
use nix::sys::wait::{WaitStatus, waitpid};

/// What needs more than a folder to build in: a cgroup that is one, and whatever runs in guests alone.
fn needs_more(scenario: &dyn Scenario) -> bool {
    scenario.only_in_guests().is_some() || scenario.name() == "clone3-cgroup"
}

/// A ground whose payload is a program that ends well, whatever its arguments are.
fn ground(dir: &Path) -> Ground {
    for name in ["payload", "payload-bare"] {
        fs::copy("/bin/true", dir.join(name)).unwrap();
    }
    // As much of a cgroup hierarchy as scenarios look at: the folder of this process's own.
    let own = fs::read_to_string("/proc/self/cgroup").unwrap();
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .unwrap();
    let cgroups = dir.join("cgroups");
    fs::create_dir_all(cgroups.join(own.trim_start_matches('/'))).unwrap();
    Ground {
        payload: dir.join("payload"),
        dir: dir.join("ground"),
        cgroups,
        base: Bytes::default(),
    }
}

fn workload(scenario: &str) -> Workload {
    Workload {
        scenario: scenario.into(),
        load: Load::Closed,
        execs: 20,
        lifetime_ns: 0,
        spawn: Spawn::Fork,
        population: 0,
    }
}

fn path(bytes: &Bytes) -> PathBuf {
    OsStr::from_bytes(bytes.as_slice()).into()
}

/// Each child of a scenario ends well: its steps and its exec were done.
fn go(name: &str, prepared: &Prepared) {
    let mut launcher = Launcher::new(0).unwrap();
    for (at, way) in prepared.ways.iter().enumerate() {
        launcher.load(way, Spawn::Fork).unwrap();
        // Twice: what a child changed must not be in the next one's way.
        for _ in 0..2 {
            let pid = launcher.spawn(at, 0, 0).unwrap();
            let ended = waitpid(pid, None).unwrap();
            let label = way.sites.first().map(|site| &site.label);
            assert_eq!(ended, WaitStatus::Exited(pid, 0), "{name}, {label:?}");
        }
    }
}

#[test]
fn children_go_the_ways_and_truth_names_their_files() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().canonicalize().unwrap();
    let families = [Family::Child, Family::Name];
    let scenarios = scenario::SCENARIOS
        .iter()
        .filter(|s| families.contains(&s.family()) && !needs_more(**s));
    for scenario in scenarios {
        let name = scenario.name();
        let ground = ground(&dir);
        let prepared = scenario.prepare(&ground, &workload(name)).unwrap();
        for site in prepared.ways.iter().flat_map(|way| &way.sites) {
            let exact = &site.frames.exact;
            // Neither memory nor what is deleted nor what is too long to be named can be looked up.
            if let Ok(file) = fs::metadata(path(exact)) {
                let truth = (site.dev, site.ino);
                let moves = !site.frames.stale.is_empty() || name == "overwritten-after";
                assert!(
                    moves || truth == (file.dev(), file.ino()),
                    "{name}: {exact}"
                );
                let canonical = path(exact).canonicalize().unwrap();
                assert_eq!(canonical, path(exact), "{name}");
                let given = path(&site.cwd).join(path(&site.given));
                if !given.starts_with("/dev/fd") && !given.starts_with("/proc/self") {
                    assert_eq!(given.canonicalize().unwrap(), canonical, "{name}");
                }
            }
        }
        go(name, &prepared);
        drop(prepared);
        fs::remove_dir_all(&ground.dir).unwrap_or_default();
    }
}

#[test]
fn paths_are_as_long_as_the_scenarios_say() {
    let temporary = tempfile::tempdir().unwrap();
    let ground = ground(&temporary.path().canonicalize().unwrap());
    let lengths = |name: &str| -> Vec<usize> {
        let scenario = scenario::find(name).unwrap();
        let prepared = scenario.prepare(&ground, &workload(name)).unwrap();
        let sites = prepared.ways.iter().flat_map(|way| &way.sites);
        sites
            .map(|site| site.frames.exact.as_slice().len())
            .collect()
    };
    assert_eq!(lengths("long-components")[1], 4095);
    assert!(lengths("deep-path")[0] > 4096);
}
