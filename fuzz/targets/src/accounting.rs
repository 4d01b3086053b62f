//! Ends of processes: messages of TASKSTATS, records of an accounting file.

/// What holds for them stands beside their parsers. Gives whether one of those took the input.
pub fn run(input: &[u8]) -> bool {
    execlab_backends::accounting::fuzzing::check(input)
}
