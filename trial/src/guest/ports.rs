//! The guest's port devices: progress marks, the watchdog that stops the machine, and the switch that
//! ends it.
//!
//! Ports need no driver and complete at once, so they change nothing that the exact lab counts.

use std::{arch::asm, io};

use nix::errno::Errno;

/// `-device isa-debugcon,iobase=0xe9`: each byte lands in a file of the host.
const DEBUGCON: u16 = 0xe9;
/// `-device isa-debug-exit,iobase=0xf4`: QEMU ends with twice the value plus one.
const DEBUG_EXIT: u16 = 0xf4;
/// `-device ib700`: a byte written here starts the watchdog (`hw/watchdog/wdt_ib700.c`).
const WATCHDOG: u16 = 0x443;
/// Its index in the device's table of times: 30, 28, … 2, 0 seconds.
const WATCHDOG_TWO_SECONDS: u8 = 14;

/// The right to use ports, for this process.
#[derive(Debug)]
pub struct Ports(());

impl Ports {
    /// Asks the kernel for it (`iopl(2)`; process 1 is root).
    pub fn open() -> io::Result<Self> {
        // SAFETY: the call takes a number.
        Errno::result(unsafe { libc::iopl(3) })?;
        Ok(Self(()))
    }

    /// Tells the host how far the trial is: the text and a newline.
    pub fn mark(&self, text: &str) {
        for byte in text.bytes().chain([b'\n']) {
            self.out(DEBUGCON, byte);
        }
    }

    /// Has the watchdog expire in two seconds, once. A QEMU that was told to stop the machine then does
    /// so, others do nothing. The guest is to be idle at that time: only then is the stop exact.
    pub fn pause_in_two_seconds(&self) {
        self.out(WATCHDOG, WATCHDOG_TWO_SECONDS);
    }

    /// Ends the machine.
    pub fn exit(&self, value: u8) -> ! {
        self.out(DEBUG_EXIT, value);
        unreachable!("QEMU ends with the instruction before")
    }

    #[expect(
        clippy::unused_self,
        reason = "having a Ports is the right to use ports"
    )]
    fn out(&self, port: u16, byte: u8) {
        // SAFETY: iopl allows the instruction, and nothing behind these ports touches memory.
        unsafe { asm!("out dx, al", in("dx") port, in("al") byte, options(nomem, nostack)) };
    }
}
