//! What the kernel does with the connector, for tests and fuzzers.

/// A message of the proc connector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Message {
    /// What happened.
    pub what: u32,
    /// The begin of its data.
    pub data: [u32; 4],
    /// When.
    pub time_ns: u64,
    /// Whose request it answers.
    pub ack: u32,
    /// Where.
    pub cpu: u32,
    /// Its number there.
    pub sequence: u32,
}

impl Message {
    /// As a kernel of 6.5 lays it out.
    pub fn encode(self) -> Vec<u8> {
        let mut raw = vec![0; 76];
        let mut put = |at: usize, value: u32| raw[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        for (at, value) in [(0, 76), (16, 1), (20, 1), (24, self.sequence)] {
            put(at, value);
        }
        for (at, value) in [(28, self.ack), (36, self.what), (40, self.cpu)] {
            put(at, value);
        }
        for (at, value) in (52..).step_by(4).zip(self.data) {
            put(at, value);
        }
        raw[44..52].copy_from_slice(&self.time_ns.to_ne_bytes());
        raw
    }
}

/// Runs a filter as the kernel would: whether the message passes. One that is too short for a load is
/// dropped.
pub fn passes(program: &[libc::sock_filter], raw: &[u8]) -> bool {
    let (mut accumulator, mut index, mut at) = (0, 0, 0);
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
            libc::BPF_MISC => index = accumulator,
            libc::BPF_JMP => {
                let other = match u32::from(line.code) & 0x08 {
                    libc::BPF_X => index,
                    _ => line.k,
                };
                at += usize::from(if accumulator == other {
                    line.jt
                } else {
                    line.jf
                });
            }
            _ => return line.k != 0,
        }
    }
}
