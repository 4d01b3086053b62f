//! The kernels as another crate sees them.

use execlab_vm::kernels::{RelockOptions, Store, StoreError};

/// A store in an empty cache, with a mirror that does not answer.
fn store(cache: &tempfile::TempDir) -> Store {
    let mirror = "http://127.0.0.1:1/debian".to_owned();
    Store::open(Some(cache.path().join("cache")), Some(mirror)).unwrap()
}

#[test]
fn every_listed_name_means_its_kernel() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(&cache);
    let rows = store.list();
    assert!(rows.len() >= 5);
    for row in rows {
        assert!(!row.cached);
        for name in [&row.name, &row.release] {
            let kernel = store.resolve(name).unwrap();
            assert_eq!(kernel.name(), name);
            let locked = kernel.locked().unwrap();
            assert_eq!(locked.release, row.release);
            assert_eq!(locked.download_size(), row.size);
        }
        assert_eq!(
            store.resolve(&row.series).unwrap().locked().unwrap().series,
            row.series
        );
    }
}

#[test]
fn errors_say_what_can_be_done() {
    let cache = tempfile::tempdir().unwrap();
    let store = store(&cache);
    let unknown = store.resolve("4.19").unwrap_err();
    assert_eq!(unknown.name, "4.19");
    assert!(unknown.series.contains(&"6.1".to_owned()));

    let kernel = store.resolve("6.1").unwrap();
    let error = store.fetch(&kernel, &mut |_| {}).unwrap_err();
    assert!(matches!(error, StoreError::Fetch { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("name another mirror with `--mirror URL`"),
        "{error}"
    );
}

/// Needs the network. Prints what `execlab kernels lock` would change today.
#[test]
#[ignore = "asks the package archive"]
fn the_archive_still_has_what_is_locked() {
    let cache = tempfile::tempdir().unwrap();
    let store = Store::open(Some(cache.path().join("cache")), None).unwrap();
    let relocked = store
        .relock(&RelockOptions::default(), &mut |suite| println!("{suite}"))
        .unwrap();
    for change in &relocked.changes {
        println!("{change}");
    }
    for note in &relocked.notes {
        println!("note: {note}");
    }
    assert_eq!(relocked.changes, []);
}
