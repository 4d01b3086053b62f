//! Text from the kernel: `/proc`, cgroups, the scheduler's statistics.

use execlab_backends::procfs_lookup::{
    fuzzing,
    parse::{self, Image, Stat, Status},
};
use execlab_model::sighting::Argv;

/// One form, by the first byte. Gives whether its reader took the input.
pub fn run(input: &[u8]) -> bool {
    let Some((form, raw)) = input.split_first() else {
        return false;
    };
    match form % 8 {
        0 => stat(raw),
        1 => status(raw),
        2 => cmdline(raw),
        3 => small(raw),
        4 => fuzzing::listing(raw),
        5 => execlab_workloads::fuzzing::schedstat(raw),
        6 => told_stat(raw),
        _ => str::from_utf8(raw).is_ok_and(execlab_trial::fuzzing::counters),
    }
}

/// The name is what stands in parentheses, whatever it holds.
fn stat(raw: &[u8]) -> bool {
    execlab_trial::fuzzing::kernel_thread_name(raw);
    let Some(stat) = Stat::parse(raw) else {
        return false;
    };
    assert!(raw.windows(stat.comm.len() + 2).any(|part| {
        part.first() == Some(&b'(')
            && part.last() == Some(&b')')
            && part[1..part.len() - 1] == *stat.comm
    }));
    assert!(!(stat.unfinished() && stat.ended()));
    let _ = (stat.forked_only(), stat.kernel_thread());
    true
}

/// A name that holds anything, and any numbers, come back from where the kernel puts them.
fn told_stat(raw: &[u8]) -> bool {
    let Some((numbers, comm)) = raw.split_first_chunk::<48>() else {
        return false;
    };
    let number = |at: usize| {
        let bytes = numbers[8 * at..8 * at + 8].try_into().expect("8 bytes");
        u64::from_ne_bytes(bytes)
    };
    let ppid = u32::try_from(number(0) >> 32).expect("the upper half");
    let mut fields = [0; 53];
    fields[4] = u64::from(ppid);
    for (at, field) in [(1, 22), (2, 26), (3, 28), (4, 48), (5, 49)] {
        fields[field] = number(at);
    }
    let mut line = b"4242 (".to_vec();
    line.extend_from_slice(comm);
    line.extend_from_slice(b") S");
    for field in &fields[4..] {
        line.extend_from_slice(format!(" {field}").as_bytes());
    }
    line.push(b'\n');
    let stat = Stat::parse(&line).expect("it was written as the kernel does");
    assert_eq!((stat.comm, stat.ppid), (comm, ppid));
    let image = Image {
        start_code: number(2),
        start_stack: number(3),
        arguments: (number(4), number(5)),
    };
    assert_eq!((stat.start_ticks, stat.image), (number(1), image));
    true
}

/// What is told is written there.
fn status(raw: &[u8]) -> bool {
    let status = Status::parse(raw);
    let text = String::from_utf8_lossy(raw);
    for number in [status.ppid, status.uid, status.ns_pid] {
        assert!(number.is_none_or(|number| text.contains(&number.to_string())));
    }
    // Lines of another meaning before it change nothing, as long as none of them is one of ours.
    let before = [b"Name:\tx\nState:\tS\n", raw].concat();
    assert_eq!(Status::parse(&before), status);
    status.ppid.is_some() && status.uid.is_some() && status.ns_pid.is_some()
}

/// Arguments joined again are what stood there.
fn cmdline(raw: &[u8]) -> bool {
    let Some(argv) = parse::cmdline(raw) else {
        assert!(raw.is_empty());
        return false;
    };
    let Argv::List(list) = argv else {
        panic!("a list has boundaries");
    };
    let joined: Vec<u8> = list
        .iter()
        .flat_map(|a| [a.as_slice(), &[0]].concat())
        .collect();
    let ended = if raw.ends_with(&[0]) {
        raw.to_vec()
    } else {
        [raw, &[0]].concat()
    };
    assert_eq!(joined, ended);
    true
}

/// The small files: a path, an inode, a number.
fn small(raw: &[u8]) -> bool {
    let path = parse::cgroup(raw);
    if let Some(path) = path {
        assert!(!path.is_empty() && !path.contains(&b'\n'));
    }
    let text = String::from_utf8_lossy(raw);
    let numbers = [parse::namespace(raw), parse::last_pid(raw)];
    for number in numbers.into_iter().flatten() {
        assert!(text.contains(&number.to_string()));
    }
    let number = fuzzing::decimal(raw);
    let theirs = str::from_utf8(raw)
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    if raw.first() != Some(&b'+') {
        assert_eq!(number, theirs, "a number as the standard library reads it");
    }
    path.is_some() || number.is_some() || numbers.iter().any(Option::is_some)
}
