//! What holds for any bytes from the kernel. Called by `fuzz/` alone.

use crate::meter::{cpu_lines, parse};

/// The scheduler's statistics: of text that is still being read, whole lines are all that counts, and lines
/// of anything but CPUs count nothing. Gives whether there is a reading.
pub fn schedstat(text: &[u8]) -> bool {
    let reading = parse(text);
    let lines: Vec<&[u8]> = cpu_lines(text).collect();
    assert!(reading.is_none() || !lines.is_empty());
    let cut = text.iter().rposition(|&byte| byte == b'\n');
    assert_eq!(parse(&text[..cut.map_or(0, |at| at + 1)]), reading);
    let only: Vec<u8> = lines
        .iter()
        .flat_map(|line| [b"version 17\ncpu", *line, b"\n"].concat())
        .collect();
    assert_eq!(parse(&only), reading);
    let by_one = lines.iter().try_fold((0u64, 0u64), |sum, line| {
        let one = parse(&[b"cpu", *line, b"\n"].concat())?;
        let busy_ns = sum.0.checked_add(one.busy_ns)?;
        Some((busy_ns, sum.1.checked_add(one.switches)?))
    });
    if !lines.is_empty() {
        assert_eq!(reading.map(|r| (r.busy_ns, r.switches)), by_one);
    }
    reading.is_some()
}
