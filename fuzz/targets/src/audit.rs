//! Records of audit.

/// What holds for them stands beside their parsers.
pub fn run(input: &[u8]) {
    execlab_backends::audit::fuzzing::check(input);
}
