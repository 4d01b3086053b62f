//! Writes records as the kernel does, for tests and fuzzers.

/// `audit_log_untrustedstring`.
pub fn untrusted(bytes: &[u8]) -> Vec<u8> {
    if must_be_hex(bytes) {
        hex(bytes)
    } else {
        [b"\"", bytes, b"\""].concat()
    }
}

fn must_be_hex(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .any(|&b| b == b'"' || !(0x21..=0x7e).contains(&b))
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|b| format!("{b:02X}").into_bytes())
        .collect()
}

/// `audit_log_execve_info`, with `room` bytes of arguments to a record instead of 7,500: the fields
/// of each EXECVE record. Like the kernel it never puts more into a record than fits, and splits an
/// argument where the record is full.
pub fn execve(argv: &[Vec<u8>], room: usize) -> Vec<Vec<u8>> {
    let mut records = vec![format!(" argc={}", argv.len()).into_bytes()];
    let mut left = room;
    for (n, argument) in argv.iter().enumerate() {
        let encode = must_be_hex(argument);
        let width = if encode { 2 } else { 1 };
        let mut rest = &argument[..];
        let mut part = 0;
        loop {
            if left < width {
                records.push(Vec::new());
                left = room.max(width);
            }
            let record = records.last_mut().expect("there is one");
            let fits = rest.len().min(left / width);
            if part == 0 && fits == rest.len() {
                record.extend_from_slice(format!(" a{n}=").as_bytes());
            } else {
                if part == 0 {
                    let length = argument.len() * width;
                    record.extend_from_slice(format!(" a{n}_len={length}").as_bytes());
                }
                record.extend_from_slice(format!(" a{n}[{part}]=").as_bytes());
            }
            let (now, later) = rest.split_at(fits);
            if encode {
                record.extend_from_slice(&hex(now));
            } else {
                record.push(b'"');
                record.extend_from_slice(now);
                record.push(b'"');
            }
            left = left.saturating_sub(fits * width + 2);
            rest = later;
            part += 1;
            if rest.is_empty() {
                break;
            }
        }
    }
    records
}

/// What a made-up event is about.
#[derive(Debug, Clone)]
pub struct Told {
    pub millis: u64,
    pub serial: u32,
    pub pid: u32,
    pub exe: Vec<u8>,
    pub given: Vec<u8>,
    pub argv: Vec<Vec<u8>>,
}

/// All records of a successful `execve`, with their types, in the kernel's order.
pub fn event(told: &Told, room: usize) -> Vec<(u16, Vec<u8>)> {
    use super::wire::kind;
    let stamp = format!(
        "audit({}.{:03}:{}): ",
        told.millis / 1000,
        told.millis % 1000,
        told.serial
    );
    let record = |kind, rest: &[u8]| (kind, [stamp.as_bytes(), rest].concat());
    let exe = untrusted(&told.exe);
    let pid = told.pid;
    let mut syscall = format!(
        "arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=8 items=2 ppid=7 pid={pid} \
         auid=4294967295 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) \
         ses=4294967295 comm=\"x\" exe="
    )
    .into_bytes();
    syscall.extend_from_slice(&exe);
    syscall.extend_from_slice(b" subj=unconfined key=\"execlab\"");
    let mut item = b"item=0 name=".to_vec();
    item.extend_from_slice(&untrusted(&told.given));
    item.extend_from_slice(
        b" inode=12 dev=00:02 mode=0100755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0",
    );
    let mut all = vec![record(kind::SYSCALL, &syscall)];
    for fields in execve(&told.argv, room) {
        all.push(record(kind::EXECVE, &fields));
    }
    all.push(record(kind::CWD, b"cwd=\"/\""));
    all.push(record(kind::PATH, &item));
    all.push(record(
        kind::PATH,
        b"item=1 name=\"/l\" inode=9 dev=00:02 mode=0120777 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL",
    ));
    all.push(record(kind::PROCTITLE, b"proctitle=2E2F78"));
    all.push(record(kind::EOE, b""));
    all
}
