//! What comes out of a guest: the frame, the record in it, the seam of a monitor, the talk between
//! trial runner and storm, and the evidence of the payloads.

use std::io::{self, Read};

use execlab_model::{
    frame::{self, Nonce, PLAN_MAGIC, RECORD_MAGIC},
    plan::TrialPlan,
    record::{BadRecord, Record},
    seam::Message,
};
use execlab_workloads::{
    evidence::{Evidence, parse_log},
    protocol::{Answer, Order, receive, send},
};
use serde::{Serialize, de::DeserializeOwned};

/// One form, by the first byte. Gives whether its reader took the input.
pub fn run(input: &[u8]) -> bool {
    let Some((form, bytes)) = input.split_first() else {
        return false;
    };
    match form % 9 {
        0 => region(bytes),
        1 => payload(bytes),
        2 => record(bytes),
        3 => same_again::<TrialPlan>(bytes).is_some_and(|(_, rest)| rest.is_empty()),
        4 => seam(bytes),
        5 => seam(&with_header(bytes)),
        6 => line(bytes),
        7 => conversation(bytes),
        _ => evidence(bytes),
    }
}

/// A frame that is taken is the one that its own contents make, and belongs to one trial and one direction.
fn region(bytes: &[u8]) -> bool {
    let mut taken = false;
    for (magic, other) in [(RECORD_MAGIC, PLAN_MAGIC), (PLAN_MAGIC, RECORD_MAGIC)] {
        let Ok((nonce, payload)) = frame::decode(magic, bytes) else {
            continue;
        };
        let again = frame::encode(magic, &nonce, payload);
        assert!(bytes.starts_with(&again), "what is not told from a frame");
        assert_eq!(again.len(), frame::framed_len(payload.len()));
        assert!(frame::decode(other, bytes).is_err(), "two kinds at once");
        let mut another: Nonce = nonce;
        another[0] ^= 1;
        assert!(frame::decode_for(magic, &another, bytes).is_err());
        taken = true;
    }
    taken
}

/// Any payload comes through a frame; cut or changed in one place, it does not.
fn payload(bytes: &[u8]) -> bool {
    let nonce = [bytes.first().copied().unwrap_or(7); 16];
    let mut region = frame::encode(RECORD_MAGIC, &nonce, bytes);
    let header = region.first_chunk().expect("a frame has a header");
    assert_eq!(frame::told_len(header), region.len() as u64);
    assert_eq!(
        frame::decode_for(RECORD_MAGIC, &nonce, &region),
        Ok(bytes),
        "a frame of its own"
    );
    let [low, high, ..] = bytes else {
        return true;
    };
    let at = usize::from(u16::from_le_bytes([*low, *high])) % region.len();
    assert!(frame::decode_for(RECORD_MAGIC, &nonce, &region[..at]).is_err());
    region[at] ^= 0x10;
    assert!(frame::decode_for(RECORD_MAGIC, &nonce, &region).is_err());
    true
}

/// A record that is taken is whole, and nothing follows it.
fn record(bytes: &[u8]) -> bool {
    let read = Record::from_bytes(bytes);
    let found = same_again::<Record>(bytes);
    match (&read, &found) {
        (Ok(record), Some((same, []))) => assert!(record == same),
        (Ok(_), _) => panic!("taken, and not whole"),
        (Err(BadRecord::Followed(more)), Some((_, rest))) => assert_eq!(*more, rest.len()),
        (Err(BadRecord::Site { .. }), Some((_, []))) | (Err(BadRecord::Encoding(_)), None) => {}
        (Err(error), found) => panic!("{error}, but {found:?}"),
    }
    read.is_ok()
}

/// What is read from the binary form is written so that it is read again. Gives it, and what follows it.
fn same_again<T: Serialize + DeserializeOwned + PartialEq>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let (value, rest) = postcard::take_from_bytes::<T>(bytes).ok()?;
    let written = postcard::to_allocvec(&value).expect("plain data always encodes");
    // A number may stand there in more bytes than it takes, never in fewer.
    assert!(written.len() <= bytes.len() - rest.len());
    let again: T = postcard::from_bytes(&written).expect("it was written just now");
    assert!(again == value, "another value came back");
    Some((value, rest))
}

/// The messages of a seam do not depend on the pieces in which it is read.
fn seam(bytes: &[u8]) -> bool {
    let whole = Message::decode_all(bytes);
    let mut written = Vec::new();
    if let Ok((messages, taken)) = &whole {
        assert!(*taken <= bytes.len());
        for message in messages {
            message.encode_into(&mut written);
            one_line(message);
        }
        let again = Message::decode_all(&written).expect("it was written just now");
        assert_eq!(again, (messages.clone(), written.len()));
    }
    let all_taken = matches!(&whole, Ok((_, taken @ 1..)) if *taken == bytes.len());
    let middle = bytes.len() / 2;
    let Ok((mut messages, taken)) = Message::decode_all(&bytes[..middle]) else {
        assert!(whole.is_err(), "damage in a part, none in the whole");
        return false;
    };
    match (Message::decode_all(&bytes[taken..]), whole) {
        (Ok((more, rest)), Ok(whole)) => {
            messages.extend(more);
            assert_eq!((messages, taken + rest), whole);
        }
        (Err(_), Err(_)) => {}
        (apart, whole) => panic!("in two pieces {apart:?}, at once {whole:?}"),
    }
    all_taken
}

/// The bytes as the body of a message whose length and checksum are right.
fn with_header(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("inputs are small");
    let mut out = length.to_le_bytes().to_vec();
    out.extend_from_slice(&crc32fast::hash(body).to_le_bytes());
    out.extend_from_slice(body);
    out
}

/// A line of another's monitor means the same in the binary form.
fn line(bytes: &[u8]) -> bool {
    let Ok(message) = serde_json::from_slice::<Message>(bytes) else {
        return false;
    };
    one_line(&message);
    let mut written = Vec::new();
    message.encode_into(&mut written);
    let (messages, taken) = Message::decode_all(&written).expect("it was written just now");
    assert_eq!((messages, taken), (vec![message], written.len()));
    true
}

fn one_line(message: &Message) {
    let json = message.to_json();
    assert!(!json.contains('\n'), "a message is one line");
    let again: Message = serde_json::from_str(&json).expect("it was written just now");
    assert_eq!(&again, message);
}

/// The talk of trial runner and storm does not depend on how the pipe hands it over.
fn conversation(bytes: &[u8]) -> bool {
    let orders = heard::<Order>(bytes);
    let answers = heard::<Answer>(bytes);
    orders || answers
}

/// Whether it was messages of this kind to its end.
fn heard<T>(bytes: &[u8]) -> bool
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let (mut whole, mut drops) = (bytes, Drops(bytes));
    loop {
        let ended = whole.is_empty() && !bytes.is_empty();
        let at_once = receive::<T>(&mut whole).map_err(|error| error.kind());
        let in_drops = receive::<T>(&mut drops).map_err(|error| error.kind());
        assert_eq!(at_once, in_drops);
        let Ok(message) = at_once else {
            return at_once == Err(io::ErrorKind::UnexpectedEof) && ended;
        };
        let mut pipe = Vec::new();
        send(&mut pipe, &message).expect("a vector takes everything");
        let again: T = receive(&mut pipe.as_slice()).expect("it was sent just now");
        assert_eq!(again, message);
    }
}

/// A pipe out of which bytes come one by one.
struct Drops<'a>(&'a [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let one = into.len().min(1);
        self.0.read(&mut into[..one])
    }
}

/// A log has no more records than its bytes hold, and more bytes behind it change none of them.
fn evidence(bytes: &[u8]) -> bool {
    const SIZE: usize = size_of::<Evidence>();
    let Ok(records) = parse_log(bytes) else {
        return false;
    };
    assert!(records.len() <= bytes.len() / SIZE);
    let taken = &bytes[..records.len() * SIZE];
    assert_eq!(parse_log(taken).as_ref(), Ok(&records));
    let padded = [taken, &[0; 3 * SIZE]].concat();
    assert_eq!(parse_log(&padded).as_ref(), Ok(&records));
    !records.is_empty()
}
