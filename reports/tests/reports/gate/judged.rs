//! What is worse, better, or not to be told.

use execlab_model::result::{Honesty, Status, TrialResult};
use execlab_reports::gate::{Input, Verdict};

use super::{burden, compare, finding, rebuilt, row, run, verdicts, with};

const EBPF: &str = "6.1/ebpf+default/relative/closed";

/// One exec more is lost, and the monitor does not say so.
fn lose_one(trial: &mut TrialResult) {
    let seen = trial.completeness.as_mut().unwrap();
    (seen.seen, seen.missed) = (seen.seen - 1, seen.missed + 1);
    let path = trial.path.as_mut().unwrap();
    (path.exact, path.best) = (path.exact - 1, path.best - 1);
    let loss = trial.loss.as_mut().unwrap();
    (loss.actual, loss.self_reported) = (1, Some(1));
}

#[test]
fn a_hundredth_of_what_a_backend_adds_is_found() {
    let base = run(&["ebpf", "netlink"], 0, 8, 1000, 0.001);
    let new = rebuilt(&base, |t| {
        if t.backend.name == "ebpf" {
            burden(t, 1.01);
        }
    });
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 10);
    assert_eq!(verdicts(&gate), [(EBPF, Verdict::Regressed)]);
    let cost = finding(&gate, "ebpf", "added_per_exec");
    let relative = cost.relative.unwrap();
    assert!((relative - 0.01).abs() < 0.0005, "{relative}");
    let parts = cost.parts.unwrap();
    assert!(parts.monitor > 60.0 && parts.inline == 0.0 && parts.rest == 0.0);
    assert_eq!(row(&gate, "ebpf").changed[0].input, Input::Monitor);
    // The other way round it is better, and better is no failure.
    let gate = compare(&new, &base);
    assert_eq!(gate.exit_code, 0);
    assert_eq!(verdicts(&gate), [(EBPF, Verdict::Improved)]);
}

#[test]
fn what_other_seeds_make_is_no_change_and_what_is_planted_beside_it_is_one() {
    let base = run(&["ptrace"], 0, 8, 1000, 0.001);
    let other = run(&["ptrace"], 103, 8, 1000, 0.001);
    let gate = compare(&base, &other);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Unchanged));
    assert_eq!(row(&gate, "ptrace").seeds.common, 0);
    let cost = finding(&gate, "ptrace", "added_per_exec");
    assert!(cost.noise.unwrap() < 0.005 * cost.base.unwrap());
    let slow = rebuilt(&other, |t| burden(t, 1.01));
    let gate = compare(&base, &slow);
    assert_eq!((gate.exit_code, gate.verdict), (10, Verdict::Regressed));
}

#[test]
fn what_the_seeds_cannot_show_is_unclear_and_says_how_many_could() {
    let base = run(&["ptrace"], 0, 8, 1000, 0.03);
    let other = rebuilt(&run(&["ptrace"], 100, 8, 1000, 0.03), |t| burden(t, 1.01));
    let gate = compare(&base, &other);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Unclear));
    let cost = finding(&gate, "ptrace", "added_per_exec");
    assert!(cost.noise.unwrap() > cost.limit);
    assert!(cost.seeds_wanted.unwrap() > 100, "{cost:?}");
    assert!(cost.words.contains("take about"), "{}", cost.words);
    assert_eq!(with(&base, &other, "unclear = \"fail\"").exit_code, 12);
    let wide =
        "[metrics.added_per_exec]\nrelative = 0.3\n[metrics.monitor_per_exec]\nrelative = 0.5";
    let gate = with(&base, &other, wide);
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Unchanged));
}

#[test]
fn one_seed_shows_what_is_large_and_no_more() {
    let base = run(&["ptrace"], 0, 1, 1000, 0.0);
    let by = |factor| compare(&base, &rebuilt(&base, |t| burden(t, factor)));
    assert_eq!(by(1.0).verdict, Verdict::Unchanged);
    assert_eq!(by(1.02).verdict, Verdict::Unclear);
    assert_eq!(
        (by(1.2).verdict, by(1.2).exit_code),
        (Verdict::Regressed, 10)
    );
}

#[test]
fn one_lost_exec_in_ten_thousand_is_found() {
    let base = run(&["ebpf"], 0, 1, 10_000, 0.0);
    let new = rebuilt(&base, lose_one);
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 11);
    assert_eq!(
        finding(&gate, "ebpf", "completeness").words,
        "100% → 99.99%: -1 of 10,000 execs"
    );
    assert_eq!(compare(&new, &base).exit_code, 0);
    // Of other seeds the same: who never lost one has lost one.
    let other = rebuilt(&run(&["ebpf"], 7, 8, 10_000, 0.0), |t| {
        if t.seed == 9 {
            lose_one(t);
        }
    });
    let gate = compare(&run(&["ebpf"], 20, 8, 10_000, 0.0), &other);
    assert_eq!(gate.exit_code, 11);
    let allowed = "[metrics.completeness]\nabsolute = 0.001";
    assert_eq!(with(&base, &new, allowed).exit_code, 0);
}

#[test]
fn one_path_class_worse_is_found() {
    let base = run(&["ebpf"], 0, 2, 1000, 0.0);
    let move_one = |from: fn(&mut TrialResult) -> &mut u64,
                    to: fn(&mut TrialResult) -> &mut u64| {
        move |t: &mut TrialResult| {
            *from(t) -= 1;
            *to(t) += 1;
        }
    };
    let new = rebuilt(&base, |t| {
        move_one(
            |t| &mut t.path.as_mut().unwrap().exact,
            |t| &mut t.path.as_mut().unwrap().as_given,
        )(t);
        t.path.as_mut().unwrap().best -= 1;
    });
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 11);
    assert_eq!(
        finding(&gate, "ebpf", "path_accuracy").verdict,
        Verdict::Regressed
    );
    // All paths were bad, and one is worse.
    let all_bad = |t: &mut TrialResult| {
        let path = t.path.as_mut().unwrap();
        (path.basename, path.exact, path.best) = (path.exact, 0, 0);
    };
    let base = rebuilt(&base, all_bad);
    let new = rebuilt(&base, |t| {
        let path = t.path.as_mut().unwrap();
        (path.wrong, path.basename) = (path.basename, 0);
    });
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 11);
    assert_eq!(
        finding(&gate, "ebpf", "path_accuracy").verdict,
        Verdict::Unchanged
    );
    assert_eq!(
        finding(&gate, "ebpf", "path_rank").verdict,
        Verdict::Regressed
    );
}

#[test]
fn who_no_longer_knows_what_it_lost_and_what_is_no_longer_offered_are_worse() {
    let base = run(&["ebpf"], 0, 2, 1000, 0.0);
    let silent = rebuilt(&base, |t| {
        t.loss.as_mut().unwrap().honesty = Honesty::DidNotKnow;
    });
    let gate = compare(&base, &silent);
    assert_eq!(
        finding(&gate, "ebpf", "honesty").verdict,
        Verdict::Regressed
    );
    assert_eq!(gate.exit_code, 11);
    let without = rebuilt(&base, |t| {
        let container = t.container.as_mut().unwrap();
        (container.absent, container.right) = (container.right, 0);
    });
    let gate = compare(&base, &without);
    assert_eq!(
        finding(&gate, "ebpf", "container").verdict,
        Verdict::Regressed
    );
}

#[test]
fn a_race_that_is_won_by_turns_is_no_alarm_until_it_is_lost_more_often() {
    let racing = |results: &mut Vec<TrialResult>, mean: f64| {
        for trial in results.iter_mut().filter(|t| t.is_watched()) {
            let wobble = super::WOBBLE[usize::try_from(trial.seed % 8).unwrap()];
            let path = trial.path.as_mut().unwrap();
            let all = path.exact + path.absent;
            let won = (all as f64 * (mean + 0.003 * wobble)).round();
            path.exact = (0..=all).find(|n| *n as f64 >= won).unwrap();
            (path.best, path.absent) = (path.exact, all - path.exact);
        }
    };
    let mut base = run(&["ebpf"], 0, 8, 1000, 0.0);
    racing(&mut base, 0.93);
    let against = |mean| {
        let mut new = rebuilt(&run(&["ebpf"], 100, 8, 1000, 0.0), |_| ());
        racing(&mut new, mean);
        compare(&base, &new)
    };
    assert_eq!(against(0.93).exit_code, 0);
    assert_eq!(
        against(0.93).verdict,
        Verdict::Unchanged,
        "{}",
        against(0.93).terminal(200)
    );
    assert_eq!(against(0.88).exit_code, 11);
}

#[test]
fn limits_of_the_new_figure_hold_whatever_the_base_is() {
    let base = run(&["netlink"], 0, 4, 1000, 0.0);
    let floor = "[metrics.completeness]\nat_least = 0.999";
    let gate = with(&base, &base, floor);
    assert_eq!((gate.exit_code, gate.verdict), (11, Verdict::Regressed));
    let ceiling = "[metrics.added_per_exec]\nat_most = 1000.0";
    assert_eq!(with(&base, &base, ceiling).exit_code, 10);
    // Where the base has no such figure, and where it has no such row.
    let unknown = rebuilt(&base, |t| (t.completeness, t.cost) = (None, None));
    assert_eq!(compare(&unknown, &base).exit_code, 0);
    assert_eq!(with(&unknown, &base, floor).exit_code, 11);
    assert_eq!(with(&unknown, &base, ceiling).exit_code, 10);
    let without: Vec<TrialResult> = base.iter().filter(|t| !t.is_watched()).cloned().collect();
    let new_rows = "missing_baseline = \"ok\"\n";
    assert_eq!(with(&without, &base, new_rows).exit_code, 0);
    let gate = with(&without, &base, &format!("{new_rows}{floor}"));
    assert_eq!((gate.exit_code, gate.verdict), (11, Verdict::Regressed));
    let words = &finding(&gate, "netlink", "completeness").words;
    assert!(words.contains("has to be at least 99.90%"), "{words}");
    // Without a base, that is more basic.
    assert_eq!(with(&without, &base, floor).exit_code, 12);
    // And of seeds that the base does not have.
    let more = run(&["netlink"], 0, 8, 1000, 0.0);
    let late = rebuilt(&more, |t| {
        if t.seed >= 4 {
            burden(t, 3.0);
        }
    });
    let ceiling = "[metrics.added_per_exec]\nat_most = 15000.0";
    assert_eq!(with(&base, &rebuilt(&base, |_| ()), ceiling).exit_code, 0);
    assert_eq!(with(&base, &late, ceiling).exit_code, 10);
}

#[test]
fn what_worked_and_no_longer_does_is_worse_and_the_reverse_is_new() {
    let base = run(&["ebpf", "audit"], 0, 2, 1000, 0.0);
    let new = rebuilt(&base, |t| {
        if t.backend.name == "ebpf" {
            t.status = Status::Unsupported;
            t.reason = Some("no BTF".into());
            (t.completeness, t.path, t.cost, t.loss) = (None, None, None, None);
        }
    });
    let gate = compare(&base, &new);
    assert_eq!(gate.exit_code, 11);
    assert_eq!(
        row(&gate, "ebpf").why,
        ["it worked, and is unsupported now: no BTF"]
    );
    let gate = compare(&new, &base);
    assert_eq!(
        (gate.exit_code, row(&gate, "ebpf").verdict),
        (0, Verdict::Improved)
    );
}

#[test]
fn an_exception_has_its_reason_told() {
    let base = run(&["ebpf"], 0, 4, 1000, 0.0);
    let new = rebuilt(&base, |t| burden(t, 1.5));
    let ignored = "[[cell]]\nmatch = \"6.1/ebpf+*/*\"\nreason = \"being rewritten\"\nignore = true";
    let gate = with(&base, &new, ignored);
    assert_eq!(
        (gate.exit_code, row(&gate, "ebpf").verdict),
        (0, Verdict::Ignored)
    );
    assert!(gate.terminal(1000).contains("exception: being rewritten"));
    let other = "[[cell]]\nmatch = \"5.10/*\"\nreason = \"being rewritten\"\nignore = true";
    assert_eq!(with(&base, &new, other).exit_code, 10);
}

#[test]
fn between_two_images_the_limit_is_wider() {
    let base = run(&["ptrace"], 0, 8, 1000, 0.000_5);
    let on_another = |factor| {
        let mut new = rebuilt(&base, |t| burden(t, factor));
        for trial in &mut new {
            trial.provenance.initramfs = Some("77".repeat(32));
            trial.digest = format!("77{}", &trial.digest[2..]);
        }
        new
    };
    let gate = compare(&base, &on_another(1.008));
    assert_eq!((gate.exit_code, gate.verdict), (0, Verdict::Unchanged));
    assert!(gate.terminal(100).contains("started from another image"));
    assert_eq!(compare(&base, &on_another(1.03)).exit_code, 10);
    let narrow = "[metrics.added_per_exec]\nimage = 0.005";
    assert_eq!(with(&base, &on_another(1.008), narrow).exit_code, 10);
}
