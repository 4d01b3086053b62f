use super::*;

#[test]
fn peak_memory_is_read_in_bytes() {
    assert_eq!(
        parse_peak_bytes("Name:\tx\nVmHWM:\t    1024 kB\n"),
        Some(1 << 20)
    );
    assert_eq!(parse_peak_bytes("Name:\tkthreadd\n"), None);
    let full = format!("VmHWM:\t{} kB\n", u64::MAX);
    assert_eq!(parse_peak_bytes(&full), None);
}
