//! How bytes pass between host and guest: one frame that is whole or nothing.
//!
//! ```text
//! magic 8 | version u32 LE | nonce 16 | length u64 LE | payload | crc32 u32 LE | end mark 8
//! ```
//!
//! The version is that of the frame and of what is in it: a guest program of another build is told
//! apart from one that broke. Where it stands never changes.
//!
//! The nonce is the trial's, so that a frame left over from another trial is not taken for this
//! one's; the end mark lies after the checksum, so that a writer that was cut off is noticed.

/// First bytes of a plan on its way into a guest.
pub const PLAN_MAGIC: [u8; 8] = *b"XLABPLAN";
/// First bytes of a record on its way out of a guest.
pub const RECORD_MAGIC: [u8; 8] = *b"XLABRECD";
/// Format of frame, plan and record. Raised with every change to one of them.
pub const VERSION: u32 = 3;
const END: [u8; 8] = *b"XLAB-END";
/// How many bytes stand before the payload.
pub const HEADER: usize = 8 + 4 + 16 + 8;
const TRAILER: usize = 4 + 8;

/// What ties a frame to one trial.
pub type Nonce = [u8; 16];

/// Why a region holds no whole frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The region does not start as a frame of this kind does; nothing was written, or something else.
    #[error("no frame: the region starts with {found:02x?}")]
    Magic {
        /// The bytes in its place.
        found: Vec<u8>,
    },
    /// Written by a program of another build.
    #[error(
        "the frame has format {found} and this program reads format {expected}: the programs in the guest are of another build than execlab itself; install execlab again, which carries both"
    )]
    Version {
        /// As the frame says.
        found: u32,
        /// As this program writes and reads.
        expected: u32,
    },
    /// A whole other trial's frame.
    #[error("the frame belongs to another trial")]
    Nonce,
    /// The length field points outside the region.
    #[error("the frame says it holds {length} bytes, the region has room for {room}")]
    Length {
        /// As the frame says.
        length: u64,
        /// As there can be.
        room: usize,
    },
    /// The writer did not get to the end.
    #[error("the frame was cut short: its end mark is missing")]
    CutShort,
    /// The payload is not what was written.
    #[error("the frame's checksum does not match")]
    Checksum,
}

/// How many bytes a frame around `payload` bytes takes.
pub const fn framed_len(payload: usize) -> usize {
    HEADER + payload + TRAILER
}

/// A frame as bytes.
pub fn encode(magic: [u8; 8], nonce: &Nonce, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(framed_len(payload.len()));
    out.extend_from_slice(&magic);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(nonce);
    out.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    out.extend_from_slice(&END);
    out
}

/// How many bytes the frame with this header takes by its own word.
pub fn told_len(header: &[u8; HEADER]) -> u64 {
    length(header).saturating_add((HEADER + TRAILER) as u64)
}

fn length(header: &[u8]) -> u64 {
    u64::from_le_bytes(header[28..HEADER].try_into().expect("8 bytes"))
}

/// The nonce and the payload of the frame at the start of `region`.
pub fn decode(magic: [u8; 8], region: &[u8]) -> Result<(Nonce, &[u8]), FrameError> {
    let header = region.get(..HEADER).ok_or(FrameError::CutShort)?;
    if header[..8] != magic {
        return Err(FrameError::Magic {
            found: header[..8].to_vec(),
        });
    }
    let found = u32::from_le_bytes(header[8..12].try_into().expect("4 bytes"));
    if found != VERSION {
        let expected = VERSION;
        return Err(FrameError::Version { found, expected });
    }
    let nonce: Nonce = header[12..28].try_into().expect("16 bytes");
    let length = length(header);
    let room = region
        .len()
        .checked_sub(HEADER + TRAILER)
        .ok_or(FrameError::CutShort)?;
    let payload_len = usize::try_from(length)
        .ok()
        .filter(|&l| l <= room)
        .ok_or(FrameError::Length { length, room })?;
    let (payload, rest) = region[HEADER..].split_at(payload_len);
    if rest[4..TRAILER] != END {
        return Err(FrameError::CutShort);
    }
    if rest[..4] != crc32fast::hash(payload).to_le_bytes() {
        return Err(FrameError::Checksum);
    }
    Ok((nonce, payload))
}

/// As [`decode`], and the frame must be the one of `nonce`.
pub fn decode_for<'a>(
    magic: [u8; 8],
    nonce: &Nonce,
    region: &'a [u8],
) -> Result<&'a [u8], FrameError> {
    let (found, payload) = decode(magic, region)?;
    if found == *nonce {
        Ok(payload)
    } else {
        Err(FrameError::Nonce)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NONCE: Nonce = [7; 16];

    proptest! {
        #[test]
        fn a_frame_in_a_larger_region_is_found_whole(payload in proptest::collection::vec(any::<u8>(), 0..300), slack in 0usize..100) {
            let mut region = encode(RECORD_MAGIC, &NONCE, &payload);
            region.resize(region.len() + slack, 0);
            prop_assert_eq!(decode_for(RECORD_MAGIC, &NONCE, &region).unwrap(), &payload[..]);
        }

        #[test]
        fn any_cut_or_flipped_bit_is_noticed(payload in proptest::collection::vec(any::<u8>(), 1..100), at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<bool>()) {
            let mut region = encode(RECORD_MAGIC, &NONCE, &payload);
            let at = at.index(region.len());
            if cut { region.truncate(at) } else { region[at] ^= 1u8 << bit }
            prop_assert!(decode_for(RECORD_MAGIC, &NONCE, &region).is_err());
        }

        #[test]
        fn garbage_never_panics(region in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut region = region;
            if region.len() > 8 { region[..8].copy_from_slice(&RECORD_MAGIC); }
            let _ = decode(RECORD_MAGIC, &region);
        }
    }

    #[test]
    fn a_frame_of_another_format_says_which_and_what_to_do() {
        let mut region = encode(RECORD_MAGIC, &NONCE, b"x");
        region[8..12].copy_from_slice(&9u32.to_le_bytes());
        let error = decode_for(RECORD_MAGIC, &NONCE, &region).unwrap_err();
        let (found, expected) = (9, VERSION);
        assert_eq!(error, FrameError::Version { found, expected });
        let said = error.to_string();
        assert!(said.contains("format 9") && said.contains("install execlab again"));
    }

    #[test]
    fn a_header_tells_how_long_its_frame_is() {
        let region = encode(RECORD_MAGIC, &NONCE, b"abc");
        let mut header: [u8; HEADER] = region[..HEADER].try_into().unwrap();
        assert_eq!(told_len(&header), region.len() as u64);
        header[28..].fill(0xff);
        assert_eq!(told_len(&header), u64::MAX);
    }

    #[test]
    fn a_frame_of_nothing_that_is_cut_is_refused_wherever_it_is_cut() {
        let region = encode(RECORD_MAGIC, &NONCE, b"");
        for cut in 0..region.len() {
            assert_eq!(
                decode_for(RECORD_MAGIC, &NONCE, &region[..cut]),
                Err(FrameError::CutShort),
                "{cut}"
            );
        }
    }

    #[test]
    fn another_trials_frame_is_not_taken() {
        let region = encode(RECORD_MAGIC, &[8; 16], b"x");
        assert_eq!(
            decode_for(RECORD_MAGIC, &NONCE, &region),
            Err(FrameError::Nonce)
        );
    }
}
