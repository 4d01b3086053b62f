//! Images that guests start from: when they are made, for whom, and which of them are checked.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use execlab_harness::{
    events::{Event, Reporter},
    lab::{ImageNews, ImageState, LabError, Laboratory, Outcome, Ran, Start, fake::FakeLab},
    plan::TrialSpec,
    registry::Registry,
    run::{Done, Run},
    store::RunDir,
    verify::Verify,
};
use execlab_model::repeat::Repeat;

use crate::support::{Bench, SMALL};

/// Two kernels, and one backend that needs a boot option.
const FOUR_IMAGES: &[&str] = &[
    "--kernels=5.10,6.1",
    "--backends=audit,proc-poll",
    "--workloads=absolute",
    "--execs=5",
];

#[test]
fn images_are_made_before_the_first_trial_and_not_where_guests_are_booted() {
    let bench = Bench::new();
    let args = &[
        "--kernels=6.1",
        "--backends=audit",
        "--workloads=absolute",
        "--execs=5",
    ];
    let ran = bench.with("image=1@audit+default").run(args).code(0);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 3 trials, 1 at a time
    image of kernel 6.1: found
    image of kernel 6.1 (audit=1): made in 0 s
    [1/3] completed      6.1/none/absolute/closed/exact/0
    [2/3] completed      6.1/none+audit=1/absolute/closed/exact/0
    [3/3] completed      6.1/audit+default/absolute/closed/exact/0  seen 5/5  cost N %
    run again 1/1: same (cold)  6.1/none+audit=1/absolute/closed/exact/0
    done o: 3 completed
    "#);
    let ran = bench.run_in("c", &[args, &["--cold"][..]].concat()).code(0);
    assert!(!ran.stderr.contains("image"), "{}", ran.stderr);
}

#[test]
fn an_image_that_cannot_be_made_is_told_by_the_trials_that_need_it() {
    let bench = Bench::new();
    let ran = bench.with("no-image@").run(SMALL).code(14);
    insta::assert_snapshot!(ran.stderr, @r#"
    run o: 2 trials, 1 at a time
    image of kernel 6.1: not made  (planted)
    again: 6.1/none/absolute/closed/exact/0  (there is no image to start from: planted)
    [1/2] infra          6.1/none/absolute/closed/exact/0  (there is no image to start from: planted)  (second try)
    again: 6.1/proc-poll+default/absolute/closed/exact/0  (there is no image to start from: planted)
    [2/2] infra          6.1/proc-poll+default/absolute/closed/exact/0  (there is no image to start from: planted)  (second try)
    done o: 2 infra
    "#);
}

#[test]
fn of_all_trials_one_of_each_image_is_booted() {
    let bench = Bench::new();
    let args = [FOUR_IMAGES, &["--verify", "--seeds=0..3"]].concat();
    bench.run(&args).code(0);
    let repeats = bench.repeats("o");
    let image = |r: &&Repeat| {
        let audit = r.trial.contains("audit");
        (r.trial.split('/').next().unwrap().to_owned(), audit)
    };
    let booted: Vec<&Repeat> = repeats.iter().filter(|r| r.start == Start::Cold).collect();
    let images: BTreeSet<_> = booted.iter().map(image).collect();
    assert_eq!((booted.len(), images.len()), (4, 4), "{images:?}");
}

#[test]
fn a_sample_boots_what_was_made_in_this_run() {
    let bench = Bench::new();
    for (rule, made) in [
        ("image=1@5.10/proc-poll", "5.10/"),
        ("image=1@6.1/proc-poll", "6.1/"),
    ] {
        let dir = made.trim_end_matches('/');
        bench.with(rule).run_in(dir, FOUR_IMAGES).code(0);
        let repeats = bench.repeats(dir);
        assert_eq!(repeats.len(), 1);
        assert_eq!(repeats[0].start, Start::Cold);
        assert!(repeats[0].trial.starts_with(made), "{}", repeats[0].trial);
        // And a run that is gone on with has nothing left to look at.
        bench.with("").command(&["run", "--resume", dir]).code(0);
        assert_eq!(bench.repeats(dir), repeats);
    }
}

#[test]
fn a_run_that_is_gone_on_with_asks_for_the_images_that_it_still_needs() {
    let bench = Bench::new();
    bench.run(FOUR_IMAGES).code(0);
    let file = bench.path("o/results.jsonl");
    let text = fs::read_to_string(&file).unwrap();
    let kept: String = text
        .split_inclusive('\n')
        .filter(|line| !line.contains("\"trial\":\"6.1/proc-poll"))
        .collect();
    assert!(kept.len() < text.len());
    fs::write(&file, kept).unwrap();
    let images = |said: &str| -> Vec<String> {
        let lines = said.lines().filter(|l| l.starts_with("image"));
        lines.map(str::to_owned).collect()
    };
    let ran = bench
        .command(&["run", "--resume", "o", "--verify=none"])
        .code(0);
    assert_eq!(images(&ran.stderr), ["image of kernel 6.1: found"]);
    // Repeats that start warm need theirs; those that boot need none.
    let ran = bench.command(&["run", "--resume", "o", "--verify"]).code(0);
    let warm = bench.repeats("o");
    let warm = warm.iter().filter(|r| r.start == Start::Warm).count();
    assert!(warm > 0 && !images(&ran.stderr).is_empty());
    let ran = bench.command(&["run", "--resume", "o", "--verify"]).code(0);
    assert!(images(&ran.stderr).is_empty(), "{}", ran.stderr);
}

/// A laboratory whose machines are ended by an interrupt too.
struct CutOff<'a> {
    lab: FakeLab,
    interrupted: &'a AtomicBool,
    /// While an image is made, or while a trial runs.
    in_image: bool,
    ran: Mutex<usize>,
}

impl Laboratory for CutOff<'_> {
    fn check(&self, trials: &[TrialSpec]) -> Result<(), LabError> {
        self.lab.check(trials)
    }

    fn digest(&self, trial: &TrialSpec) -> Result<String, LabError> {
        self.lab.digest(trial)
    }

    fn has_images(&self) -> bool {
        true
    }

    fn warm_up(
        &self,
        _: &[TrialSpec],
        _: usize,
        _: &AtomicBool,
        told: &(dyn Fn(ImageNews) + Sync),
    ) {
        if self.in_image {
            self.interrupted.store(true, Ordering::Relaxed);
            told(ImageNews {
                image: "kernel 6.1".into(),
                what: ImageState::Failed("QEMU was ended by a signal".into()),
            });
        }
    }

    fn run(&self, trial: &TrialSpec, start: Start, digest: &str, log: &Path) -> Ran {
        *self.ran.lock().unwrap() += 1;
        self.interrupted.store(true, Ordering::Relaxed);
        let mut ran = self.lab.run(trial, start, digest, log);
        ran.outcome = Outcome::Lost {
            reason: "there is no warm image: the guest stopped short".into(),
        };
        ran
    }
}

#[derive(Default)]
struct Abandoned(Vec<String>);

impl Reporter for Abandoned {
    fn event(&mut self, event: &Event) {
        if let Event::TrialAbandoned { trial } = event {
            self.0.push(trial.clone());
        }
    }
}

#[test]
fn an_interrupt_that_ends_the_making_of_an_image_loses_no_guest() {
    let bench = Bench::new();
    bench.run(SMALL).code(0);
    let plan = bench.plan("o");
    for (in_image, dir) in [(true, "image"), (false, "trial")] {
        let interrupted = AtomicBool::new(false);
        let lab = CutOff {
            lab: FakeLab::default(),
            interrupted: &interrupted,
            in_image,
            ran: Mutex::default(),
        };
        let mut made = RunDir::create(&bench.path(dir), &plan).unwrap();
        let run = Run {
            cache: None,
            plan: &plan,
            lab: &lab,
            registry: &Registry::of_this_build(),
            jobs: 1,
            start: Start::Warm,
            verify: Verify::Sample,
            expected: &[],
            interrupted: &interrupted,
        };
        let mut abandoned = Abandoned::default();
        let end = run.go(&mut made, Done::default(), &mut abandoned).unwrap();
        drop(made);
        assert!(end.results.is_empty() && bench.results(dir).is_empty());
        assert_eq!(end.absent.len(), 2);
        assert_eq!(end.exit_code().code(), 14);
        let ran = usize::from(!in_image);
        assert_eq!((*lab.ran.lock().unwrap(), abandoned.0.len()), (ran, ran));
        bench.command_when_free(&["run", "--resume", dir]).code(0);
        assert_eq!(bench.results(dir).len(), 2);
    }
}
