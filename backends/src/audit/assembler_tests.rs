//! Tests of the assembly: records of real kernels, and any order of made-up ones.

use execlab_model::Bytes;
use proptest::prelude::*;

use super::*;
use crate::audit::{
    event::Exec,
    kernel_text::{Told, event},
    record::Stamp,
};

/// What comes of records, with the events that are not over at the end closed as idle.
fn assemble<'a>(records: impl IntoIterator<Item = (u16, &'a [u8])>) -> Vec<Outcome> {
    let mut assembler = Assembler::new(true);
    let mut outcomes = Vec::new();
    for (kind, text) in records {
        assembler.record(kind, text, 1, |o| outcomes.push(o));
    }
    assembler.close_idle(1, |o| outcomes.push(o));
    assert_eq!(assembler.open(), 0);
    assert_eq!(assembler.malformed(), 0);
    outcomes
}

/// Records as `ausearch --raw` prints them, one a line.
fn lines(text: &str) -> Vec<(u16, &[u8])> {
    text.lines()
        .map(|line| {
            let (kind, rest) = line.trim().split_once(' ').unwrap();
            (kind.parse().unwrap(), rest.as_bytes())
        })
        .collect()
}

fn exec(outcomes: &[Outcome]) -> &Exec {
    match outcomes {
        [Outcome::Exec(exec)] => exec,
        other => panic!("not one exec: {other:?}"),
    }
}

fn list(strings: &[&str]) -> Vec<Bytes> {
    strings.iter().map(|s| Bytes::from(*s)).collect()
}

/// Relative, on Debian: TOMOYO's look-up is item 1, the interpreter item 2.
const RELATIVE: &str = r#"1300 audit(1770000000.120:41): arch=c000003e syscall=59 success=yes exit=0 a0=55d0a8 a1=55d0b0 a2=7ffc00 a3=8 items=3 ppid=311 pid=312 auid=4294967295 uid=1000 gid=1000 euid=1000 suid=1000 fsuid=1000 egid=1000 sgid=1000 fsgid=1000 tty=(none) ses=4294967295 comm="t64" exe="/bin/t64" subj=unconfined key="execlab"
1309 audit(1770000000.120:41): argc=3 a0="./t64" a1=74776F20776F726473 a2=6F6E6520
1307 audit(1770000000.120:41): cwd="/bin"
1302 audit(1770000000.120:41): item=0 name="./t64" inode=1042 dev=00:02 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0
1302 audit(1770000000.120:41): item=1 name="./t64" inode=1042 dev=00:02 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0
1302 audit(1770000000.120:41): item=2 name="/lib64/ld-linux-x86-64.so.2" inode=77 dev=00:02 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0
1327 audit(1770000000.120:41): proctitle=2E2F743634006F6E6520
1320 audit(1770000000.120:41): "#;

#[test]
fn a_relative_exec_on_debian() {
    let outcomes = assemble(lines(RELATIVE));
    assert_eq!(
        *exec(&outcomes),
        Exec {
            stamp: Stamp {
                millis: 1_770_000_000_120,
                serial: 41
            },
            pid: 312,
            ppid: Some(311),
            uid: Some(1000),
            path: Some("/bin/t64".into()),
            given: Some("./t64".into()),
            file: Some((2, 1042)),
            argv: Some(list(&["./t64", "two words", "one "])),
            truncated: false,
            incomplete: false,
        }
    );
}

#[test]
fn an_unlinked_file_without_a_name_called_by_descriptor() {
    // `exe` in hexadecimal for its space, empty PATH name, 32-bit caller, `(null)` key.
    let outcomes = assemble(lines(
        r#"1300 audit(1.000:1): arch=40000003 syscall=358 success=yes exit=0 a0=6 a1=8 a2=9 a3=0 items=1 ppid=1 pid=2 auid=0 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=1 comm="6" exe=2F772F64656C3634202864656C6574656429 key=(null)
1309 audit(1.000:1): argc=1 a0=""
1302 audit(1.000:1): item=0 name="" inode=5 dev=fe:01 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL
1320 audit(1.000:1): "#,
    ));
    let exec = exec(&outcomes);
    assert_eq!(exec.path, Some("/w/del64 (deleted)".into()));
    assert_eq!(exec.given, Some("".into()));
    assert_eq!(exec.argv, Some(list(&[""])));
    assert_eq!(exec.file, Some((libc::makedev(0xfe, 1), 5)));
}

#[test]
fn a_path_that_the_kernel_could_not_write_is_absent_and_marked() {
    let outcomes = assemble(lines(
        r#"1300 audit(1.000:1): arch=c000003e syscall=59 success=yes exit=0 items=0 ppid=1 pid=2 uid=0 comm="x" exe="<too_long>"
1309 audit(1.000:1): argc=1 a0="x"
1320 audit(1.000:1): "#,
    ));
    let exec = exec(&outcomes);
    assert_eq!((&exec.path, exec.truncated), (&None, true));
    assert!(!exec.incomplete);
}

#[test]
fn calls_that_executed_nothing_are_no_execs() {
    let failed = r#"1300 audit(1.000:1): arch=c000003e syscall=59 success=no exit=-2 items=1 ppid=1 pid=2 uid=0 comm="x" exe="/bin/sh"
1307 audit(1.000:1): cwd="/"
1302 audit(1.000:1): item=0 name="/none" nametype=UNKNOWN cap_fp=0
1320 audit(1.000:1): "#;
    assert_eq!(assemble(lines(failed)), [Outcome::Failed]);
    let check = failed
        .replace("=59 success=no exit=-2", "=322 success=yes exit=0")
        .replace("nametype=UNKNOWN", "inode=1 dev=00:02 nametype=NORMAL");
    assert_eq!(assemble(lines(&check)), [Outcome::Check]);
    // The rule of somebody else who watches socket calls.
    let other = failed.replace("syscall=59 success=no", "syscall=41 success=yes");
    assert_eq!(assemble(lines(&other)), [Outcome::Other]);
    // x32 numbers its calls from bit 30 and is never matched.
    let x32 = failed.replace("syscall=59", "syscall=1073742344");
    assert_eq!(assemble(lines(&x32)), [Outcome::Other]);
}

#[test]
fn what_is_missing_decides_what_is_lost() {
    let all = lines(RELATIVE);
    let without = |kind| assemble(all.iter().copied().filter(move |(k, _)| *k != kind));
    let stamp = exec(&assemble(all.iter().copied())).stamp;
    assert_eq!(without(kind::SYSCALL), [Outcome::LostExec(stamp)]);
    // An execve that succeeded is an exec even without its arguments.
    let no_arguments = without(kind::EXECVE);
    let exec_without = exec(&no_arguments);
    assert_eq!(exec_without.argv, None);
    assert!(exec_without.truncated && exec_without.incomplete);
    let no_path = without(kind::PATH);
    assert!(exec(&no_path).incomplete && exec(&no_path).given.is_none());
    // Without its end an event waits and is then closed, whole as it is.
    let no_end = without(kind::EOE);
    assert!(!exec(&no_end).incomplete);
    assert_eq!(
        assemble(all.iter().copied().filter(|(k, _)| *k == kind::EOE)),
        [Outcome::LostEvent(stamp)]
    );
}

#[test]
fn excluded_path_records_are_not_missed() {
    let mut assembler = Assembler::new(false);
    let mut outcomes = Vec::new();
    for (kind, text) in lines(RELATIVE) {
        if kind != kind::PATH {
            assembler.record(kind, text, 1, |o| outcomes.push(o));
        }
    }
    assert!(!exec(&outcomes).incomplete);
}

#[test]
fn an_event_without_end_leaves_a_full_table_oldest_first() {
    let mut assembler = Assembler::new(true);
    let mut outcomes = Vec::new();
    let most = u32::try_from(MOST_OPEN).unwrap();
    for serial in 0..=most {
        let text = format!("audit(1.000:{serial}): argc=1 a0=\"x\"");
        assembler.record(kind::EXECVE, text.as_bytes(), 1, |o| outcomes.push(o));
    }
    let oldest = Stamp {
        millis: 1000,
        serial: 0,
    };
    assert_eq!(outcomes, [Outcome::LostExec(oldest)]);
    assert_eq!(assembler.open(), MOST_OPEN);
}

fn any_told() -> impl Strategy<Value = Vec<(Told, usize)>> {
    let bytes = || proptest::collection::vec(1u8.., 1..30);
    let argv = proptest::collection::vec(proptest::collection::vec(1u8.., 0..30), 1..6);
    let told = (any::<u16>(), bytes(), bytes(), argv, 1usize..80);
    proptest::collection::vec(told, 1..8).prop_map(|all| {
        all.into_iter()
            .enumerate()
            .map(|(serial, (pid, mut exe, given, argv, room))| {
                exe.insert(0, b'/');
                let told = Told {
                    millis: 5_000,
                    serial: u32::try_from(serial).unwrap(),
                    pid: pid.into(),
                    exe,
                    given,
                    argv,
                };
                (told, room)
            })
            .collect()
    })
}

fn expected(told: &Told) -> Outcome {
    Outcome::Exec(Box::new(Exec {
        stamp: Stamp {
            millis: told.millis,
            serial: told.serial,
        },
        pid: told.pid,
        ppid: Some(7),
        uid: Some(0),
        path: Some(Bytes(told.exe.clone())),
        given: Some(Bytes(told.given.clone())),
        file: Some((2, 12)),
        argv: Some(told.argv.iter().cloned().map(Bytes).collect()),
        truncated: false,
        incomplete: false,
    }))
}

fn by_serial(outcomes: &mut [Outcome]) {
    outcomes.sort_by_key(|o| match o {
        Outcome::Exec(exec) => exec.stamp.serial,
        other => panic!("no exec: {other:?}"),
    });
}

proptest! {
    #[test]
    fn any_interleaving_assembles_the_same(
        told in any_told(), picks in proptest::collection::vec(any::<prop::sample::Index>(), 200),
    ) {
        let mut queues: Vec<_> = told
            .iter()
            .map(|(told, room)| event(told, *room).into_iter())
            .collect();
        let mut mixed = Vec::new();
        let mut picks = picks.iter().cycle();
        while !queues.is_empty() {
            let at = picks.next().unwrap().index(queues.len());
            match queues[at].next() {
                Some(record) => mixed.push(record),
                None => drop(queues.remove(at)),
            }
        }
        let mut outcomes = assemble(mixed.iter().map(|(k, t)| (*k, &t[..])));
        by_serial(&mut outcomes);
        let all: Vec<_> = told.iter().map(|(t, _)| expected(t)).collect();
        prop_assert_eq!(outcomes, all);
    }

    /// What the kernel's hold queue does: the back half of an event overtakes the front half.
    #[test]
    fn halves_that_were_swapped_still_make_one_event(
        told in any_told(), cut in any::<prop::sample::Index>(),
    ) {
        for (told, room) in &told {
            let mut records = event(told, *room);
            let cut = cut.index(records.len());
            records.rotate_left(cut);
            let outcomes = assemble(records.iter().map(|(k, t)| (*k, &t[..])));
            prop_assert_eq!(outcomes, [expected(told)]);
        }
    }

    #[test]
    fn a_lost_record_never_makes_a_wrong_exec(
        told in any_told(), lost in any::<prop::sample::Index>(),
    ) {
        for (told, room) in &told {
            let mut records = event(told, *room);
            let (kind, _) = records.remove(lost.index(records.len()));
            let outcomes = assemble(records.iter().map(|(k, t)| (*k, &t[..])));
            prop_assert_eq!(outcomes.len(), 1);
            match &outcomes[0] {
                Outcome::Exec(exec) => {
                    prop_assert_eq!(exec.pid, told.pid);
                    prop_assert_eq!(exec.path.as_ref().unwrap().as_slice(), &told.exe[..]);
                    prop_assert_eq!(exec.truncated, kind == kind::EXECVE);
                }
                lost => prop_assert!(kind == kind::SYSCALL && matches!(lost, Outcome::LostExec(_))),
            }
        }
    }

    #[test]
    fn garbage_is_never_a_panic(
        records in proptest::collection::vec(
            (1299u16..1330, r"(audit\([0-9]{1,3}\.[0-9]{3}:[0-9]{1,2}\): )?[ -~]{0,60}"), 0..40),
    ) {
        let mut assembler = Assembler::new(true);
        let mut closed = 0;
        for (kind, text) in &records {
            assembler.record(*kind, text.as_bytes(), 1, |_| closed += 1);
        }
        assembler.close_idle(1, |_| closed += 1);
        prop_assert!(closed <= records.len());
        prop_assert_eq!(assembler.open(), 0);
    }
}
