//! Records of perf's rings.

/// What holds for them stands beside their parsers. Gives whether one of those took the input.
pub fn run(input: &[u8]) -> bool {
    execlab_backends::perf::fuzzing::check(input)
}
