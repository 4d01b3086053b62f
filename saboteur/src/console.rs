//! The serial port without any driver: it works before there is a console, and after the disk is full.

use std::arch::asm;

use execlab_trial::guest::ports::Ports;

/// What is said before a hang; the harness then need not wait as long as a slow host would take.
pub const HANGS: &str = "saboteur: hangs here";
const SERIAL: u16 = 0x3f8;

/// Prints a line.
pub fn say(text: &str) {
    let _allowed = Ports::open().expect("root may use ports");
    for byte in text.bytes().chain(*b"\r\n") {
        out(byte);
    }
}

/// Says where it hangs, and hangs: asleep, which costs the host nothing.
pub fn hang() -> ! {
    say(HANGS);
    loop {
        nix::unistd::pause();
    }
}

/// Prints without an end, much faster than a kernel would.
pub fn flood() -> ! {
    let _allowed = Ports::open().expect("root may use ports");
    loop {
        for byte in *b"saboteur: and on and on\r\n" {
            out(byte);
        }
    }
}

fn out(byte: u8) {
    // SAFETY: `Ports` was opened, so the instruction is allowed; it touches no memory.
    unsafe { asm!("out dx, al", in("dx") SERIAL, in("al") byte, options(nomem, nostack)) };
}
