//! A payload that only exits: what truth's evidence costs is measured against it (`cargo xtask bench`).
#![no_std]
#![no_main]

use core::arch::global_asm;

// exit_group(0); the kernel enters here with an empty register file.
global_asm!(
    ".globl _start",
    "_start:",
    "xor edi, edi",
    "mov eax, 231",
    "syscall",
    "ud2"
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
