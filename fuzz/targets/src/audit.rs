//! Records of audit.

/// What holds for them stands beside their parsers. Gives whether one of those took the input.
pub fn run(input: &[u8]) -> bool {
    execlab_backends::audit::fuzzing::check(input)
}
