//! What holds for any bytes from perf's rings. Called by `fuzz/` alone.

use super::record::{What, parse, written::write};

/// Type and flags, then what stands behind the header. Gives whether the reader took it as something that it knows.
pub fn check(input: &[u8]) -> bool {
    let Some(([kind, low, high], body)) = input.split_first_chunk() else {
        return false;
    };
    let Some(record) = parse((*kind).into(), u16::from_ne_bytes([*low, *high]), body) else {
        return false;
    };
    let told = match &record.what {
        What::Sample { raw, .. } => raw.len(),
        What::Comm { name: text, .. } | What::Mmap { path: text, .. } => {
            assert!(!text.contains(&0));
            text.len()
        }
        What::Other => return false,
        _ => 0,
    };
    assert!(told <= body.len(), "more than there was");
    // What was read, as the kernel would have written it, is read again; and none of it when its end is missing.
    let (kind, misc, body) = write(&record);
    assert_eq!(parse(kind, misc, &body).as_ref(), Some(&record));
    for cut in [0, 7, 15] {
        assert_eq!(parse(kind, misc, &body[..cut]), None);
    }
    true
}
