use execlab_model::{plan::BackendSpec, repeat::Verdict, workload::Workload};

use super::*;
use crate::{plan::TrialSpec, results};

fn lines(count: usize) -> Vec<TrialResult> {
    let line = |at: usize| {
        let trial = TrialSpec {
            program: None,
            id: format!("t{at}"),
            kernel: "6.1".into(),
            backend: BackendSpec {
                name: format!("b{}", at % 5),
                variant: "default".into(),
                settings: BTreeMap::default(),
            },
            boot: Vec::new(),
            workload: Workload {
                scenario: "absolute".into(),
                load: "closed".parse().unwrap(),
                execs: 1,
                lifetime_ns: 0,
                spawn: execlab_model::workload::Spawn::Vfork,
                population: 0,
            },
            lab: execlab_model::result::Lab::Exact,
            cpus: 1,
            seed: 0,
        };
        // Digests in another order than positions.
        let mut line = results::blank(&trial, &format!("{:04}", at * 7919 % 10_007));
        line.status = Status::Completed;
        line.record_sha256 = Some("ab".into());
        line
    };
    (0..count).map(line).collect()
}

/// Every line with one of so many images in turn, of which `made` were made in this run.
fn candidates<'a>(lines: &'a [TrialResult], images: usize, made: &[usize]) -> Vec<Candidate<'a>> {
    let of = |at: usize| Image {
        name: (at % images).to_string(),
        made: made.contains(&(at % images)),
    };
    let lines = lines.iter().enumerate();
    lines
        .map(|(at, line)| Candidate {
            at,
            line,
            image: (images > 0).then(|| of(at)),
        })
        .collect()
}

fn of(verify: Verify, lines: &[TrialResult]) -> Vec<Chosen> {
    choose(verify, &candidates(lines, 1, &[]), &[])
}

/// Positions of those that are booted.
fn cold(chosen: &[Chosen]) -> Vec<usize> {
    let cold = chosen.iter().filter(|c| c.start == Start::Cold);
    cold.map(|c| c.at).collect()
}

fn repeat(lines: &[TrialResult], chosen: Chosen) -> Repeat {
    Repeat {
        schema: execlab_model::repeat::SCHEMA,
        trial: lines[chosen.at].trial.clone(),
        digest: lines[chosen.at].digest.clone(),
        start: chosen.start,
        verdict: Verdict::Same,
        difference: None,
        reason: None,
        record_sha256: None,
        wall_ms: 1,
    }
}

#[test]
fn a_sample_is_one_in_so_many_and_never_none() {
    let sizes = [0, 1, 32, 33, 240, 10_000].map(|n| of(Verify::Sample, &lines(n)).len());
    assert_eq!(sizes, [0, 1, 1, 2, 8, 8]);
    assert_eq!(of(Verify::All, &lines(70)).len(), 70);
    assert!(of(Verify::None, &lines(70)).is_empty());
}

#[test]
fn a_sample_has_every_backend_before_one_has_two() {
    let lines = lines(240);
    let mut backends: Vec<String> = of(Verify::Sample, &lines)[..5]
        .iter()
        .map(|c| lines[c.at].backend_label())
        .collect();
    backends.sort();
    backends.dedup();
    assert_eq!(backends.len(), 5);
}

#[test]
fn what_is_chosen_follows_from_the_digests_and_not_from_the_order() {
    let lines = lines(240);
    let mut backward = candidates(&lines, 7, &[]);
    let forward = choose(Verify::Sample, &backward, &[]);
    backward.reverse();
    assert_eq!(forward, choose(Verify::Sample, &backward, &[]));
}

#[test]
fn of_all_trials_the_first_one_of_each_image_is_booted() {
    let lines = lines(70);
    let booted = cold(&choose(Verify::All, &candidates(&lines, 7, &[]), &[]));
    let images: BTreeSet<usize> = booted.iter().map(|at| at % 7).collect();
    assert_eq!((booted.len(), images.len()), (7, 7));
    let no_images = choose(Verify::All, &candidates(&lines, 0, &[]), &[]);
    assert_eq!(cold(&no_images).len(), 70);
}

#[test]
fn one_image_is_looked_at_in_a_sample_and_the_plan_says_which() {
    let all = lines(240);
    let image = |size: usize| {
        let booted = cold(&choose(
            Verify::Sample,
            &candidates(&all[..size], 7, &[]),
            &[],
        ));
        assert_eq!(booted.len(), 1);
        booted[0] % 7
    };
    let images: BTreeSet<usize> = (100..200).map(image).collect();
    assert_eq!(images.len(), 7);
    assert_eq!(image(150), image(150));
}

#[test]
fn a_sample_looks_at_what_was_made_in_this_run_but_boots_few() {
    let lines = lines(240);
    let booted = |made: &[usize]| -> Vec<usize> {
        let chosen = choose(Verify::Sample, &candidates(&lines, 7, made), &[]);
        assert_eq!(chosen.len(), 8);
        cold(&chosen).into_iter().map(|at| at % 7).collect()
    };
    for made in 0..7 {
        assert_eq!(booted(&[made]), [made]);
    }
    let two = booted(&[1, 3, 5]);
    assert_eq!(two.len(), 2);
    assert!(two[0] != two[1] && two.iter().all(|image| [1, 3, 5].contains(image)));
    // A sample of one.
    let made = candidates(&lines[..14], 7, &[2, 4]);
    let chosen = choose(Verify::Sample, &made, &[]);
    assert_eq!((chosen.len(), cold(&chosen).len()), (1, 1));
}

#[test]
fn what_was_done_is_not_chosen_again_and_its_image_not_booted_again() {
    let lines = lines(240);
    for verify in [Verify::Sample, Verify::All] {
        let whole = choose(verify, &candidates(&lines, 7, &[3, 4]), &[]);
        for cut in [1, whole.len() / 2, whole.len()] {
            let done: Vec<Repeat> = whole[..cut].iter().map(|&c| repeat(&lines, c)).collect();
            let left = choose(verify, &candidates(&lines, 7, &[3, 4]), &done);
            assert_eq!(left, whole[cut..], "{verify:?} after {cut}");
        }
    }
    // Images of an earlier run are found by the next one, which boots no third guest for them.
    let whole = choose(Verify::Sample, &candidates(&lines, 7, &[3]), &[]);
    let done: Vec<Repeat> = whole.iter().map(|&c| repeat(&lines, c)).collect();
    let next = candidates(&lines, 7, &[]);
    assert!(choose(Verify::Sample, &next, &done).is_empty());
}

#[test]
fn a_sample_is_of_completed_trials_and_all_are_those_of_which_guests_say_anything() {
    let mut lines = lines(6);
    let statuses = [
        Status::Lost,
        Status::Lost,
        Status::Unsupported,
        Status::BackendFailed,
        Status::Infra,
    ];
    for (line, status) in lines.iter_mut().zip(statuses) {
        line.status = status;
    }
    for without_record in [1, 4] {
        lines[without_record].record_sha256 = None;
    }
    let positions = |verify| {
        let mut at: Vec<usize> = of(verify, &lines).iter().map(|c| c.at).collect();
        at.sort_unstable();
        at
    };
    assert_eq!(positions(Verify::Sample), [5]);
    assert_eq!(positions(Verify::All), [0, 1, 2, 3, 5]);
}
