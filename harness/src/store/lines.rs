//! Lines of `results.jsonl`.

use execlab_model::result::TrialResult;

/// What a `results.jsonl` holds.
#[derive(Debug, Default)]
pub struct Lines {
    /// Its lines, in order.
    pub results: Vec<TrialResult>,
    /// Length up to and with the last newline.
    pub whole_bytes: u64,
    /// Whether something follows that: a line that was cut off.
    pub cut_off: bool,
}

/// A result as a line with its newline.
pub(super) fn line(result: &TrialResult) -> Vec<u8> {
    let mut line = serde_json::to_vec(result).expect("plain data always encodes");
    line.push(b'\n');
    line
}

/// Reads lines; only the last one may be cut off. An error comes with its line number.
pub fn parse(bytes: &[u8]) -> Result<Lines, (usize, serde_json::Error)> {
    let whole = bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    let results: Result<Vec<_>, _> = bytes[..whole]
        .split_inclusive(|&b| b == b'\n')
        .enumerate()
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(at, line)| serde_json::from_slice(line).map_err(|e| (at + 1, e)))
        .collect();
    Ok(Lines {
        results: results?,
        whole_bytes: whole as u64,
        cut_off: whole < bytes.len(),
    })
}
