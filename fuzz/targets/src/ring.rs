//! Records of the eBPF program.

/// What holds for them stands beside their parsers.
pub fn run(input: &[u8]) {
    execlab_backends::ebpf::fuzzing::check(input);
}
