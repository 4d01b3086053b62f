//! `audit-64bit`: the rule that many guides give, for 64-bit callers alone.
//!
//! `-a always,exit -F arch=b64 -S execve,execveat` and no line for `arch=b32`: that is what is often found in
//! rules that were copied, for the reason that a machine has only 64-bit programs. Everything else is
//! as in [`super`]: the same owner, reader, limits and loss reports.
//!
//! # What it cannot see
//!
//! All that [`super`] cannot, and every exec that a 32-bit program calls, or a 64-bit one through `int 0x80`: the
//! kernel compares the rule with the architecture of the call (`syscall_get_arch`), and such calls have the numbers 11
//! and 358 of i386. Whether the program that is executed has 32 bits does not matter: a 64-bit shell that starts it is
//! seen. Nothing tells of what was missed, since the kernel made no record: whoever wants to hide needs one small
//! program.
//!
//! # Cost
//!
//! As [`super`]. The second rule there costs a comparison for each exec (`audit_filter_syscall` asks one rule more);
//! this row saves that, which is too little to show, and pays for it with every exec that a 32-bit call makes. Tuned
//! saves and gives up what it does in [`super`].
//!
//! Sources: `audit_filter_rules` and `audit_in_mask` in `kernel/auditsc.c`; auditctl(8) on `arch`.

use super::{
    AuditRules,
    monitor::{AuditMonitor, Channel},
    rules::ARCHITECTURES,
    source::Source,
};
use crate::{AttachError, Backend, Monitor, Offers, Portrait, Setting, Settings, remains::Remains};

/// See the module.
#[derive(Debug)]
pub struct SixtyFourBit;

impl Backend for SixtyFourBit {
    fn name(&self) -> &'static str {
        "audit-64bit"
    }

    fn about(&self) -> &'static str {
        "audit with the rule for 64-bit callers alone, as many guides have it"
    }

    fn program(&self) -> &'static str {
        AuditRules.program()
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            mechanism: "as audit, and no rule for 32-bit callers",
            ..AuditRules.portrait()
        }
    }

    fn settings(&self) -> &'static [Setting] {
        AuditRules.settings()
    }

    fn boot_options(&self) -> &'static [&'static str] {
        AuditRules.boot_options()
    }

    fn kernel_threads(&self) -> &'static [&'static str] {
        AuditRules.kernel_threads()
    }

    fn changes(&self) -> &'static [&'static str] {
        AuditRules.changes()
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        AuditRules.remains()
    }

    fn offers(&self) -> Offers {
        AuditRules.offers()
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let source = Source::Rules(&ARCHITECTURES[..1]);
        let monitor = AuditMonitor::attach(settings, source, Channel::Owner, Vec::new())?;
        Ok(Box::new(monitor))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        AuditRules.look(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_architecture_is_that_of_64_bits() {
        let names: Vec<_> = ARCHITECTURES[..1].iter().map(|a| a.name).collect();
        assert_eq!(names, ["b64"]);
    }
}
