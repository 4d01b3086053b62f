//! What holds for any bytes from the connector. Called by `fuzz/` alone.

use super::{
    kernel::{message, passes},
    wire::{Event, filter, parse},
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
    match event {
        Some(Event::Exec { .. }) => {
            assert!(passes(&filter(false), raw) && passes(&filter(true), raw));
        }
        Some(Event::Answer { .. }) => {
            assert!(passes(&filter(true), raw) && !passes(&filter(false), raw));
        }
        Some(Event::Other) => assert!(!passes(&filter(true), raw)),
        None => {}
    }
    event.is_some()
}

/// Events of which all is known come through as they were told.
fn told(rest: &[u8]) -> bool {
    let Some((numbers, _)) = rest.split_first_chunk::<24>() else {
        return false;
    };
    let word = |at: usize| u32::from_ne_bytes(numbers[at..at + 4].try_into().expect("4 bytes"));
    let (first, second, ack) = (word(0), word(4), word(8));
    let time_ns = u64::from_ne_bytes(numbers[16..].try_into().expect("8 bytes"));
    let exec = Event::Exec {
        pid: second,
        time_ns,
    };
    let answer = Event::Answer { ack, error: first };
    assert_eq!(
        parse(&message(2, [first, second], time_ns, ack)),
        Some(exec)
    );
    assert_eq!(
        parse(&message(0, [first, second], time_ns, ack)),
        Some(answer)
    );
    let what = word(12);
    if what != 0 && what != 2 {
        let other = message(what, [first, second], time_ns, ack);
        assert_eq!(parse(&other), Some(Event::Other));
    }
    true
}
