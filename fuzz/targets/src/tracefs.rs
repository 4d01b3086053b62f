//! Pages, text, formats and counters of tracefs, and the kernel's own types.

/// What holds for them stands beside their parsers. Gives whether one of those took the input.
pub fn run(input: &[u8]) -> bool {
    execlab_backends::tracefs::fuzzing::check(input)
}
