use execlab_model::{plan::BackendSpec, result::Lab, workload::Load};
use tempfile::TempDir;

use super::*;

fn trial(backend: &str, execs: u32, seed: u64) -> TrialSpec {
    TrialSpec {
            program: None,
        id: format!("{backend}/{execs}/{seed}"),
        kernel: "6.1".into(),
        backend: BackendSpec {
            name: backend.into(),
            variant: "default".into(),
            settings: BTreeMap::default(),
        },
        boot: Vec::new(),
        workload: Workload {
            scenario: "absolute".into(),
            load: Load::Closed,
            execs,
            lifetime_ns: 0,
            spawn: Spawn::Vfork,
            population: 0,
        },
        lab: Lab::Exact,
        cpus: 1,
        seed,
    }
}

fn seconds(durations: &[Duration]) -> Vec<u64> {
    durations.iter().map(Duration::as_secs).collect()
}

#[test]
fn what_was_learned_is_expected_and_the_rest_is_on_its_scale() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("cache/durations.json");
    let learned = [trial("netlink", 1000, 0), trial("netlink", 1000, 1)];
    let took = [30, 20].map(Duration::from_secs);
    Durations::learn(&path, Start::Warm, learned.iter().zip(took)).unwrap();

    let durations = Durations::read(&path);
    let asked = [
        trial("netlink", 1000, 7),
        trial("audit", 1000, 7),
        trial("none", 1000, 7),
    ];
    // Of two seeds the longer one; by the estimate audit is as long, and a baseline less so.
    assert_eq!(
        seconds(&durations.expect(&asked, Start::Warm)),
        [30, 30, 20]
    );
    let cold = durations.expect(&asked, Start::Cold);
    assert_eq!(cold, Durations::default().expect(&asked, Start::Cold));
}

#[test]
fn a_file_that_is_missing_damaged_or_of_another_version_says_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("durations.json");
    assert_eq!(Durations::read(&path), Durations::default());
    for text in [
        "",
        "{\"schema\":1,",
        "[]",
        "{\"schema\":9,\"runs\":1,\"kinds\":{}}",
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(Durations::read(&path), Durations::default(), "{text}");
    }
    // And it is made anew.
    let took = [(&trial("netlink", 1, 0), Duration::from_secs(1))];
    Durations::learn(&path, Start::Warm, took.into_iter()).unwrap();
    assert_eq!(Durations::read(&path).kinds.len(), 1);
}

#[test]
fn what_runs_learn_at_the_same_time_is_kept_of_all_of_them() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("durations.json");
    let learn = &|run: u64| {
        for n in 0..8 {
            let trial = trial(&format!("b{run}/{n}"), 1, 0);
            let took = [(&trial, Duration::from_secs(1))];
            Durations::learn(&path, Start::Warm, took.into_iter()).unwrap();
        }
    };
    std::thread::scope(|scope| {
        for run in 0..8 {
            scope.spawn(move || learn(run));
        }
    });
    let durations = Durations::read(&path);
    assert_eq!((durations.kinds.len(), durations.runs), (64, 64));
}

#[test]
fn a_count_that_somebody_made_huge_ends_nothing() {
    let mut durations = Durations {
        runs: u64::MAX,
        ..Durations::default()
    };
    let trial = trial("netlink", 1, 0);
    durations.add(Start::Warm, [(&trial, Duration::from_secs(1))].into_iter());
    assert_eq!((durations.runs, durations.kinds.len()), (u64::MAX, 1));
}

#[test]
fn it_is_bounded_and_forgets_what_was_not_seen_for_longest() {
    let mut durations = Durations::default();
    let learn = |durations: &mut Durations, names: std::ops::Range<usize>| {
        let trials: Vec<TrialSpec> = names.map(|n| trial(&format!("b{n:05}"), 1, 0)).collect();
        durations.add(
            Start::Warm,
            trials.iter().map(|t| (t, Duration::from_secs(1))),
        );
    };
    learn(&mut durations, 0..10);
    learn(&mut durations, 10..MOST);
    assert_eq!(durations.kinds.len(), MOST);
    learn(&mut durations, MOST..MOST + 5);
    assert!(durations.kinds.len() <= MOST);
    let has = |n: usize| {
        durations
            .kinds
            .keys()
            .any(|k| k.contains(&format!("b{n:05}")))
    };
    assert!(!has(0) && has(MOST - 1) && has(MOST + 4));
    learn(&mut durations, 0..2 * MOST);
    assert_eq!(durations.kinds.len(), MOST);
}

#[test]
fn time_left_is_what_is_expected_corrected_by_how_wrong_that_was() {
    let s = Duration::from_secs;
    let expected = [s(10), s(10), s(30), s(20)];
    assert_eq!(time_left(&expected, &[], &[0, 1, 2, 3], 2), None);
    // Twice as fast as expected: 60 s of work become 30, for two.
    assert_eq!(
        time_left(&expected, &[(0, s(5))], &[1, 2, 3], 2),
        Some(s(15))
    );
    // One long trial keeps one worker, however many there are.
    assert_eq!(time_left(&expected, &[(0, s(10))], &[1, 2], 8), Some(s(30)));
    assert_eq!(time_left(&expected, &[(0, s(10))], &[], 2), Some(s(0)));
    assert_eq!(time_left(&[], &[(0, s(2))], &[1, 2], 1), Some(s(4)));
}
