use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::super::deb::tests::deb;
use super::super::lock::{Archive, Lock, LockedKernel};
use super::super::select::tests::stanza;
use super::fetch::{give_libraries, unpack};
use super::relock::headers_of;
use super::*;
use crate::digest::Sha256;

fn kernel(series: &str, release: &str, version: &str) -> LockedKernel {
    let sum = Sha256::of(b"");
    let text = stanza("linux-image", version, "", &sum, 3);
    let stanza = super::super::deb822::stanzas(&text).next().unwrap();
    LockedKernel {
        series: series.into(),
        release: release.into(),
        suite: "trixie".into(),
        archive: Archive::Debian,
        packages: vec![super::super::select::package(&stanza).unwrap()],
    }
}

fn list(packages: &[(&str, &str)]) -> String {
    let sum = Sha256::of(b"");
    let stanzas = packages
        .iter()
        .map(|(name, version)| stanza(name, version, "", &sum, 3));
    stanzas.collect()
}

#[test]
fn every_locked_series_has_headers_of_its_first_kernel() {
    let (kernels, headers) = (Lock::embedded().unwrap(), HeadersLock::embedded().unwrap());
    for series in kernels.series() {
        let first = kernels.of_series(series).next().unwrap();
        assert_eq!(headers.find(&first.release).unwrap().packages.len(), 3);
    }
    let again: HeadersLock = toml::from_str(&headers.to_toml()).unwrap();
    assert_eq!(again, headers);
    assert!(headers.find("1.2-cloud-amd64").is_err());
}

#[test]
fn headers_are_those_of_the_kernels_own_version_under_both_kinds_of_names() {
    let old = kernel("6.1", "6.1.0-56-cloud-amd64", "6.1.192-2");
    let new = kernel("7.2", "7.2.12+deb13-cloud-amd64", "7.2.12-1");
    let list = list(&[
        ("linux-headers-6.1.0-56-cloud-amd64", "6.1.192-2"),
        ("linux-headers-6.1.0-56-common", "6.1.192-2"),
        ("linux-kbuild-6.1", "6.1.180-1"),
        ("linux-kbuild-6.1", "6.1.192-2"),
        ("linux-headers-7.2.12+deb13-cloud-amd64", "7.2.12-1"),
        ("linux-headers-7.2.12+deb13-common", "7.2.12-1"),
        ("linux-kbuild-7.2.12+deb13", "7.2.12-1"),
    ]);
    let versions = |kernel: &LockedKernel| {
        let found = headers_of(&list, kernel)?;
        assert_eq!(found.release, kernel.release);
        let versions = found.packages.into_iter().map(|p| p.version);
        Some(versions.collect::<Vec<_>>())
    };
    assert_eq!(versions(&old), Some(vec!["6.1.192-2".to_owned(); 3]));
    assert_eq!(versions(&new), Some(vec!["7.2.12-1".to_owned(); 3]));
    // The programs of another version are none of its own.
    let newer = kernel("6.1", "6.1.0-56-cloud-amd64", "6.1.193-1");
    assert_eq!(versions(&newer), None);
}

#[test]
fn changes_are_told_kernel_by_kernel() {
    let old = HeadersLock::embedded().unwrap();
    let mut new = old.clone();
    assert_eq!(new.changes_since(&old), Vec::<String>::new());
    let gone = new.kernels.remove(0);
    new.libraries.clear();
    let told = format!("{} {}", gone.release, gone.version());
    assert_eq!(
        new.changes_since(&old),
        [format!("- {told}"), "~ the libraries".into()]
    );
    assert_eq!(old.changes_since(&new)[0], format!("+ {told}"));
}

#[test]
fn programs_run_with_the_libraries_that_were_locked_for_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it.deb");
    // In the place of the linker stands something that tells how it was called.
    let linker = b"#!/bin/sh\necho \"$@\"\n";
    let files: [(&str, &[u8]); 4] = [
        (
            "usr/lib/linux-kbuild-1/scripts/mod/modpost.real-lsb-64",
            b"P",
        ),
        (
            "usr/lib/linux-kbuild-1/tools/objtool/objtool.real-x86",
            b"O",
        ),
        ("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", linker),
        ("usr/share/doc/x", b"text"),
    ];
    fs::write(&path, deb(&files, "xz")).unwrap();
    let root = folder.path().join("root");
    unpack(&[path], &root).unwrap();
    give_libraries(&root).unwrap();
    assert!(!root.join("usr/share").exists());
    let linker = root.join("usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2");
    fs::set_permissions(linker, fs::Permissions::from_mode(0o755)).unwrap();
    let program = root.join("usr/lib/linux-kbuild-1/tools/objtool/objtool.real-x86");
    let output = std::process::Command::new(&program)
        .args(["a", "b c"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let wanted = format!("{}.bin a b c\n", program.display());
    assert!(said.starts_with("--library-path "), "{said}");
    assert!(said.ends_with(&wanted), "{said}");
}
