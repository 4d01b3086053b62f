//! The one seam through which a monitor speaks to the trial runner.
//!
//! A monitor appends [`Message`]s to a file that it inherits. Nobody is woken by that, so the seam
//! costs the monitor a buffered write and the trial runner nothing while the clock runs. Our own
//! backends write the binary form (a length, a checksum and the message in postcard encoding);
//! `execlab watch` prints, and programs of others print, one JSON object a line.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::sighting::{LossReport, Sighting};

/// In a monitor's environment: the cgroup (a path in the unified hierarchy) to which a monitor keeps that
/// would else lay hands on every process, on a machine that has other things to do than a trial.
pub const SCOPE: &str = "EXECLAB_SCOPE";

/// What a monitor can say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Message {
    /// It is attached, and by what it knows that.
    Ready(Ready),
    /// It cannot work on this kernel.
    Unsupported(Reason),
    /// It worked and then could not go on.
    Failed(Reason),
    /// It saw an exec.
    Sighting(Sighting),
    /// It lost something.
    Loss(LossReport),
    /// It detached, put everything back and ends.
    Done(Done),
}

/// See [`Message::Ready`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ready {
    /// What proves that it is attached, for people: socket options read back, program ids …
    #[serde(default)]
    pub evidence: Vec<String>,
    /// Names of kernel threads that work for it, as in `/proc/PID/comm`: what they use is its cost.
    #[serde(default)]
    pub kernel_threads: Vec<String>,
}

/// See [`Message::Unsupported`] and [`Message::Failed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// What happened, to what.
    pub reason: String,
}

/// See [`Message::Done`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Done {
    /// Anything worth telling that is no loss (how often it resynchronised, how long a scan took …).
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Why the bytes of a seam could not be read to their end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SeamError {
    /// The checksum is another one, or the message is none.
    #[error("message at byte {at} is damaged: {what}")]
    Damaged {
        /// Offset of the message.
        at: usize,
        /// What is wrong with it.
        what: String,
    },
}

const HEADER: usize = 8;
/// How much of a line that cannot be read is quoted.
const QUOTE: usize = 120;
/// No message is longer: 131,072 bytes an argument times what a backend keeps, with room.
const MAX_MESSAGE: usize = 16 << 20;

impl Message {
    /// Appends the binary form: length u32 LE, crc32 u32 LE, postcard.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        // Internally tagged enums need a self-describing format, so the tag is written by hand.
        let start = out.len();
        out.extend_from_slice(&[0; HEADER]);
        let body = Wire::from(self);
        *out = postcard::to_extend(&body, std::mem::take(out)).expect("plain data always encodes");
        let length = u32::try_from(out.len() - start - HEADER).expect("messages are small");
        let crc = crc32fast::hash(&out[start + HEADER..]);
        out[start..start + 4].copy_from_slice(&length.to_le_bytes());
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The messages at the start of `bytes`, and how many bytes they took. A message that is not
    /// there to its end yet is left for the next call.
    pub fn decode_all(bytes: &[u8]) -> Result<(Vec<Self>, usize), SeamError> {
        let mut messages = Vec::new();
        let mut at = 0;
        while let Some(header) = bytes.get(at..at + HEADER) {
            let length = u32::from_le_bytes(header[..4].try_into().expect("4 bytes")) as usize;
            let damaged = |what: &str| SeamError::Damaged {
                at,
                what: what.to_owned(),
            };
            if length > MAX_MESSAGE {
                return Err(damaged("its length is beyond any message"));
            }
            let Some(body) = bytes.get(at + HEADER..at + HEADER + length) else {
                break;
            };
            if header[4..] != crc32fast::hash(body).to_le_bytes() {
                return Err(damaged("its checksum does not match"));
            }
            let (wire, rest) =
                postcard::take_from_bytes::<Wire<'_>>(body).map_err(|e| damaged(&e.to_string()))?;
            if !rest.is_empty() {
                return Err(damaged("bytes are left over"));
            }
            messages.push(wire.into());
            at += HEADER + length;
        }
        Ok((messages, at))
    }

    /// The messages of whole lines of JSON at the start of `bytes`, and how many bytes they took. Empty lines say
    /// nothing. A line without its newline yet is left for the next call.
    pub fn decode_lines(bytes: &[u8]) -> Result<(Vec<Self>, usize), SeamError> {
        let mut messages = Vec::new();
        let mut at = 0;
        while let Some(length) = bytes[at..].iter().position(|&b| b == b'\n') {
            let line = bytes[at..at + length].trim_ascii();
            if length > MAX_MESSAGE {
                let what = "its line is longer than any message".to_owned();
                return Err(SeamError::Damaged { at, what });
            }
            if !line.is_empty() {
                let message = serde_json::from_slice(line).map_err(|error| {
                    let start = String::from_utf8_lossy(&line[..line.len().min(QUOTE)]);
                    let what = format!("the line `{start}` is no message: {error}");
                    SeamError::Damaged { at, what }
                })?;
                messages.push(message);
            }
            at += length + 1;
        }
        if bytes.len() - at > MAX_MESSAGE {
            let what = "its line is longer than any message".to_owned();
            return Err(SeamError::Damaged { at, what });
        }
        Ok((messages, at))
    }

    /// One line of JSON, without the newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data always encodes")
    }
}

/// [`Message`] for formats that do not describe themselves (serde's internal tags need one that does).
#[derive(Serialize, Deserialize)]
enum Wire<'a> {
    Ready(std::borrow::Cow<'a, Ready>),
    Unsupported(std::borrow::Cow<'a, Reason>),
    Failed(std::borrow::Cow<'a, Reason>),
    Sighting(std::borrow::Cow<'a, Sighting>),
    Loss(std::borrow::Cow<'a, LossReport>),
    Done(std::borrow::Cow<'a, Done>),
}

impl<'a> From<&'a Message> for Wire<'a> {
    fn from(message: &'a Message) -> Self {
        use std::borrow::Cow::Borrowed;
        match message {
            Message::Ready(m) => Self::Ready(Borrowed(m)),
            Message::Unsupported(m) => Self::Unsupported(Borrowed(m)),
            Message::Failed(m) => Self::Failed(Borrowed(m)),
            Message::Sighting(m) => Self::Sighting(Borrowed(m)),
            Message::Loss(m) => Self::Loss(Borrowed(m)),
            Message::Done(m) => Self::Done(Borrowed(m)),
        }
    }
}

impl From<Wire<'_>> for Message {
    fn from(wire: Wire<'_>) -> Self {
        match wire {
            Wire::Ready(m) => Self::Ready(m.into_owned()),
            Wire::Unsupported(m) => Self::Unsupported(m.into_owned()),
            Wire::Failed(m) => Self::Failed(m.into_owned()),
            Wire::Sighting(m) => Self::Sighting(m.into_owned()),
            Wire::Loss(m) => Self::Loss(m.into_owned()),
            Wire::Done(m) => Self::Done(m.into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sighting::{Argv, LossUnit};

    fn samples() -> Vec<Message> {
        vec![
            Message::Ready(Ready {
                evidence: vec!["rcvbuf 212992".into()],
                kernel_threads: vec!["kauditd".into()],
            }),
            Message::Sighting(Sighting {
                pid: Some(7),
                path: Some(b"/a\xff".as_slice().into()),
                argv: Some(Argv::List(vec!["a".into()])),
                received_ns: 9,
                ..Sighting::default()
            }),
            Message::Loss(LossReport {
                source: "ENOBUFS".into(),
                unit: LossUnit::Unknown,
                count: None,
                window_ns: (1, 2),
            }),
            Message::Done(Done::default()),
        ]
    }

    #[test]
    fn both_forms_read_back() {
        let mut bytes = Vec::new();
        for message in samples() {
            message.encode_into(&mut bytes);
            assert_eq!(
                serde_json::from_str::<Message>(&message.to_json()).unwrap(),
                message
            );
        }
        assert_eq!(Message::decode_all(&bytes), Ok((samples(), bytes.len())));
    }

    #[test]
    fn a_line_that_is_no_message_is_quoted_with_its_place() {
        let lines = b"{\"type\":\"ready\"}\nhello\n";
        let error = Message::decode_lines(lines).unwrap_err().to_string();
        assert!(
            error.starts_with("message at byte 17 is damaged: the line `hello` is no message: "),
            "{error}"
        );
        let (messages, _) = Message::decode_lines(&lines[..17]).unwrap();
        assert_eq!(messages, [Message::Ready(Ready::default())]);
    }

    proptest! {
        #[test]
        fn a_tail_that_is_still_being_written_is_left_alone(cut in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            for m in samples() { m.encode_into(&mut bytes) }
            let cut = cut.index(bytes.len());
            let (messages, taken) = Message::decode_all(&bytes[..cut]).unwrap();
            prop_assert!(taken <= cut);
            prop_assert_eq!(&messages[..], &samples()[..messages.len()]);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::decode_all(&bytes);
            let _ = Message::decode_lines(&bytes);
        }

        #[test]
        fn lines_read_back_however_they_come(cut in any::<prop::sample::Index>()) {
            let lines: String = samples().iter().map(|m| m.to_json() + "\n\n").collect();
            let cut = cut.index(lines.len() + 1);
            let (mut messages, taken) = Message::decode_lines(&lines.as_bytes()[..cut]).unwrap();
            let (rest, last) = Message::decode_lines(&lines.as_bytes()[taken..]).unwrap();
            messages.extend(rest);
            prop_assert_eq!(messages, samples());
            prop_assert_eq!(taken + last, lines.len());
        }

        #[test]
        fn a_flipped_bit_in_a_body_is_noticed(bit in 0u8..8, at in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            samples()[1].encode_into(&mut bytes);
            let at = HEADER + at.index(bytes.len() - HEADER);
            bytes[at] ^= 1u8 << bit;
            prop_assert!(Message::decode_all(&bytes).is_err());
        }
    }
}
