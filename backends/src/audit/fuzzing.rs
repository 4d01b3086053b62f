//! What holds for any bytes from audit. Called by `fuzz/` alone.

use std::collections::BTreeMap;

use execlab_model::Bytes;

use super::{
    arguments::Arguments,
    assembler::Assembler,
    event::{Exec, Outcome},
    kernel_text::{Told, event},
    record::{self, Stamp, Value},
    rules::Rule,
    source::{self, Parser, Single, Source},
    when::When,
    wire::{HEADER, Message, Status, kind, request},
};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn check(input: &[u8]) -> bool {
    let Some((form, bytes)) = input.split_first() else {
        return false;
    };
    match form % 4 {
        0 => text(bytes),
        1 => datagram(bytes),
        2 => stream(bytes),
        _ => round_trip(bytes),
    }
}

/// Single records of `AppArmor` and of seccomp: what is told of them stands there, also behind a stamp. Gives whether it is an exec.
pub fn single(text: &[u8]) -> bool {
    let stamp = Stamp {
        millis: 1,
        serial: 2,
    };
    let readers = [super::apparmor::read, super::seccomp::read];
    let mut taken = false;
    for (kind, read) in [(kind::AVC, readers[0]), (kind::SECCOMP, readers[1])] {
        let told = read(stamp, text);
        let mut parser = Parser::new(Source::Single(Single { kind, read }), false);
        let mut outcomes = Vec::new();
        let stamped = [b"audit(0.001:2):", text].concat();
        parser.record(kind, &stamped, 0, |outcome| outcomes.push(outcome));
        let malformed = u64::from(told == source::Told::Malformed);
        assert_eq!(parser.malformed(), malformed);
        match told {
            source::Told::Exec(exec) => {
                let path = exec.path.as_ref().map_or(0, |path| path.as_slice().len());
                assert!(path <= text.len());
                assert_eq!(outcomes, [Outcome::Exec(exec)]);
                taken = true;
            }
            source::Told::Other | source::Told::Malformed => assert!(outcomes.is_empty()),
        }
    }
    taken
}

/// The text of a record: fields are parts of it, one behind the other, and no value is longer than what
/// stands there.
fn text(text: &[u8]) -> bool {
    let mut left = text.len();
    let mut fields = text;
    let stamp = record::stamp(text);
    if let Some((stamp, rest)) = stamp {
        assert!(text.ends_with(rest));
        fields = rest;
        let when = When::now();
        let (time, tolerance) = when.at(stamp, u64::MAX);
        assert!(tolerance <= 2 * when.tick_ns() + 2_000_000);
        let _ = time;
    }
    for (name, value) in record::fields(fields) {
        let used = name.len() + 1 + value.written();
        assert!(used <= left, "fields that overlap");
        left -= used;
        let string = value.string();
        if let Some(string) = &string {
            let bytes = match value {
                Value::Quoted(bytes) => bytes.to_vec(),
                Value::Bare(digits) => from_hex(digits),
            };
            assert_eq!(string.as_slice(), bytes);
        }
        if let Some(number) = value.number::<u64>() {
            assert_eq!(value.number(), u32::try_from(number).ok());
        }
        let _ = (record::argument(name), value.path(), value.device());
        let _ = value.hex_number();
    }
    let mut arguments = Arguments::default();
    arguments.take(fields);
    let whole = arguments.is_whole();
    let (list, joined_whole) = arguments.join();
    assert_eq!(whole, joined_whole);
    assert!(size(list.as_deref().unwrap_or_default()) <= text.len());
    stamp.is_some()
}

/// What two hexadecimal digits each stand for, by the standard library.
fn from_hex(digits: &[u8]) -> Vec<u8> {
    let digits = str::from_utf8(digits).expect("digits are ASCII");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits"))
        .collect()
}

fn size(list: &[Bytes]) -> usize {
    list.iter().map(|bytes| bytes.as_slice().len()).sum()
}

/// A datagram: whole whatever its own length says; a status and a rule that are read are written as they were.
fn datagram(bytes: &[u8]) -> bool {
    let Some(message) = Message::parse(bytes) else {
        assert!(bytes.len() < HEADER);
        return false;
    };
    assert_eq!(message.payload.len(), bytes.len() - HEADER);
    assert!(message.errno().is_none_or(|errno| errno >= 0));
    let again = request(message.kind, 0, message.sequence, message.payload);
    assert_eq!(Message::parse(&again), Some(message));
    let status = Status::parse(message.payload);
    let written = status.to_bytes();
    assert_eq!(Status::parse(&written), status);
    let same = written.len().min(message.payload.len()) / 4 * 4;
    assert_eq!(written[..same], message.payload[..same]);
    let rule = Rule::parse(message.payload);
    if let Some(rule) = &rule {
        assert!(rule.to_bytes().len() <= message.payload.len());
        assert_eq!(Rule::parse(&rule.to_bytes()), Some(rule.clone()));
        assert!(rule.same(&rule.clone().kept()));
        let _ = (rule.may_be_ours(), rule.blinds());
    }
    message.kind != kind::LIST_RULES || rule.is_some()
}

/// Records of any events: each event comes to one end, and what comes between its records changes nothing.
fn stream(bytes: &[u8]) -> bool {
    let mut execs = 0;
    let records: Vec<(u16, &[u8])> = bytes
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let (first, text) = line.split_first()?;
            let kinds = [kind::SYSCALL, kind::EXECVE, kind::PATH, kind::EOE];
            // A digit or letter tells the kind, so that seeds can be read.
            Some((kinds[usize::from(*first) % 4], text))
        })
        .collect();
    for paths in [true, false] {
        let together = outcomes(paths, &records);
        let mut apart = BTreeMap::<Option<(u64, u32)>, Vec<(u16, &[u8])>>::new();
        for &(kind, text) in &records {
            let stamp = record::stamp(text).map(|(stamp, _)| (stamp.millis, stamp.serial));
            apart.entry(stamp).or_default().push((kind, text));
        }
        let whole = |outcome: &&Outcome| matches!(outcome, Outcome::Exec(exec) if !exec.incomplete);
        execs += together.iter().filter(whole).count();
        let one_by_one = apart.values().flat_map(|records| outcomes(paths, records));
        assert_eq!(sorted(together), sorted(one_by_one));
    }
    execs > 0
}

fn outcomes(paths: bool, records: &[(u16, &[u8])]) -> Vec<Outcome> {
    let mut assembler = Assembler::new(paths);
    let mut outcomes = Vec::new();
    let mut came = 0;
    for &(kind, text) in records {
        came += text.len();
        assembler.record(kind, text, 1, |outcome| outcomes.push(outcome));
        assert!(assembler.open() + outcomes.len() <= records.len());
    }
    assembler.close_idle(u64::MAX, |outcome| outcomes.push(outcome));
    assert_eq!(assembler.open(), 0);
    assert!(assembler.malformed() <= records.len() as u64);
    let told: usize = outcomes.iter().map(told).sum();
    assert!(told <= came, "more than came");
    outcomes
}

fn told(outcome: &Outcome) -> usize {
    let Outcome::Exec(exec) = outcome else {
        return 0;
    };
    let Exec {
        path, given, argv, ..
    } = exec.as_ref();
    let one = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, |bytes| bytes.as_slice().len());
    one(path) + one(given) + size(argv.as_deref().unwrap_or_default())
}

fn sorted(outcomes: impl IntoIterator<Item = Outcome>) -> Vec<String> {
    let mut all: Vec<String> = outcomes.into_iter().map(|o| format!("{o:?}")).collect();
    all.sort();
    all
}

/// An exec as the kernel writes it, its records in any rotation: read whole. With one of them lost: either the
/// same, or known not to be.
fn round_trip(bytes: &[u8]) -> bool {
    let Some(([room, turn, lost, serial], texts)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    let mut texts = texts.split(|&byte| byte == 0).map(<[u8]>::to_vec);
    let path = [&b"/"[..], &texts.next().unwrap_or_default()].concat();
    let given = texts.next().unwrap_or_default();
    let mut argv: Vec<Vec<u8>> = texts.take(20).collect();
    if argv.is_empty() {
        // The kernel puts an empty one where there is none.
        argv.push(Vec::new());
    }
    let story = Told {
        millis: 1_770_000_000_123,
        serial: (*serial).into(),
        pid: 77,
        exe: path.clone(),
        given: given.clone(),
        argv: argv.clone(),
    };
    let mut records = event(&story, usize::from(*room) + 1);
    let turn = usize::from(*turn) % records.len();
    records.rotate_left(turn);
    let whole = Exec {
        stamp: Stamp {
            millis: story.millis,
            serial: story.serial,
        },
        pid: 77,
        ppid: Some(7),
        uid: Some(0),
        path: Some(path.into()),
        given: Some(given.into()),
        file: Some((libc::makedev(0, 2), 12)),
        argv: Some(argv.into_iter().map(Bytes::from).collect()),
        truncated: false,
        incomplete: false,
    };
    let all: Vec<(u16, &[u8])> = records.iter().map(|(k, t)| (*k, &t[..])).collect();
    assert_eq!(
        outcomes(true, &all),
        [Outcome::Exec(Box::new(whole.clone()))]
    );
    let mut some = all;
    some.remove(usize::from(*lost) % some.len());
    for outcome in outcomes(true, &some) {
        if let Outcome::Exec(exec) = outcome
            && *exec != whole
        {
            assert!(exec.incomplete || exec.truncated, "a gap that nobody tells");
        }
    }
    true
}
