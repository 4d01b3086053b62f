use std::fmt::Write as _;

use proptest::prelude::*;

use super::super::lock::tests::locked;
use super::*;

/// The stanza of a package.
pub(crate) fn stanza(
    name: &str,
    version: &str,
    depends: &str,
    sha256: &Sha256,
    size: u64,
) -> String {
    let mut text = format!("Package: {name}\nVersion: {version}\n");
    if !depends.is_empty() {
        let _ = writeln!(text, "Depends: {depends}");
    }
    let _ = write!(
        text,
        "Filename: pool/main/l/linux/{name}_{version}_amd64.deb\nSize: {size}\nSHA256: {sha256}\n\n"
    );
    text
}

fn listed(name: &str, version: &str, depends: &str) -> String {
    stanza(name, version, depends, &Sha256::of(name.as_bytes()), 3)
}

fn names(kernel: &LockedKernel) -> Vec<&str> {
    kernel
        .packages
        .iter()
        .map(|package| package.name.as_str())
        .collect()
}

#[test]
fn whole_kernels_of_both_layouts_are_found() {
    let text = [
        // Names for others, another flavour, an unwanted series: none of them a kernel to lock.
        listed(
            "linux-image-cloud-amd64",
            "6.1.9-1",
            "linux-image-6.1.0-9-cloud-amd64",
        ),
        listed(
            "linux-image-6.1-cloud-amd64",
            "6.1.9-1",
            "linux-image-6.1.0-9-cloud-amd64 (= 6.1.9-1)",
        ),
        listed("linux-image-6.1.0-9-amd64", "6.1.9-1", "kmod"),
        listed("linux-image-6.17.3-cloud-amd64", "6.17.3-1", "kmod"),
        listed("linux-image-6.1.0-9-cloud-amd64-dbg", "6.1.9-1", ""),
        // One package; the signed one is taken if there are both.
        listed(
            "linux-image-6.1.0-9-cloud-amd64-unsigned",
            "6.1.9-1",
            "kmod",
        ),
        listed(
            "linux-image-6.1.0-9-cloud-amd64",
            "6.1.9-1",
            "kmod, linux-base",
        ),
        listed(
            "linux-image-6.12.1-cloud-amd64-unsigned",
            "6.12.1-1",
            "kmod",
        ),
        // Several packages.
        listed(
            "linux-image-7.3.4-cloud-amd64",
            "7.3.4-1",
            "linux-binary-7.3.4-cloud-amd64",
        ),
        listed("linux-binary-unsigned-7.3.4-cloud-amd64", "7.3.4-1", ""),
        listed("linux-binary-7.3.4-cloud-amd64", "7.3.4-1", ""),
        listed("linux-modules-7.3.4-cloud-amd64", "7.3.4-1", ""),
        listed("linux-base-7.3.4-cloud-amd64", "7.3.4-1", ""),
        // The modules are gone, or are of another version.
        listed("linux-binary-7.1.3-cloud-amd64", "7.1.3-1", ""),
        listed("linux-base-7.1.3-cloud-amd64", "7.1.3-1", ""),
        listed("linux-binary-7.2.2-cloud-amd64", "7.2.2-2", ""),
        listed("linux-modules-7.2.2-cloud-amd64", "7.2.2-1", ""),
        listed("linux-base-7.2.2-cloud-amd64", "7.2.2-2", ""),
    ]
    .concat();
    let (whole, incomplete) = kernels_of_suite(&text, "trixie", Archive::Debian);
    let found: Vec<_> = whole
        .iter()
        .map(|k| (k.series.as_str(), k.release.as_str(), names(k)))
        .collect();
    assert_eq!(
        found,
        [
            (
                "6.1",
                "6.1.0-9-cloud-amd64",
                vec!["linux-image-6.1.0-9-cloud-amd64"]
            ),
            (
                "6.12",
                "6.12.1-cloud-amd64",
                vec!["linux-image-6.12.1-cloud-amd64-unsigned"]
            ),
            (
                "7.3",
                "7.3.4-cloud-amd64",
                vec![
                    "linux-binary-7.3.4-cloud-amd64",
                    "linux-modules-7.3.4-cloud-amd64",
                    "linux-base-7.3.4-cloud-amd64"
                ]
            ),
        ]
    );
    assert_eq!(whole[0].suite, "trixie");
    let lacks = |release: &str| Incomplete {
        release: format!("{release}-cloud-amd64"),
        lacks: format!("linux-modules-{release}-cloud-amd64"),
    };
    assert_eq!(incomplete, [lacks("7.1.3"), lacks("7.2.2")]);
}

#[test]
fn stanzas_that_cannot_be_locked_are_left_out() {
    let good = listed("linux-image-6.1.0-9-cloud-amd64", "6.1.9-1", "");
    for (from, to) in [
        ("pool/", "../"),
        ("SHA256: ", "SHA256: x"),
        ("Size: ", "Size: x"),
        ("Version", "V"),
    ] {
        let (whole, _) = kernels_of_suite(&good.replace(from, to), "x", Archive::Debian);
        assert!(whole.is_empty(), "{from}");
    }
    assert_eq!(kernels_of_suite(&good, "x", Archive::Debian).0.len(), 1);
}

fn of_suite(suite: &str, release: &str, version: &str) -> LockedKernel {
    LockedKernel {
        suite: suite.to_owned(),
        ..locked(release, version)
    }
}

fn releases(chosen: &[LockedKernel]) -> Vec<(&str, &str)> {
    chosen
        .iter()
        .map(|k| (k.suite.as_str(), k.release.as_str()))
        .collect()
}

#[test]
fn every_suite_has_its_turn_and_what_is_gone_is_passed_over() {
    let kernels = vec![
        of_suite("stable", "6.1.0-5", "6.1.5-1"),
        of_suite("stable", "6.1.0-4", "6.1.4-1"),
        of_suite("stable", "6.1.0-3", "6.1.3-1"),
        of_suite("security", "6.1.0-7", "6.1.7-1"),
        of_suite("security", "6.1.0-8", "6.1.8-1"),
        of_suite("security", "6.1.0-5", "6.1.5-1"),
        of_suite("backports", "6.1.0-9", "6.1.9-1"),
        of_suite("security", "7.2.1", "7.2.1-1"),
    ];
    let all = choose(&kernels, &mut |_| Ok::<_, ()>(true)).unwrap();
    assert_eq!(
        releases(&all),
        [
            ("backports", "6.1.0-9"),
            ("security", "6.1.0-8"),
            ("stable", "6.1.0-5"),
            ("security", "6.1.0-7"),
            ("security", "7.2.1"),
        ]
    );
    let some = choose(&kernels, &mut |k| {
        Ok::<_, ()>(k.release != "6.1.0-8" && k.release != "7.2.1")
    })
    .unwrap();
    assert_eq!(
        releases(&some),
        [
            ("backports", "6.1.0-9"),
            ("security", "6.1.0-7"),
            ("stable", "6.1.0-5"),
            ("stable", "6.1.0-4")
        ]
    );
    assert_eq!(choose(&kernels, &mut |_| Err("broken")), Err("broken"));
}

proptest! {
    #[test]
    fn limits_hold_and_the_newest_of_each_suite_is_there(
        kernels in proptest::collection::vec((0..3_u8, 1..3_u8, 0..40_u8), 0..30)
    ) {
        let kernels: Vec<_> = kernels
            .iter()
            .map(|(suite, minor, patch)| of_suite(&format!("s{suite}"), &format!("7.{minor}.{patch}"), &format!("7.{minor}.{patch}-1")))
            .collect();
        let chosen = choose(&kernels, &mut |_| Ok::<_, ()>(true)).unwrap();
        for series in ["7.1", "7.2"] {
            let of_series: Vec<_> = chosen.iter().filter(|k| k.series == series).collect();
            prop_assert!(of_series.len() <= PER_SERIES);
            prop_assert_eq!(of_series.is_empty(), !kernels.iter().any(|k| k.series == series));
            let mut releases: Vec<_> = of_series.iter().map(|k| &k.release).collect();
            releases.sort_unstable();
            releases.dedup();
            prop_assert_eq!(releases.len(), of_series.len());
            let newest = kernels.iter().filter(|k| k.series == series).max_by(|a, b| version::compare(a.version(), b.version()));
            if let Some(newest) = newest {
                prop_assert!(of_series.iter().any(|k| k.release == newest.release));
            }
        }
    }
}
