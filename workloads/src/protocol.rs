//! What the trial runner and the storm say to each other: one order, one answer, through two pipes.

use std::io::{self, Read, Write};

use execlab_model::{
    Bytes, plan::CanaryKind, record::Checkpoint, truth::Truth, workload::Workload,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// From the trial runner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Prepare everything up to the first exec.
    Prepare {
        /// What to do.
        workload: Workload,
        /// Perturbs it.
        seed: u64,
        /// What canaries execute.
        canary: CanaryKind,
    },
    /// Execute one canary and wait for its end.
    Canary {
        /// Its id, from [`execlab_model::truth::FIRST_CANARY_ID`] up.
        id: u32,
        /// How long it lives.
        lifetime_ns: u64,
    },
    /// Wait for the moment between two timer ticks at which the seed has the storm start.
    Align,
    /// Run the storm to its end.
    Storm,
    /// Make so many execs again in the barest possible way, without evidence and truth.
    Bare(u32),
    /// Hand over the truth and end.
    Report,
}

/// From the storm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// After [`Order::Align`], [`Order::Storm`] and [`Order::Bare`].
    Done,
    /// After [`Order::Prepare`].
    Prepared {
        /// Whether there is a [bare loop](Order::Bare) of what was prepared.
        bare: bool,
    },
    /// After [`Order::Prepare`]: this kernel cannot make such execs; the evidence.
    Unsupported(String),
    /// After [`Order::Canary`]: the host pid that it had, and the path of what was executed.
    Canary(u32, Bytes),
    /// After [`Order::Report`].
    Report(Box<Report>),
    /// The order could not be carried out; what happened, to what.
    Failed(String),
}

/// What a storm hands over at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// What really happened.
    pub truth: Truth,
    /// How far it was when, by its own meter; empty where the kernel keeps no
    /// [scheduler statistics](crate::meter).
    pub progress: Vec<Checkpoint>,
}

/// Writes one message: length u32 LE, postcard.
pub fn send<T: Serialize>(out: &mut impl Write, message: &T) -> io::Result<()> {
    let body = postcard::to_allocvec(message).map_err(io::Error::other)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&body)?;
    out.flush()
}

/// No message is longer: the report of the largest storm takes a few hundred bytes an exec.
const MOST_BYTES: u32 = 1 << 30;

/// Reads one message; an error of kind `UnexpectedEof` means that the other side ended.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > MOST_BYTES {
        let what = format!("a message of {length} bytes, which is none");
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    // Read and not only reserved: whoever says a length does not have to keep its word.
    let mut body = Vec::new();
    from.take(length.into()).read_to_end(&mut body)?;
    if body.len() < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    postcard::from_bytes(&body).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_back_one_by_one() {
        let mut pipe = Vec::new();
        send(
            &mut pipe,
            &Order::Canary {
                id: 1,
                lifetime_ns: 2,
            },
        )
        .unwrap();
        send(&mut pipe, &Order::Storm).unwrap();
        let mut from = pipe.as_slice();
        assert_eq!(
            receive::<Order>(&mut from).unwrap(),
            Order::Canary {
                id: 1,
                lifetime_ns: 2
            }
        );
        assert_eq!(receive::<Order>(&mut from).unwrap(), Order::Storm);
        let ended = receive::<Order>(&mut from).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
    }
}
