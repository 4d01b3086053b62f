//! The guest's two port devices: progress marks, and the switch that ends the machine.
//!
//! Ports need no driver and complete at once, so they change nothing that the exact lab counts.

use std::{arch::asm, io};

use nix::errno::Errno;

/// `-device isa-debugcon,iobase=0xe9`: each byte lands in a file of the host.
const DEBUGCON: u16 = 0xe9;
/// `-device isa-debug-exit,iobase=0xf4`: QEMU ends with twice the value plus one.
const DEBUG_EXIT: u16 = 0xf4;
/// `-device ib700`: a watchdog that is never fed.
const WATCHDOG: u16 = 0x443;
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

    /// Has QEMU stop this machine in two seconds.
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
        // SAFETY: iopl allows the instruction, and nothing behind these two ports touches memory.
        unsafe { asm!("out dx, al", in("dx") port, in("al") byte, options(nomem, nostack)) };
    }
}
