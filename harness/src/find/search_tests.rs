//! Oracles of every shape: whatever they say, the bounds are answers, and there are few questions.

use proptest::prelude::*;

use super::*;

const LIFE: Range = Range {
    least: 0,
    first: 1_000,
    most: 1_000_000_000,
};

/// Runs a search to its end; every value that was asked about must be new and inside.
fn run(mut search: Search, oracle: impl Fn(u64) -> bool) -> (Search, Vec<(u64, bool)>) {
    let mut log = Vec::new();
    loop {
        let wants = search.wants();
        if wants.is_empty() {
            return (search, log);
        }
        for value in wants {
            assert!((search.range.least..=search.range.most).contains(&value));
            assert!(
                log.iter().all(|(asked, _)| *asked != value),
                "{value} again"
            );
            log.push((value, oracle(value)));
            search.tell(value, oracle(value));
        }
        assert!(log.len() < 1_000, "it never ends");
    }
}

#[test]
fn the_whole_range_is_looked_at_in_coarse_steps_and_both_ends() {
    let range = Range {
        least: 1,
        first: 1,
        most: 100,
    };
    assert_eq!(
        Search::whole(range, Precision(0.0)).wants(),
        [1, 4, 16, 64, 100]
    );
    assert_eq!(LIFE.steps()[..3], [0, 1_000, 4_000]);
    assert_eq!(LIFE.steps().last(), Some(&1_000_000_000));
}

#[test]
fn an_edge_is_found_to_the_last_whole_number() {
    let (search, log) = run(Search::whole(LIFE, Precision(0.0)), |v| v >= 54_321);
    let answer = search.answer();
    assert_eq!(answer.lowest_yes, Some(54_321));
    assert_eq!(answer.highest_no, Some(54_320));
    assert_eq!(answer.from_here, Some(54_321));
    assert!(answer.is_monotone());
    assert_eq!(answer.asked, log.len());
}

#[test]
fn what_always_or_never_holds_has_one_bound() {
    let (always, _) = run(Search::whole(LIFE, Precision(0.05)), |_| true);
    let answer = always.answer();
    assert_eq!((answer.lowest_yes, answer.highest_no), (Some(0), None));
    assert_eq!(answer.from_here, Some(0));
    let (never, _) = run(Search::whole(LIFE, Precision(0.05)), |_| false);
    let answer = never.answer();
    assert_eq!(
        (answer.lowest_yes, answer.highest_no),
        (None, Some(LIFE.most))
    );
    assert_eq!(answer.from_here, None);
    // Where that is so elsewhere too, one question is enough to know it.
    for (found, holds) in [(always, true), (never, false)] {
        let near = Search::near(LIFE, Precision(0.05), found.answer().bracket);
        let (again, log) = run(near, |_| holds);
        assert_eq!(log.len(), 1);
        assert_eq!(again.answer().lowest_yes, found.answer().lowest_yes);
        assert_eq!(again.answer().highest_no, found.answer().highest_no);
    }
}

/// It holds in a band, does not above it, and holds again further up.
#[test]
fn two_edges_are_both_found_and_told_to_be_two() {
    let oracle = |v: u64| (10_000..20_000).contains(&v) || v >= 3_000_000;
    let (search, _) = run(Search::whole(LIFE, Precision(0.0)), oracle);
    let answer = search.answer();
    assert_eq!(answer.lowest_yes, Some(10_000));
    assert_eq!(answer.highest_no, Some(2_999_999));
    assert!(!answer.is_monotone());
    assert_eq!(answer.bracket.below, Some(9_999));
    assert_eq!(answer.bracket.above, Some(3_000_000));
    // Who begins there finds both as well.
    let (near, _) = run(Search::near(LIFE, Precision(0.0), answer.bracket), oracle);
    assert_eq!(near.answer().highest_no, Some(2_999_999));
}

#[test]
fn the_middle_of_a_wide_gap_is_that_of_its_ratio() {
    assert_eq!(middle(1, 10_000), 100);
    assert_eq!(middle(100, 150), 125);
    assert_eq!(middle(0, 1_000), 500);
    assert_eq!(middle(u64::MAX - 2, u64::MAX), u64::MAX - 1);
}

fn ranges() -> impl Strategy<Value = Range> {
    (0u64..50, 1u64..2_000, 1u64..2_000_000_000).prop_map(|(least, first, more)| Range {
        least,
        first,
        most: least + more,
    })
}

fn precisions() -> impl Strategy<Value = Precision> {
    prop_oneof![Just(0.0), 0.001f64..0.5].prop_map(Precision)
}

/// More than any search of these ranges asks: steps or steps outward, and two edges halved.
fn most_calls(range: Range) -> usize {
    let halvings = (range.most - range.least).max(1).ilog2() as usize + 4;
    range.steps().len() + 4 * halvings
}

proptest! {
    #[test]
    fn an_edge_lies_between_the_bounds_wherever_the_search_begins(
        range in ranges(), precision in precisions(), at in 0u64..3_000_000_000,
        below in 0u64..3_000_000_000, width in 1u64..1_000_000,
    ) {
        let oracle = |v: u64| v >= at;
        let bracket = Bracket { below: Some(below), above: Some(below + width) };
        for search in [Search::whole(range, precision), Search::near(range, precision, bracket)] {
            let (search, log) = run(search, oracle);
            let answer = search.answer();
            prop_assert!(log.len() <= most_calls(range), "{} calls", log.len());
            prop_assert!(answer.is_monotone());
            prop_assert!(answer.lowest_yes.is_none_or(|yes| yes >= at));
            prop_assert!(answer.highest_no.is_none_or(|no| no < at));
            match (answer.highest_no, answer.lowest_yes) {
                (Some(no), Some(yes)) => prop_assert!(yes - no <= range.distance(precision, yes)),
                (None, Some(yes)) => prop_assert_eq!(yes, range.least),
                (Some(no), None) => prop_assert_eq!(no, range.most),
                (None, None) => prop_assert!(false, "nothing was asked"),
            }
        }
    }

    /// Answers by a hash: as far from monotone as can be.
    #[test]
    fn whatever_the_answers_the_bounds_are_answers_and_calls_are_few(
        range in ranges(), precision in precisions(), key in any::<u64>(), near in any::<bool>(),
        below in 0u64..3_000_000_000, width in 1u64..1_000_000,
    ) {
        let oracle = |v: u64| (v ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1;
        let bracket = Bracket { below: Some(below), above: Some(below + width) };
        let search = if near {
            Search::near(range, precision, bracket)
        } else {
            Search::whole(range, precision)
        };
        let (search, log) = run(search, oracle);
        let answer = search.answer();
        prop_assert!(log.len() <= most_calls(range), "{} calls", log.len());
        let yes = log.iter().filter(|(_, holds)| *holds).map(|(v, _)| *v);
        let no = log.iter().filter(|(_, holds)| !*holds).map(|(v, _)| *v);
        prop_assert_eq!(answer.lowest_yes, yes.min());
        prop_assert_eq!(answer.highest_no, no.max());
        // Each edge is as narrow as was asked for, or lies at an end of the range.
        for (below, above) in search.lowest_edge().into_iter().chain(search.highest_edge()) {
            prop_assert!(above - below <= range.distance(precision, above));
            prop_assert!(!oracle(below) && oracle(above));
        }
        prop_assert!(search.lowest_edge().is_some() || answer.lowest_yes.is_none_or(|v| v == range.least));
        prop_assert!(search.highest_edge().is_some() || answer.highest_no.is_none_or(|v| v == range.most));
    }

    /// Many are asked at once, and end when they end.
    #[test]
    fn in_which_order_answers_come_changes_nothing(
        range in ranges(), precision in precisions(), key in any::<u64>(),
    ) {
        let oracle = |v: u64| (v ^ key).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 1;
        let (one, _) = run(Search::whole(range, precision), oracle);
        let mut other = Search::whole(range, precision);
        while let wants @ [_, ..] = &mut other.wants()[..] {
            wants.reverse();
            for &mut value in &mut *wants {
                other.tell(value, oracle(value));
            }
        }
        prop_assert_eq!(other, one);
    }

    #[test]
    fn what_is_left_is_a_fair_guess(range in ranges(), at in 0u64..3_000_000_000) {
        let mut search = Search::whole(range, Precision(0.05));
        let mut asked = 0;
        let guess = search.left();
        while let wants @ [_, ..] = &search.wants()[..] {
            prop_assert!(search.left() > 0);
            for &value in wants {
                asked += 1;
                search.tell(value, value >= at);
            }
        }
        prop_assert_eq!(search.left(), 0);
        prop_assert!(guess.abs_diff(asked) <= 12 , "{guess} guessed, {asked} asked");
    }
}
