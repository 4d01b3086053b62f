//! What holds for any bytes from the connector. Called by `fuzz/` alone.

use super::{
    bpf::{execs, lives},
    kernel::{Message, passes},
    wire::{Event, Place, parse, place},
};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn check(input: &[u8]) -> bool {
    match input.split_first() {
        Some((0x80.., rest)) => told(rest),
        Some((_, raw)) => any(raw),
        None => false,
    }
}

/// Bytes as they come: what stands behind a message is none of it, what is cut is none, and the filter lets
/// through what is read as an exec.
fn any(raw: &[u8]) -> bool {
    let event = parse(raw);
    let padded = [raw, &[0xff; 9]].concat();
    let told = raw.first_chunk().map(|length| u32::from_ne_bytes(*length));
    let Some(told) = told.map(|length| length as usize) else {
        assert_eq!(event, None, "no length, no message");
        return false;
    };
    if told > raw.len() {
        assert_eq!(event, None, "a message that is not there to its end");
        return false;
    }
    assert_eq!(parse(&padded), event);
    assert_eq!(parse(&raw[..told]), event);
    let passes = |program: &[libc::sock_filter]| passes(program, raw);
    let (exec, answer, life) = match event {
        Some(Event::Exec { .. }) => (true, true, true),
        Some(Event::Answer { .. }) => (false, true, false),
        Some(Event::Fork { .. } | Event::Exit { .. } | Event::User { .. }) => (false, false, true),
        Some(Event::Name { .. } | Event::Other) => (false, false, false),
        None => return false,
    };
    assert_eq!(passes(&execs(false)), exec);
    assert_eq!(passes(&execs(true)), answer);
    assert_eq!(passes(&lives()), life);
    true
}

/// Events of which all is known come through as they were told.
fn told(rest: &[u8]) -> bool {
    let Some((numbers, _)) = rest.split_first_chunk::<24>() else {
        return false;
    };
    let word = |at: usize| u32::from_ne_bytes(numbers[at..at + 4].try_into().expect("4 bytes"));
    let (first, second, ack) = (word(0), word(4), word(8));
    let time_ns = u64::from_ne_bytes(numbers[16..].try_into().expect("8 bytes"));
    let message = |what, data| {
        Message {
            what,
            data,
            time_ns,
            ack,
            cpu: first,
            sequence: second,
        }
        .encode()
    };
    let event = |what, data| parse(&message(what, data)).expect("a whole message");
    let exec = Event::Exec {
        pid: second,
        time_ns,
    };
    assert_eq!(event(2, [first, second, 0, 0]), exec);
    let answer = Event::Answer { ack, error: first };
    assert_eq!(event(0, [first, second, 0, 0]), answer);
    let fork = Event::Fork {
        parent: second,
        child: ack,
    };
    assert_eq!(event(1, [first, second, ack, ack]), fork);
    let user = Event::User {
        pid: second,
        leader: first == second,
        uid: ack,
    };
    assert_eq!(event(4, [first, second, ack, 0]), user);
    let what = word(12);
    if ![0, 1, 2, 4, 0x200, 0x8000_0000].contains(&what) {
        assert_eq!(event(what, [first, second, 0, 0]), Event::Other);
    }
    let expected = Place {
        cpu: first,
        sequence: second,
        time_ns,
    };
    assert_eq!(place(&message(what, [0; 4])), Some(expected));
    true
}
