//! Messages of the proc connector.

/// What holds for them stands beside their parsers.
pub fn run(input: &[u8]) {
    execlab_backends::netlink::fuzzing::check(input);
}
