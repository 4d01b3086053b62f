//! The grammar of needs and kernels.

use execlab_model::result::KernelId;
use execlab_reports::{
    decide::{BadNeed, Kernels, Need},
    metric::{METRICS, Reading, Unit},
};
use proptest::prelude::*;

fn need(text: &str) -> Need {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn needs_are_told_in_one_way_however_they_are_written() {
    for (written, told) in [
        ("completeness>=0.999", "completeness>=0.999"),
        (" Completeness >= 99.9% ", "completeness>=0.999"),
        ("path=exact", "path=exact"),
        ("path=best", "path=exact"),
        ("path_accuracy>=100%", "path=exact"),
        ("path-accuracy > 0.5", "path_accuracy>0.5"),
        ("containers", "containers"),
        ("container", "containers"),
        ("container=right", "containers"),
        ("containers>=0.9", "container>=0.9"),
        ("cost<=20_000", "added_per_exec<=20000"),
        ("added_percent<5%", "added_percent<5"),
        ("latency<=2ms", "latency_p99<=2000000"),
        ("memory<=16MiB", "memory_peak<=16777216"),
        ("honesty=knew", "honesty=knew"),
        ("honesty=knew|knew-too-much", "honesty=knew|knew-too-much"),
        ("loss=0", "true_loss=0"),
    ] {
        assert_eq!(need(written).to_string(), told, "{written}");
    }
}

#[test]
fn what_is_no_need_says_why() {
    let said: Vec<String> = [
        "completness>=1",
        "completeness",
        "completeness>=99.9",
        "completeness>=much",
        "completeness=>1",
        "path=host",
        "honesty>=knew",
        "honesty=always",
        "latency<=2min",
        "cost<=inf",
        "execs>=",
        "",
    ]
    .into_iter()
    .map(|text| format!("{text}: {}", text.parse::<Need>().unwrap_err()))
    .collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(
        "completness>=1".parse::<Need>(),
        Err(BadNeed::Metric("completness".into()))
    );
}

#[test]
fn a_word_in_the_place_of_a_number_is_never_enough() {
    for text in ["container>=0", "container<=1", "container<1"] {
        assert!(!need(text).is_met(Reading::Word("not offered")), "{text}");
    }
    assert!(!need("honesty=knew").is_met(Reading::Number(1.0)));
    assert!(need("honesty=knew|knew-too-much").is_met(Reading::Word("knew-too-much")));
    assert!(!need("honesty=knew").is_met(Reading::Word("did-not-know")));
}

#[test]
fn ends_of_a_comparison_belong_to_it_as_it_says() {
    for (text, at, met) in [
        ("completeness>=0.999", 999.0 / 1000.0, true),
        ("completeness>0.999", 999.0 / 1000.0, false),
        ("completeness>=99.9%", 999.0 / 1000.0, true),
        ("cost<=20000", 20_000.0, true),
        ("cost<20000", 20_000.0, false),
        ("loss=0", 0.0, true),
        ("loss=0", 1.0, false),
    ] {
        assert_eq!(need(text).is_met(Reading::Number(at)), met, "{text}");
    }
}

fn kernel(name: &str, release: &str) -> KernelId {
    KernelId {
        name: name.into(),
        release: release.into(),
        sha256: String::new(),
    }
}

#[test]
fn ranges_hold_versions_as_people_count_them() {
    let means = |text: &str, name: &str| text.parse::<Kernels>().unwrap().means(&kernel(name, "x"));
    for (range, inside, outside) in [
        (
            "5.10..",
            &["5.10", "6.1", "7.3", "5.10.240"][..],
            &["5.9", "4.19"][..],
        ),
        (
            "..6.12",
            &["5.10", "6.1", "6.12", "6.12.9"],
            &["6.18", "6.13"],
        ),
        (
            "5.10..6.18",
            &["5.10", "6.2", "6.18-rc1"],
            &["5.4", "7.0", "6.19"],
        ),
        ("6..6", &["6.1", "6.18"], &["5.10", "7.0"]),
        ("6.1", &["6.1"], &["6.12", "6.18"]),
        ("..", &["anything"], &[]),
        ("5.10..", &[], &["anything"]),
    ] {
        for name in inside {
            assert!(means(range, name), "{name} in {range}");
        }
        for name in outside {
            assert!(!means(range, name), "{name} in {range}");
        }
    }
    let running: Kernels = "6.1..".parse().unwrap();
    assert!(running.means(&kernel("running", "6.6.1-custom")));
    for bad in ["", "6.18..5.10", "a..b", "6.1..x", "6.1.."] {
        assert_eq!(bad.parse::<Kernels>().is_ok(), bad == "6.1..", "{bad}");
    }
}

fn any_need() -> impl Strategy<Value = String> {
    let ops = prop::sample::select(vec![">=", "<=", "=", ">", "<"]);
    let metrics = prop::sample::select(METRICS.iter().map(|m| (m.id, m.unit)).collect::<Vec<_>>());
    let words = prop::sample::subsequence(vec!["knew", "knew-too-little", "did-not-know"], 1..=3);
    (metrics, ops, 0.0..1.0_f64, words).prop_map(|((id, unit), op, value, words)| match unit {
        Unit::Word => format!("{id}={}", words.join("|")),
        _ => format!("{id}{op}{value}"),
    })
}

proptest! {
    #[test]
    fn a_need_reads_back_as_it_prints(text in any_need()) {
        let read = need(&text);
        prop_assert_eq!(&need(&read.to_string()), &read);
    }

    #[test]
    fn no_text_makes_the_parsers_panic(text in "[a-z_=<>|%.0-9 µ]{0,24}") {
        let _ = text.parse::<Need>().map(|need| need.to_string());
        let _ = text.parse::<Kernels>().map(|kernels| kernels.to_string());
    }

    #[test]
    fn ranges_read_back_as_they_print(text in "[0-9]{0,2}(\\.[0-9]{1,2})?\\.\\.([0-9]{1,2}(\\.[0-9]{1,2})?)?") {
        if let Ok(read) = text.parse::<Kernels>() {
            prop_assert_eq!(read.to_string().parse::<Kernels>().unwrap(), read);
        }
    }

    #[test]
    fn a_range_is_all_above_its_lower_and_below_its_upper_end(a in 1..9_u32, b in 0..30_u32, c in 1..9_u32, d in 0..30_u32, e in 1..9_u32, f in 0..30_u32) {
        let is_in = (a, b) <= (e, f) && (e, f) <= (c, d);
        if let Ok(range) = format!("{a}.{b}..{c}.{d}").parse::<Kernels>() {
            prop_assert_eq!(range.means(&kernel(&format!("{e}.{f}"), "")), is_in);
        } else {
            prop_assert!((a, b) > (c, d));
        }
    }
}
