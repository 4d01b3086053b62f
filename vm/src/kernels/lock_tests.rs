use proptest::prelude::*;

use super::*;

/// A locked kernel that exists in tests only.
pub(crate) fn locked(release: &str, version: &str) -> LockedKernel {
    LockedKernel {
        series: series_of(release).unwrap(),
        release: release.to_owned(),
        suite: "somewhere".to_owned(),
        archive: Archive::Debian,
        packages: vec![Package {
            name: format!("linux-image-{release}"),
            version: version.to_owned(),
            path: PoolPath::try_from(format!("pool/main/l/linux/{release}.deb")).unwrap(),
            sha256: Sha256::of(release.as_bytes()),
            size: 3,
        }],
    }
}

fn sample() -> Lock {
    Lock::new(vec![
        locked("6.1.0-55-cloud-amd64", "6.1.190-1"),
        locked("6.12.117+deb13-cloud-amd64", "6.12.117-1"),
        locked("6.1.0-56-cloud-amd64", "6.1.192-2"),
        locked("5.10.0-46-cloud-amd64", "5.10.262-1"),
    ])
}

#[test]
fn the_embedded_lock_is_fine_and_in_order() {
    let lock = Lock::embedded().unwrap();
    for series in ["5.10", "6.1", "6.12", "6.18"] {
        assert!(lock.of_series(series).next().is_some(), "{series}");
    }
    assert!(lock.series().iter().any(|series| series.starts_with("7.")));
    assert_eq!(lock.to_toml(), EMBEDDED);
    assert_eq!(Lock::new(lock.kernels.clone()), lock);
}

#[test]
fn names_mean_a_series_or_a_release() {
    let lock = sample();
    assert_eq!(lock.series(), ["5.10", "6.1", "6.12"]);
    assert_eq!(lock.find("6.1").unwrap().release, "6.1.0-56-cloud-amd64");
    for name in ["6.1.0-55-cloud-amd64", "6.1.0-55"] {
        assert_eq!(lock.find(name).unwrap().release, "6.1.0-55-cloud-amd64");
    }
    let error = lock.find("6.2").unwrap_err().to_string();
    assert!(error.contains("no kernel `6.2`"), "{error}");
    assert!(error.contains("5.10, 6.1, 6.12"), "{error}");
    assert!(error.contains("6.1.0-55-cloud-amd64"), "{error}");
    assert!(error.contains("path:IMAGE"), "{error}");
}

#[test]
fn series_are_the_first_two_numbers() {
    assert_eq!(series_of("6.1.0-56-cloud-amd64").as_deref(), Some("6.1"));
    assert_eq!(
        series_of("6.12.117+deb13-cloud-amd64").as_deref(),
        Some("6.12")
    );
    assert_eq!(series_of("7.3-rc7-cloud-amd64").as_deref(), Some("7.3"));
    for none in ["", "6", "6-1", "x.y", ".1"] {
        assert_eq!(series_of(none), None, "{none}");
    }
}

#[test]
fn a_lock_in_another_form_names_the_line() {
    let good = sample().to_toml();
    for (from, to, line, what) in [
        ("sha256 = \"", "sha256 = \"x", 15, "sha256"),
        ("path = \"pool/", "path = \"../", 14, "no path of a package"),
        ("size = 3", "size = -3", 16, ""),
        ("suite = ", "suits = ", 8, "unknown field"),
        (
            "archive = \"debian\"",
            "archive = \"ubuntu\"",
            9,
            "unknown variant",
        ),
        ("schema = 1", "schema = =", 3, ""),
    ] {
        assert!(good.contains(from), "{from}");
        let error = Lock::parse(&good.replacen(from, to, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(&format!("line {line}")), "{from}: {error}");
        assert!(error.contains(what), "{from}: {error}");
    }
}

#[test]
fn a_lock_that_contradicts_itself_names_the_entry() {
    let other_schema = sample().to_toml().replace("schema = 1", "schema = 2");
    assert!(matches!(
        Lock::parse(&other_schema),
        Err(LockError::Schema { found: 2 })
    ));

    let kernel = locked("6.1.0-1-cloud-amd64", "1");
    let twice = Lock::new(vec![kernel.clone(), kernel.clone()]).to_toml();
    assert!(matches!(Lock::parse(&twice), Err(LockError::Twice { .. })));

    let mut odd = kernel;
    odd.series = "6.2".to_owned();
    let error = Lock::parse(&Lock::new(vec![odd]).to_toml())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("6.1.0-1-cloud-amd64 is not of the series"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        versions in proptest::collection::btree_map("[5-7]\\.[0-9]{1,2}\\.[0-9]{1,3}[+a-z0-9-]{0,8}", "[0-9.~+a-z]{1,8}", 0..8)
    ) {
        let lock = Lock::new(versions.iter().map(|(release, version)| locked(release, version)).collect());
        prop_assert_eq!(Lock::parse(&lock.to_toml()).unwrap(), lock);
    }

    #[test]
    fn any_text_is_parsed_without_a_panic(text: String) {
        let _ = Lock::parse(&text);
    }
}
