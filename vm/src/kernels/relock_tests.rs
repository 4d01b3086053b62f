use std::collections::BTreeMap;

use super::super::compress::tests::encode;
use super::super::fetch::Fetcher;
use super::super::lock::tests::locked;
use super::super::select::tests::stanza;
use super::super::signature::tests::TestKey;
use super::super::test_server::Server;
use super::*;
use crate::digest::Sha256;

const FAR: &str = "Valid-Until: Sat, 28 Nov 2099 00:53:02 UTC\n";
const PAST: &str = "Valid-Until: Sat, 28 Nov 2020 00:53:02 UTC\n";

/// An archive with some suites, and a lock that is out of date.
struct Fixture {
    directory: tempfile::TempDir,
    key: TestKey,
    files: BTreeMap<String, Vec<u8>>,
    old: Vec<LockedKernel>,
}

impl Fixture {
    fn new() -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            key: TestKey::new(1),
            files: BTreeMap::new(),
            old: Vec::new(),
        }
    }

    /// A suite of the main archive with these packages, each of which can be had.
    fn suite(&mut self, suite: &str, valid_until: &str, packages: &[(&str, &str)]) {
        let mut list = String::new();
        for (name, version) in packages {
            list += &stanza(name, version, "", &Sha256::of(name.as_bytes()), 3);
            let path = format!("/debian/pool/main/l/linux/{name}_{version}_amd64.deb");
            self.files.insert(path.replace('+', "%2B"), b"abc".to_vec());
        }
        let packed = encode(Format::Xz, list.as_bytes());
        let sum = Sha256::of(&packed);
        let index = format!(
            "Suite: some\nCodename: {suite}\n{valid_until}Acquire-By-Hash: yes\nSHA256:\n {sum} {} main/binary-amd64/Packages.xz\n",
            packed.len()
        );
        let at = format!("/debian/dists/{suite}");
        self.files.insert(
            format!("{at}/InRelease"),
            self.key.sign(&index).into_bytes(),
        );
        self.files.insert(
            format!("{at}/main/binary-amd64/by-hash/SHA256/{sum}"),
            packed,
        );
    }

    fn relock(&self) -> Result<Relocked, RelockError> {
        let server = Server::of(self.files.clone());
        let store = Store::with_lock(
            Lock::new(self.old.clone()),
            self.directory.path().join("cache"),
            Some(format!("{}/debian", server.url)),
            Fetcher::new(Duration::ZERO),
        )
        .unwrap();
        let options = RelockOptions {
            keyrings: vec![self.key.write(self.directory.path(), "archive.gpg")],
            ..RelockOptions::default()
        };
        let relocked = store.relock(&options, &mut |_| {});
        assert_eq!(
            store
                .cache_dir()
                .join("downloads")
                .read_dir()
                .unwrap()
                .count(),
            0
        );
        relocked
    }
}

fn text<T: fmt::Display>(items: &[T]) -> Vec<String> {
    items
        .iter()
        .map(|item| {
            item.to_string()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}

#[test]
fn the_lock_is_renewed_and_what_changed_is_told() {
    let mut it = Fixture::new();
    it.suite(
        "trixie",
        "",
        &[
            ("linux-image-6.12.5+deb13-cloud-amd64", "6.12.5-1"),
            ("linux-image-6.12.4+deb13-cloud-amd64", "6.12.4-1"),
        ],
    );
    it.suite(
        "trixie-backports",
        FAR,
        &[
            ("linux-binary-7.3.1-cloud-amd64", "7.3.1-1"),
            ("linux-modules-7.3.1-cloud-amd64", "7.3.1-1"),
            ("linux-base-7.3.1-cloud-amd64", "7.3.1-1"),
            ("linux-binary-7.1.1-cloud-amd64", "7.1.1-1"),
        ],
    );
    it.files.remove(
        "/debian/pool/main/l/linux/linux-image-6.12.4%2Bdeb13-cloud-amd64_6.12.4-1_amd64.deb",
    );
    it.old = vec![
        locked("6.12.3-cloud-amd64", "6.12.3-1"),
        LockedKernel {
            suite: "bookworm".to_owned(),
            ..locked("6.12.5+deb13-cloud-amd64", "6.12.5-0")
        },
    ];
    let relocked = it.relock().unwrap();
    assert_eq!(
        text(&relocked.changes),
        [
            "~ 6.12 6.12.5+deb13-cloud-amd64 6.12.5-1 trixie (was 6.12.5-0 from bookworm)",
            "- 6.12 6.12.3-cloud-amd64 6.12.3-1 somewhere",
            "+ 7.3 7.3.1-cloud-amd64 7.3.1-1 trixie-backports",
        ]
    );
    let notes = text(&relocked.notes);
    for wanted in [
        "trixie-backports: 7.1.1-cloud-amd64 is not whole, it lacks linux-modules-7.1.1-cloud-amd64",
        "trixie: 6.12.4+deb13-cloud-amd64 is listed, but its package linux-image-6.12.4+deb13-cloud-amd64 has left the archive",
        "sid: the mirror does not have it; what is locked from it stays, as far as it is still there",
    ] {
        assert!(notes.iter().any(|note| note == wanted), "{notes:#?}");
    }
    assert_eq!(
        Lock::parse(&relocked.lock.to_toml()).unwrap(),
        relocked.lock
    );

    it.old = relocked.lock.kernels;
    assert_eq!(it.relock().unwrap().changes, []);
}

#[test]
fn what_is_locked_from_an_expired_suite_stays_if_it_is_still_there() {
    let mut it = Fixture::new();
    it.suite("sid", PAST, &[("linux-image-7.2.9-cloud-amd64", "7.2.9-1")]);
    let of_sid = |release: &str| LockedKernel {
        suite: "sid".to_owned(),
        ..locked(release, "7.2-1")
    };
    it.old = vec![of_sid("7.2.1-cloud-amd64"), of_sid("7.2.2-cloud-amd64")];
    it.files.insert(
        "/debian/pool/main/l/linux/7.2.1-cloud-amd64.deb".to_owned(),
        b"abc".to_vec(),
    );
    let relocked = it.relock().unwrap();
    let releases: Vec<&str> = relocked
        .lock
        .kernels
        .iter()
        .map(|k| k.release.as_str())
        .collect();
    assert_eq!(releases, ["7.2.1-cloud-amd64"]);
    let notes = text(&relocked.notes);
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("sid: its index ended to be valid ")),
        "{notes:?}"
    );
}

#[test]
fn an_index_that_cannot_be_trusted_renews_nothing() {
    let broken = |change: &dyn Fn(&mut Fixture)| {
        let mut it = Fixture::new();
        it.suite(
            "trixie",
            FAR,
            &[("linux-image-6.12.5-cloud-amd64", "6.12.5-1")],
        );
        change(&mut it);
        it.relock().unwrap_err()
    };
    let index = "/debian/dists/trixie/InRelease";

    let error = broken(&|it| it.key = TestKey::new(2));
    assert!(
        matches!(
            error,
            RelockError::Signature(SignatureError::Untrusted { .. })
        ),
        "{error}"
    );

    let error = broken(&|it| {
        it.suite("bookworm", "", &[]);
        let other = it.files["/debian/dists/bookworm/InRelease"].clone();
        it.files.insert(index.to_owned(), other);
    });
    assert!(
        error
            .to_string()
            .contains("it is the index of some/bookworm"),
        "{error}"
    );

    let error = broken(&|it| {
        for (path, body) in &mut it.files {
            if path.contains("by-hash") {
                body[20] ^= 1;
            }
        }
    });
    assert!(
        matches!(error, RelockError::Fetch(FetchError::Corrupt { .. })),
        "{error}"
    );
}
