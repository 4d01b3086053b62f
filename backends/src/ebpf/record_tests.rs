use proptest::prelude::*;

use super::*;

fn path_of(leaf_to_root: &[u8], flags: u32) -> Option<Bytes> {
    let bytes = record(leaf_to_root, b"", b"", flags);
    Record::decode(&bytes).unwrap().path()
}

#[test]
fn every_field_arrives_in_its_place() {
    let bytes = record(b"x\0bin\0", b"./x\0", b"x\0\0a b\0", 0);
    assert_eq!(
        Record::decode(&bytes).unwrap().sighting(99),
        Sighting {
            pid: Some(5),
            ns_pid: Some(6),
            ppid: Some(7),
            uid: Some(8),
            time_ns: Some(1),
            time_tolerance_ns: 0,
            received_ns: 99,
            path: Some("/bin/x".into()),
            given: Some("./x".into()),
            argv: Some(Argv::List(vec!["x".into(), "".into(), "a b".into()])),
            truncated: false,
            file: Some((libc::makedev(8, 11), 3)),
            container: ContainerHint {
                cgroup: None,
                cgroup_id: Some(2),
                mnt_ns: Some(9),
                pid_ns: Some(10),
            },
        }
    );
}

#[test]
fn files_without_a_place_are_spelled_as_the_kernel_spells_them() {
    assert_eq!(
        path_of(b"memfd:x\0", DISCONNECTED),
        Some("/memfd:x (deleted)".into())
    );
    assert_eq!(path_of(b"x\0d\0", DELETED), Some("/d/x (deleted)".into()));
    assert_eq!(path_of(b"x\0d\0/\0", DISCONNECTED), Some("/d/x".into()));
}

#[test]
fn a_cut_path_is_a_suffix_that_claims_no_root() {
    assert_eq!(path_of(b"x\0d\0", PATH_CUT), Some("d/x".into()));
}

#[test]
fn what_could_not_be_read_is_absent() {
    assert_eq!(path_of(b"x\0", PATH_UNREADABLE), None);
    assert_eq!(path_of(b"", 0), None);
    let bytes = record(b"x\0", b"", b"zzzz", ARGV_UNREADABLE);
    let record = Record::decode(&bytes).unwrap();
    assert_eq!((record.given(), record.argv()), (None, None));
}

#[test]
fn an_empty_first_argument_is_one_argument() {
    let bytes = record(b"x\0", b"x\0", b"\0", 0);
    let argv = Record::decode(&bytes).unwrap().argv();
    assert_eq!(argv, Some(Argv::List(vec!["".into()])));
}

#[test]
fn a_path_from_the_kernel_is_taken_as_it_is() {
    assert_eq!(
        path_of(b"/d/x (deleted)\0", PATH_WHOLE),
        Some("/d/x (deleted)".into())
    );
    assert_eq!(path_of(b"", PATH_WHOLE), None);
    assert_eq!(path_of(b"", PATH_WHOLE | PATH_UNREADABLE), None);
}

#[test]
fn what_is_known_only_as_given_is_path_and_perhaps_first_argument() {
    let bytes = record(b"", b"./x\0", b"a\0", PATH_GIVEN | ARGV0_GIVEN | NO_FILE);
    let sighting = Record::decode(&bytes).unwrap().sighting(0);
    assert_eq!(sighting.path, Some("./x".into()));
    assert_eq!(sighting.given, Some("./x".into()));
    assert_eq!(sighting.file, None);
    assert_eq!(
        sighting.argv,
        Some(Argv::List(vec!["./x".into(), "a".into()]))
    );
    let bytes = record(b"", b"", b"", PATH_GIVEN | ARGV0_GIVEN);
    let nothing = Record::decode(&bytes).unwrap().sighting(0);
    assert_eq!((nothing.path, nothing.argv), (None, None));
}

#[test]
fn strings_behind_the_arguments_are_none_of_them() {
    let strings = |text: &[u8], argc: u32| {
        let bytes = record(b"x\0", b"", text, argc << ARGC_SHIFT);
        let sighting = Record::decode(&bytes).unwrap().sighting(0);
        (sighting.argv.unwrap(), sighting.truncated)
    };
    let list = |list: &[&str]| Argv::List(list.iter().map(|&a| a.into()).collect());
    assert_eq!(strings(b"x\0a\0A=1\0", 2), (list(&["x", "a"]), false));
    assert_eq!(strings(b"\0A=1\0", 1), (list(&[""]), false));
    assert_eq!(strings(b"x\0ab", 2), (list(&["x", "ab"]), true));
    assert_eq!(strings(b"x\0", 2), (list(&["x"]), true));
}

#[test]
fn lengths_beyond_the_record_are_refused() {
    let mut bytes = record(b"x\0", b"", b"", 0);
    bytes[64..68].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert!(Record::decode(&bytes).is_err());
}

fn component() -> impl Strategy<Value = Vec<u8>> {
    let byte = any::<u8>().prop_filter("in a name", |&b| b != 0 && b != b'/');
    proptest::collection::vec(byte, 1..20)
}

proptest! {
    #[test]
    fn any_path_survives_the_way_from_leaf_to_root_and_back(
        components in proptest::collection::vec(component(), 1..50),
    ) {
        let mut leaf_to_root = Vec::new();
        let mut expected = Vec::new();
        for component in components.iter().rev() {
            leaf_to_root.extend_from_slice(component);
            leaf_to_root.push(0);
        }
        for component in &components {
            expected.push(b'/');
            expected.extend_from_slice(component);
        }
        prop_assert_eq!(path_of(&leaf_to_root, 0), Some(expected.into()));
    }

    #[test]
    fn any_arguments_survive(
        argv in proptest::collection::vec(proptest::collection::vec(1u8.., 0..20), 1..20),
    ) {
        let mut raw = Vec::new();
        for argument in &argv {
            raw.extend_from_slice(argument);
            raw.push(0);
        }
        let bytes = record(b"x\0", b"x\0", &raw, 0);
        let expected = argv.into_iter().map(Bytes).collect();
        prop_assert_eq!(Record::decode(&bytes).unwrap().argv(), Some(Argv::List(expected)));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(record) = Record::decode(&bytes) {
            let _ = record.sighting(0);
        }
    }

    #[test]
    fn hostile_texts_and_flags_never_panic(
        path in proptest::collection::vec(prop_oneof![Just(0u8), Just(b'/'), any::<u8>()], 0..40),
        given in proptest::collection::vec(any::<u8>(), 0..40),
        argv in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 0..40),
        flags in any::<u32>(),
    ) {
        let bytes = record(&path, &given, &argv, flags);
        let _ = Record::decode(&bytes).unwrap().sighting(0);
    }

    #[test]
    fn a_record_that_is_cut_short_is_refused(cut in any::<prop::sample::Index>()) {
        let bytes = record(b"x\0bin\0", b"./x\0", b"x\0", 0);
        prop_assert!(Record::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn padding_changes_nothing(padding in proptest::collection::vec(any::<u8>(), 0..16)) {
        let bytes = record(b"x\0bin\0", b"./x\0", b"x\0", 0);
        let mut padded = bytes.clone();
        padded.extend_from_slice(&padding);
        prop_assert_eq!(Record::decode(&padded), Record::decode(&bytes));
    }
}
