#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    execlab_fuzz_targets::wires::run(input);
});
