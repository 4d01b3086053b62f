//! Trouble in the kernel itself.
//!
//! A panic can be asked for. An oops and a lock-up cannot, where the kernel is a stock one (LKDTM is in
//! none of Debian's cloud kernels): so a module that every guest carries is loaded once more with other
//! instructions where it starts. It is the kernel that executes them, and it behaves as with any driver
//! that is broken in this way.

use std::{fs, io, path::PathBuf};

use nix::kmod::{DeleteModuleFlags, delete_module, init_module};

use crate::console;

/// What is patched: it is in every guest, and nobody in these trials uses it.
const MODULE: &str = "overlay";

/// `xor %eax,%eax; mov %rax,(%rax); ret`: writes to address 0.
const WRITE_TO_NULL: &[u8] = &[0x31, 0xc0, 0x48, 0x89, 0x00, 0xc3];
/// `sub $16,%rsp; movq $0,(%rsp); mov %rsp,%rdi; call _raw_spin_lock`: takes a spin lock, after which no
/// kernel of any kind of preemption takes the CPU away.
const TAKE_LOCK: &[u8] = &[
    0x48, 0x83, 0xec, 0x10, 0x48, 0xc7, 0x04, 0x24, 0, 0, 0, 0, 0x48, 0x89, 0xe7, 0xe8, 0, 0, 0, 0,
];
/// Nothing, so often, and from the start again. A loop of one instruction takes the emulator twenty times as
/// long, and the kernel's watchdog counts instructions.
const LOOP: &[u8] = &{
    let mut code = [0x90; 50];
    code[48] = 0xeb;
    code[49] = 0u8.wrapping_sub(50);
    code
};
/// Where in it the address of the call stands.
const CALL_AT: u64 = 16;

/// By the kernel's own means.
pub fn panic() {
    let _ = fs::write("/proc/sys/kernel/sysrq", "1");
    let _ = fs::write("/proc/sysrq-trigger", "c");
    console::say("saboteur: the kernel did not panic");
}

/// A write to address 0 in the kernel.
pub fn oops() {
    load(WRITE_TO_NULL, None);
}

/// A loop in the kernel that holds a lock.
pub fn lock_up() {
    // The watchdog speaks up after twice this, and every second is a thousand million instructions.
    let _ = fs::write("/proc/sys/kernel/watchdog_thresh", "1");
    load(
        &[TAKE_LOCK, LOOP].concat(),
        Some((CALL_AT, "_raw_spin_lock")),
    );
}

fn load(code: &[u8], call: Option<(u64, &str)>) {
    let loaded = patched(code, call).and_then(|module| {
        // Only the container's trials have it loaded.
        let _ = delete_module(
            &std::ffi::CString::new(MODULE)?,
            DeleteModuleFlags::O_NONBLOCK,
        );
        Ok(init_module(&module, c"")?)
    });
    console::say(&format!("saboteur: the kernel took it: {loaded:?}"));
}

/// The module with `code` a little behind where its initialisation starts, and with its start moved
/// there: what the kernel patches at the start of every function stays as it is.
fn patched(code: &[u8], call: Option<(u64, &str)>) -> io::Result<Vec<u8>> {
    // Behind `endbr64` and the call that tracing puts there.
    const BEHIND_START: u64 = 16;
    let mut elf = Elf(fs::read(module_file())?);
    // A signature that does not fit is refused; none at all only taints the kernel.
    if let Some(last) = elf.0.last_mut() {
        *last = 0;
    }
    let none = || io::Error::other("the module is not as expected");
    let init = elf.symbol("init_module").ok_or_else(none)?;
    let section = u64::from(elf.u16(init + 6));
    let start = elf.u64(init + 8) + BEHIND_START;
    elf.put(init + 8, &start.to_le_bytes());
    let text = elf.section(section);
    if start + code.len() as u64 > elf.u64(text + 32) {
        return Err(none());
    }
    let at = elf.u64(text + 24) + start;
    elf.put(at, code);
    let end = start + code.len() as u64;
    let relocations = elf
        .sections()
        .find(|&s| elf.u32(s + 4) == 4 && u64::from(elf.u32(s + 44)) == section)
        .ok_or_else(none)?;
    let entries: Vec<u64> = elf.entries(relocations).collect();
    for &entry in &entries {
        let place = elf.u64(entry);
        // A call that straddles the first byte reaches into the code too.
        if place + 8 > start && place < end {
            elf.put(entry + 8, &[0; 8]);
        }
    }
    if let Some((place, symbol)) = call {
        const PLT32: u64 = 4;
        let symbol = elf.symbol_number(symbol).ok_or_else(none)?;
        let &last = entries.last().ok_or_else(none)?;
        elf.put(last, &(start + place).to_le_bytes());
        elf.put(last + 8, &(symbol << 32 | PLT32).to_le_bytes());
        elf.put(last + 16, &(-4_i64).to_le_bytes());
    }
    Ok(elf.0)
}

fn module_file() -> PathBuf {
    PathBuf::from(format!("/modules/{MODULE}.ko"))
}

/// A relocatable ELF file of 64 bits, by offsets (`elf(5)`). A module is what the kernel takes for
/// one, so nothing is checked.
struct Elf(Vec<u8>);

impl Elf {
    fn bytes<const N: usize>(&self, at: u64) -> [u8; N] {
        let at = usize::try_from(at).expect("64 bits");
        self.0[at..at + N].try_into().expect("N bytes")
    }

    fn u16(&self, at: u64) -> u16 {
        u16::from_le_bytes(self.bytes(at))
    }

    fn u32(&self, at: u64) -> u32 {
        u32::from_le_bytes(self.bytes(at))
    }

    fn u64(&self, at: u64) -> u64 {
        u64::from_le_bytes(self.bytes(at))
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        let at = usize::try_from(at).expect("64 bits");
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Where a section's header stands.
    fn section(&self, number: u64) -> u64 {
        self.u64(0x28) + number * 64
    }

    fn sections(&self) -> impl Iterator<Item = u64> {
        (0..u64::from(self.u16(0x3c))).map(|number| self.section(number))
    }

    /// Where the entries of a table of symbols or relocations stand: both take 24 bytes each.
    fn entries(&self, section: u64) -> impl Iterator<Item = u64> + use<> {
        let (start, size) = (self.u64(section + 24), self.u64(section + 32));
        (0..size / 24).map(move |number| start + number * 24)
    }

    fn symbol_number(&self, name: &str) -> Option<u64> {
        let table = self.sections().find(|&s| self.u32(s + 4) == 2)?;
        let names = self.u64(self.section(self.u32(table + 40).into()) + 24);
        let is_it = |symbol: u64| {
            let at = usize::try_from(names + u64::from(self.u32(symbol))).unwrap_or(0);
            self.0[at..].split(|&b| b == 0).next() == Some(name.as_bytes())
        };
        let at = self.entries(table).position(is_it)?;
        u64::try_from(at).ok()
    }

    /// Where a symbol stands.
    fn symbol(&self, name: &str) -> Option<u64> {
        let table = self.sections().find(|&s| self.u32(s + 4) == 2)?;
        let at = usize::try_from(self.symbol_number(name)?).ok()?;
        self.entries(table).nth(at)
    }
}
