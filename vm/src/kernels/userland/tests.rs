use std::path::{Path, PathBuf};

use super::super::deb::tests::deb;
use super::super::select::tests::stanza;
use super::fetch::{pick, target};
use super::relock::newest;
use super::*;
use crate::digest::Sha256;

#[test]
fn what_is_listed_is_locked_and_nothing_else() {
    let (sets, lock) = (sets().unwrap(), UserlandLock::embedded().unwrap());
    let locked: Vec<_> = lock.packages.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(locked, packages(&sets));
    assert_eq!(
        toml::from_str::<UserlandLock>(&lock.to_toml()).unwrap(),
        lock
    );
}

#[test]
fn changes_are_told_package_by_package() {
    let old = UserlandLock::embedded().unwrap();
    let mut new = old.clone();
    assert_eq!(new.changes_since(&old), Vec::<String>::new());
    let gone = new.packages.remove(0);
    "9".clone_into(&mut new.packages[0].version);
    let (name, was) = (&old.packages[1].name, &old.packages[1].version);
    assert_eq!(
        new.changes_since(&old),
        [
            format!("- {} {}", gone.name, gone.version),
            format!("~ {name} 9 (was {was})"),
        ]
    );
    assert_eq!(
        old.changes_since(&new)[0],
        format!("+ {} {}", gone.name, gone.version)
    );
}

#[test]
fn the_newest_package_of_exactly_that_name_is_taken() {
    let sum = Sha256::of(b"");
    let list = [("make", "4.3-4"), ("make-guile", "9"), ("make", "4.3-10")]
        .map(|(name, version)| stanza(name, version, "", &sum, 3))
        .concat();
    assert_eq!(newest(&list, "make").unwrap().version, "4.3-10");
    assert_eq!(newest(&list, "mak"), None);
}

#[test]
fn wanted_files_are_picked_and_what_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.deb");
    std::fs::write(&path, deb(&[("bin/a", b"A"), ("bin/b", b"B")], "xz")).unwrap();
    let picked = pick(&path, &["bin/b".into()]).unwrap().unwrap();
    let wanted = [("bin/b".to_owned(), Contents::File(0o644, b"B".to_vec()))];
    assert_eq!(picked, wanted.into());
    let lacks = pick(&path, &["bin/b".into(), "bin/c".into()]).unwrap();
    assert_eq!(lacks, Err(PathBuf::from("bin/c")));
}

#[test]
fn links_lead_from_where_they_are() {
    let lead = |link: &str, to: &str| target(Path::new(link), Path::new(to));
    assert_eq!(lead("bin/sh", "dash"), Path::new("bin/dash"));
    assert_eq!(lead("lib64/ld.so", "/lib/ld.so"), Path::new("lib/ld.so"));
    assert_eq!(lead("usr/lib/a", "../../lib/./b"), Path::new("lib/b"));
}
