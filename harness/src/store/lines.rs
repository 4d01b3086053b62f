//! Lines of `results.jsonl` and `verify.jsonl`.

use serde::{Serialize, de::DeserializeOwned};

/// What a file of lines holds.
#[derive(Debug)]
pub struct Lines<T> {
    /// Its lines, in order.
    pub items: Vec<T>,
    /// Length up to and with the last newline.
    pub whole_bytes: u64,
    /// Whether something follows that: a line that was cut off.
    pub cut_off: bool,
}

/// Something as a line with its newline.
pub(super) fn line(item: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(item).expect("plain data always encodes");
    line.push(b'\n');
    line
}

/// Reads lines; only the last one may be cut off. An error comes with its line number.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Lines<T>, (usize, serde_json::Error)> {
    let whole = bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    let items: Result<Vec<_>, _> = bytes[..whole]
        .split_inclusive(|&b| b == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| serde_json::from_slice(line).map_err(|e| (at + 1, e)))
        .collect();
    Ok(Lines {
        items: items?,
        whole_bytes: whole as u64,
        cut_off: whole < bytes.len(),
    })
}
