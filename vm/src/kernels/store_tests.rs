use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::super::image::tests::{fake_bzimage, fake_vmlinux};
use super::super::lock::tests::locked;
use super::super::lock::{Package, PoolPath};
use super::super::modules::tests::fake_module;
use super::super::test_server::Server;
use super::super::unpack::tests::{one_package, split_packages};
use super::*;

const OLD: &str = "6.1.0-55-cloud-amd64";
const NEW: &str = "6.1.0-56-cloud-amd64";
const SPLIT: &str = "7.3.4+deb13-cloud-amd64";

/// An archive with three kernels, a lock of them, and a cache.
struct Fixture {
    directory: tempfile::TempDir,
    lock: Lock,
    files: BTreeMap<String, Vec<u8>>,
}

impl Fixture {
    fn new() -> Self {
        let mut files = BTreeMap::new();
        let mut kernels = Vec::new();
        for (release, version, debs) in [
            (OLD, "6.1.190-1", one_package(OLD)),
            (NEW, "6.1.192-2", one_package(NEW)),
            (SPLIT, "7.3.4-1", split_packages(SPLIT)),
        ] {
            let mut kernel = locked(release, version);
            kernel.packages = debs
                .into_iter()
                .enumerate()
                .map(|(n, deb)| {
                    let path = format!("pool/main/l/linux/{release}-{n}.deb");
                    let package = Package {
                        name: format!("linux-{n}-{release}"),
                        version: version.to_owned(),
                        path: PoolPath::try_from(path.clone()).unwrap(),
                        sha256: Sha256::of(&deb),
                        size: deb.len() as u64,
                    };
                    files.insert(format!("/debian/{}", path.replace('+', "%2B")), deb);
                    package
                })
                .collect();
            kernels.push(kernel);
        }
        Self {
            directory: tempfile::tempdir().unwrap(),
            lock: Lock::new(kernels),
            files,
        }
    }

    fn store(&self, mirror: &str) -> Store {
        Store::with_lock(
            self.lock.clone(),
            self.directory.path().join("cache"),
            Some(mirror.to_owned()),
            Fetcher::new(Duration::ZERO),
        )
        .unwrap()
    }

    fn serve(&self) -> (Server, Store) {
        let server = Server::of(self.files.clone());
        let store = self.store(&server.url);
        (server, store)
    }
}

fn fetch(store: &Store, name: &str) -> Result<Kernel, StoreError> {
    store.fetch(&store.resolve(name).unwrap(), &mut |_| {})
}

#[test]
fn a_kernel_of_either_layout_is_fetched_once() {
    let it = Fixture::new();
    let (server, store) = it.serve();
    for (name, release, requests) in [("6.1", NEW, 1), ("7.3", SPLIT, 4)] {
        let mut events = Vec::new();
        let wanted = store.resolve(name).unwrap();
        let kernel = store
            .fetch(&wanted, &mut |event| events.push(event))
            .unwrap();
        assert_eq!(
            (kernel.name.as_str(), kernel.release.as_str()),
            (name, release)
        );
        assert_eq!(kernel.series, name);
        assert_eq!(fs::read(&kernel.vmlinux).unwrap(), fake_vmlinux(release));
        assert_eq!(kernel.sha256, Sha256::of(&fake_vmlinux(release)).as_str());
        assert!(kernel.bzimage.exists());
        assert_eq!(
            kernel.modules(&["overlay", "ext"]).unwrap()[0].bytes,
            fake_module("depends=\0")
        );

        let bytes = wanted.locked().unwrap().download_size();
        let release = release.to_owned();
        assert_eq!(
            events[0],
            FetchEvent::Started {
                release: release.clone(),
                bytes
            }
        );
        assert!(events.contains(&FetchEvent::Progress {
            release: release.clone(),
            done: bytes,
            bytes
        }));
        assert_eq!(
            events[events.len() - 2],
            FetchEvent::Unpacking {
                release: release.clone()
            }
        );
        assert_eq!(
            events[events.len() - 1],
            FetchEvent::Ready {
                release: release.clone()
            }
        );

        let mut again = Vec::new();
        store
            .fetch(&wanted, &mut |event| again.push(event))
            .unwrap();
        assert_eq!(again, [FetchEvent::Cached { release }]);
        assert_eq!(server.request_count(), requests);
    }
    assert_eq!(
        fs::read_dir(store.cache_dir().join("downloads"))
            .unwrap()
            .count(),
        0
    );
    let cached: Vec<(String, bool)> = store
        .list()
        .into_iter()
        .map(|row| (row.name, row.cached))
        .collect();
    assert_eq!(
        cached,
        [
            ("6.1".into(), true),
            (OLD.into(), false),
            ("7.3".into(), true)
        ]
    );
}

#[test]
fn run_never_takes_another_kernel_but_demo_takes_the_next_and_says_so() {
    let mut it = Fixture::new();
    it.files.retain(|path, _| !path.contains(NEW));
    let (_server, store) = it.serve();
    let error = fetch(&store, "6.1").unwrap_err().to_string();
    assert!(
        error.contains(&format!("the kernel {NEW} cannot be fetched")),
        "{error}"
    );
    assert!(error.contains("execlab kernels lock"), "{error}");

    let (kernel, skipped) = store.first_available("6.1", &mut |_| {}).unwrap();
    assert_eq!(
        (kernel.name.as_str(), kernel.release.as_str()),
        ("6.1", OLD)
    );
    assert_eq!(skipped.len(), 1);
    assert_eq!(skipped[0].release, NEW);
    assert!(
        skipped[0].reason.contains("has left the archive"),
        "{skipped:?}"
    );
}

#[test]
fn without_a_mirror_what_is_in_the_cache_is_taken() {
    let it = Fixture::new();
    let (_server, store) = it.serve();
    fetch(&store, OLD).unwrap();
    let offline = it.store("http://127.0.0.1:1/debian");
    let (kernel, skipped) = offline.first_available("6.1", &mut |_| {}).unwrap();
    assert_eq!(kernel.release, OLD);
    assert!(
        skipped[0].reason.contains("cannot be reached"),
        "{skipped:?}"
    );

    let error = offline
        .first_available("7.3", &mut |_| {})
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no locked kernel of the series 7.3 can be had:\n  7.3.4+deb13"),
        "{error}"
    );
    let unknown = offline.first_available("6.6", &mut |_| {}).unwrap_err();
    assert!(matches!(unknown, StoreError::Unknown(_)), "{unknown}");
}

#[test]
fn a_corrupt_package_is_not_unpacked() {
    let mut it = Fixture::new();
    for body in it.files.values_mut() {
        let middle = body.len() / 2;
        body[middle] ^= 1;
    }
    let (_server, store) = it.serve();
    let error = fetch(&store, "6.1").unwrap_err().to_string();
    assert!(error.contains("is not what the lock names"), "{error}");
    for part in ["downloads", "kernels"] {
        assert_eq!(
            fs::read_dir(store.cache_dir().join(part)).unwrap().count(),
            0,
            "{part}"
        );
    }
}

#[test]
fn damage_in_the_cache_is_found_and_repaired() {
    let it = Fixture::new();
    let (_server, store) = it.serve();
    let kernel = fetch(&store, "6.1").unwrap();
    let states = |store: &Store| -> Vec<VerifyState> {
        store
            .verify(None)
            .unwrap()
            .into_iter()
            .map(|row| row.state)
            .collect()
    };
    let good = VerifyState::Good { files: 5 };
    assert_eq!(
        states(&store),
        [good.clone(), VerifyState::NotCached, VerifyState::NotCached]
    );

    let mut vmlinux = fs::read(&kernel.vmlinux).unwrap();
    vmlinux[0] ^= 1;
    fs::write(&kernel.vmlinux, vmlinux).unwrap();
    let chosen = [store.resolve(NEW).unwrap()];
    let rows = store.verify(Some(&chosen)).unwrap();
    assert_eq!(rows.len(), 1);
    assert!(
        matches!(&rows[0].state, VerifyState::Damaged(what) if what[0].contains("vmlinux")),
        "{rows:?}"
    );
    assert!(!store.list()[0].cached);
    fetch(&store, "6.1").unwrap();
    assert_eq!(states(&store)[0], good);

    // What is booted is looked at whenever it is wanted, and fetched anew.
    let mut vmlinux = fs::read(&kernel.vmlinux).unwrap();
    vmlinux[0] ^= 1;
    fs::write(&kernel.vmlinux, &vmlinux).unwrap();
    let mut told = Vec::new();
    let reference = store.resolve("6.1").unwrap();
    store
        .fetch(&reference, &mut |event| told.push(event))
        .unwrap();
    assert!(
        matches!(&told[0], FetchEvent::Damaged { file, .. } if file == "vmlinux"),
        "{told:?}"
    );
    assert_ne!(fs::read(&kernel.vmlinux).unwrap(), vmlinux);
    assert_eq!(states(&store)[0], good);

    // What is gone altogether is noticed without reading everything.
    fs::remove_file(&kernel.vmlinux).unwrap();
    assert!(!store.list()[0].cached);
    fetch(&store, "6.1").unwrap();
    assert!(store.list()[0].cached);
}

#[test]
fn a_users_own_kernel_needs_no_mirror() {
    let it = Fixture::new();
    let store = it.store("http://127.0.0.1:1/debian");
    let at = |name: &str| it.directory.path().join(name);
    fs::write(
        at("bzImage"),
        fake_bzimage("6.6.1-mine", &fake_vmlinux("6.6.1-mine"), None),
    )
    .unwrap();
    fs::create_dir(at("modules")).unwrap();
    fs::write(at("modules/overlay.ko"), fake_module("depends=\0")).unwrap();
    let name = format!(
        "path:{},modules={}",
        at("bzImage").display(),
        at("modules").display()
    );
    let kernel = fetch(&store, &name).unwrap();
    assert_eq!(kernel.name, name);
    assert_eq!(
        (kernel.series.as_str(), kernel.release.as_str()),
        ("6.6", "6.6.1-mine")
    );
    assert_eq!(
        fs::read(&kernel.vmlinux).unwrap(),
        fake_vmlinux("6.6.1-mine")
    );
    assert_eq!(kernel.bzimage, at("bzImage"));
    assert_eq!(kernel.modules(&["overlay"]).unwrap().len(), 1);

    let bare = fetch(&store, &format!("path:{}", at("bzImage").display())).unwrap();
    assert!(
        bare.modules(&["overlay"])
            .unwrap_err()
            .to_string()
            .contains("without modules")
    );
    assert!(fetch(&store, "path:/nowhere/bzImage").is_err());
}

#[test]
fn a_full_disk_while_unpacking_is_told_as_such() {
    let it = Fixture::new();
    let store = it.store("http://127.0.0.1:1/debian");
    let error = store.or_no_space(
        &it.lock.kernels[0],
        UnpackError::Io {
            path: "/x".into(),
            source: io::ErrorKind::StorageFull.into(),
        },
    );
    assert!(
        error.to_string().starts_with("no space is left in "),
        "{error}"
    );
}
