use proptest::prelude::*;

use super::{written::write, *};

fn some_what() -> impl Strategy<Value = What> {
    let text = |most| proptest::collection::vec(1u8.., 0..most);
    prop_oneof![
        (proptest::collection::vec(any::<u8>(), 0..60), any::<u64>())
            .prop_map(|(raw, cgroup_id)| What::Sample { raw, cgroup_id }),
        (any::<bool>(), text(16)).prop_map(|(exec, name)| What::Comm { exec, name }),
        (any::<(u32, u32, u64)>(), text(90)).prop_map(|(file, path)| What::Mmap { file, path }),
        any::<[u32; 3]>().prop_map(|[pid, parent, tid]| What::Fork { pid, parent, tid }),
        any::<u32>().prop_map(|pid| What::Exit { pid }),
        any::<[u32; 3]>().prop_map(|[pid, mount, pids]| What::Namespaces { pid, mount, pids }),
        any::<u64>().prop_map(What::Lost),
        any::<u64>().prop_map(What::LostSamples),
        Just(What::Other),
    ]
}

proptest! {
    #[test]
    fn what_the_kernel_writes_is_read(
        time_ns in any::<u64>(), pid in any::<u32>(), tid in any::<u32>(), what in some_what()
    ) {
        let record = Record { time_ns, pid, tid, what };
        let (kind, misc, body) = write(&record);
        prop_assert_eq!(parse(kind, misc, &body), Some(record));
    }

    #[test]
    fn garbage_never_panics(
        kind in 0u32..24, misc in any::<u16>(), body in proptest::collection::vec(any::<u8>(), 0..140)
    ) {
        let _ = parse(kind, misc, &body);
    }
}

#[test]
fn a_record_without_its_end_is_none() {
    let record = Record {
        time_ns: 1,
        pid: 2,
        tid: 3,
        what: What::Fork {
            pid: 4,
            parent: 5,
            tid: 6,
        },
    };
    let (kind, misc, body) = write(&record);
    assert_eq!(parse(kind, misc, &body[..15]), None);
}
