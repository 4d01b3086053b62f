//! Classic BPF programs on the socket. They run for each event before it is queued, so what they drop takes
//! no room and wakes nobody (`sk_filter` in `do_one_broadcast`, `net/netlink/af_netlink.c`).
//!
//! A load turns network byte order into the machine's, and events are in the machine's already. So all that
//! is compared is whether words are equal, with what they are compared to turned likewise.

use libc::sock_filter;

use super::wire::{
    CPU_AT, DATA_AT, PROC_EVENT_EXEC, PROC_EVENT_EXIT, PROC_EVENT_FORK, PROC_EVENT_NONE,
    PROC_EVENT_UID, WHAT_AT,
};

/// Keeps exec events and, while one is awaited, acknowledgements.
pub fn execs(acknowledgements: bool) -> Vec<sock_filter> {
    // Where there is no acknowledgement to keep, the second comparison is the first again.
    let other = if acknowledgements {
        PROC_EVENT_NONE
    } else {
        PROC_EVENT_EXEC
    };
    vec![
        load(WHAT_AT),
        equal(PROC_EVENT_EXEC, 1, 0),
        equal(other, 0, 1),
        KEEP,
        DROP,
    ]
}

/// Keeps the execs of one CPU: `own`, or where that is `None` of all but `others`. Sockets with all of these
/// share every event out, whatever CPU may come up later.
pub fn execs_on(own: Option<u32>, others: &[u32]) -> Vec<sock_filter> {
    let mut program = vec![
        load(WHAT_AT),
        equal(PROC_EVENT_EXEC, 1, 0),
        DROP,
        load(CPU_AT),
    ];
    if let Some(own) = own {
        program.extend([equal(own, 1, 0), DROP]);
    } else {
        for &other in others {
            program.extend([equal(other, 0, 1), DROP]);
        }
    }
    program.push(KEEP);
    program
}

/// Keeps what a table of processes is made of: execs, forks and ends of processes (not of their other
/// threads), and changes of user ids.
pub fn lives() -> Vec<sock_filter> {
    vec![
        load(WHAT_AT),
        equal(PROC_EVENT_EXEC, 12, 0),
        equal(PROC_EVENT_UID, 11, 0),
        equal(PROC_EVENT_FORK, 2, 0),
        equal(PROC_EVENT_EXIT, 5, 0),
        DROP,
        // The child's id, and that of its process.
        load(DATA_AT + 8),
        KEEP_IN_X,
        load(DATA_AT + 12),
        equal_to_x(4, 3),
        // The thread's id, and that of its process.
        load(DATA_AT),
        KEEP_IN_X,
        load(DATA_AT + 4),
        equal_to_x(0, 1),
        KEEP,
        DROP,
    ]
}

const fn line(code: u32, jt: u8, jf: u8, k: u32) -> sock_filter {
    // Codes of classic BPF are one byte.
    let code = (code & 0xff) as u16;
    sock_filter { code, jt, jf, k }
}

const KEEP: sock_filter = line(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX);
const DROP: sock_filter = line(libc::BPF_RET | libc::BPF_K, 0, 0, 0);
const KEEP_IN_X: sock_filter = line(libc::BPF_MISC | libc::BPF_TAX, 0, 0, 0);

fn load(at: usize) -> sock_filter {
    let at = u32::try_from(at).expect("small");
    line(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, at)
}

const fn equal(value: u32, jt: u8, jf: u8) -> sock_filter {
    line(
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        jt,
        jf,
        value.to_be(),
    )
}

const fn equal_to_x(jt: u8, jf: u8) -> sock_filter {
    line(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_X, jt, jf, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{
            kernel::{Message, passes},
            wire::{Event, parse},
        },
        *,
    };

    /// Every kind of event that a kernel of these years has, and one that it has not.
    const KINDS: [u32; 11] = [
        0,
        1,
        2,
        4,
        0x40,
        0x80,
        0x100,
        0x200,
        0x4000_0000,
        0x8000_0000,
        0x1000,
    ];

    fn message(what: u32) -> Vec<u8> {
        let message = Message {
            what,
            data: [1; 4],
            ..Message::default()
        };
        message.encode()
    }

    #[test]
    fn execs_and_while_awaited_acknowledgements_pass() {
        for what in KINDS {
            let raw = message(what);
            assert_eq!(passes(&execs(false), &raw), what == 2, "{what:#x}");
            let either = what == 2 || what == 0;
            assert_eq!(passes(&execs(true), &raw), either, "{what:#x}");
        }
    }

    proptest! {
        #[test]
        fn what_a_table_is_made_of_passes(
            what in proptest::sample::select(&KINDS[..]),
            data in proptest::array::uniform4(0u32..3),
        ) {
            let raw = Message { what, data, ..Message::default() }.encode();
            let kept = matches!(
                parse(&raw).unwrap(),
                Event::Exec { .. } | Event::Fork { .. } | Event::Exit { .. } | Event::User { .. }
            );
            prop_assert_eq!(passes(&lives(), &raw), kept);
        }

        #[test]
        fn each_exec_passes_one_of_the_filters_by_cpu(
            cpus in 1u32..600,
            cpu in 0u32..700,
            what in proptest::sample::select(&KINDS[..]),
        ) {
            let bound: Vec<u32> = (1..cpus).collect();
            let mut programs: Vec<_> = bound.iter().map(|&own| execs_on(Some(own), &[])).collect();
            programs.push(execs_on(None, &bound));
            let raw = Message { what, cpu, ..Message::default() }.encode();
            let passed: Vec<_> = (1..=cpus).zip(&programs).filter(|(_, p)| passes(p, &raw)).collect();
            prop_assert_eq!(passed.len(), usize::from(what == 2));
            if what == 2 && bound.contains(&cpu) {
                prop_assert_eq!(passed[0].0, cpu);
            }
        }
    }
}
