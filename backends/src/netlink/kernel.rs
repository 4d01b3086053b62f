//! What the kernel does with the connector, for tests and fuzzers.

/// An event of the proc connector as a kernel of 6.5 lays it out: what happened, its data, when, and whose
/// request it answers.
pub fn message(what: u32, data: [u32; 2], time: u64, ack: u32) -> Vec<u8> {
    let mut raw = vec![0; 76];
    raw[0..4].copy_from_slice(&76u32.to_ne_bytes());
    raw[16..20].copy_from_slice(&1u32.to_ne_bytes());
    raw[20..24].copy_from_slice(&1u32.to_ne_bytes());
    raw[28..32].copy_from_slice(&ack.to_ne_bytes());
    raw[36..40].copy_from_slice(&what.to_ne_bytes());
    raw[44..52].copy_from_slice(&time.to_ne_bytes());
    raw[52..56].copy_from_slice(&data[0].to_ne_bytes());
    raw[56..60].copy_from_slice(&data[1].to_ne_bytes());
    raw
}

/// Runs a filter as the kernel would: whether the message passes. One that is too short for a load is
/// dropped.
pub fn passes(program: &[libc::sock_filter], raw: &[u8]) -> bool {
    let (mut accumulator, mut at) = (0, 0);
    loop {
        let line = program[at];
        at += 1;
        match u32::from(line.code) & 0x07 {
            libc::BPF_LD => {
                let k = line.k as usize;
                let Some(word) = raw.get(k..k + 4) else {
                    return false;
                };
                accumulator = u32::from_be_bytes(word.try_into().expect("4 bytes"));
            }
            libc::BPF_JMP => {
                at += usize::from(if accumulator == line.k {
                    line.jt
                } else {
                    line.jf
                });
            }
            _ => return line.k != 0,
        }
    }
}
