//! Where a program is attached, and how.

use std::{any::Any, fmt};

use aya::{
    Btf, Ebpf,
    programs::{
        BtfTracePoint, FEntry, FExit, KProbe, Lsm, Program, ProgramError, RawTracePoint, TracePoint,
    },
};
use execlab_model::sighting::LossUnit;

use super::refusal::judge;
use crate::AttachError;

/// A program of an object, and its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hook {
    /// The name of its function.
    pub program: &'static str,
    /// Its place.
    pub at: At,
    /// What is lost each time that the kernel passes by without calling it; `None` where it is no exec.
    pub loses: Option<LossUnit>,
}

/// A place in the kernel at which programs are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// A raw tracepoint with typed arguments (`tp_btf`, 5.5).
    TypedTracepoint(&'static str),
    /// A raw tracepoint (4.17).
    RawTracepoint(&'static str),
    /// An event of ftrace through perf (4.7): group and name.
    Tracepoint(&'static str, &'static str),
    /// A breakpoint, or a call of ftrace, at the entry of a function (4.1).
    Kprobe(&'static str),
    /// The return of a function, by a changed return address on its stack (4.1).
    Kretprobe(&'static str),
    /// A trampoline at the entry of a function (5.5).
    Fentry(&'static str),
    /// A trampoline around a function (5.5).
    Fexit(&'static str),
    /// A security hook (5.7).
    Lsm(&'static str),
    /// The same, with a program that may sleep (5.11).
    SleepableLsm(&'static str),
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TypedTracepoint(name) => write!(f, "raw tracepoint {name} (tp_btf)"),
            Self::RawTracepoint(name) => write!(f, "raw tracepoint {name} (raw_tp)"),
            Self::Tracepoint(group, name) => write!(f, "tracepoint {group}:{name}"),
            Self::Kprobe(name) => write!(f, "kprobe {name}"),
            Self::Kretprobe(name) => write!(f, "kretprobe {name}"),
            Self::Fentry(name) => write!(f, "fentry {name}"),
            Self::Fexit(name) => write!(f, "fexit {name}"),
            Self::Lsm(name) => write!(f, "security hook {name}"),
            Self::SleepableLsm(name) => write!(f, "security hook {name} (sleepable)"),
        }
    }
}

/// A link; dropping it detaches.
pub(super) type Link = Box<dyn Any>;

impl Hook {
    /// The program of the object.
    pub(super) fn of<'a>(&self, ebpf: &'a mut Ebpf) -> &'a mut Program {
        ebpf.program_mut(self.program)
            .unwrap_or_else(|| panic!("bpf/ has no program `{}`", self.program))
    }

    /// Has the kernel verify and take it.
    pub(super) fn load(&self, ebpf: &mut Ebpf, types: &Btf) -> Result<(), AttachError> {
        let program = self.of(ebpf);
        let loaded = match self.at {
            At::TypedTracepoint(name) => {
                <&mut BtfTracePoint>::try_from(program).and_then(|p| p.load(name, types))
            }
            At::RawTracepoint(_) => {
                <&mut RawTracePoint>::try_from(program).and_then(RawTracePoint::load)
            }
            At::Tracepoint(..) => <&mut TracePoint>::try_from(program).and_then(TracePoint::load),
            At::Kprobe(_) | At::Kretprobe(_) => {
                <&mut KProbe>::try_from(program).and_then(KProbe::load)
            }
            At::Fentry(name) => <&mut FEntry>::try_from(program).and_then(|p| p.load(name, types)),
            At::Fexit(name) => <&mut FExit>::try_from(program).and_then(|p| p.load(name, types)),
            At::Lsm(name) | At::SleepableLsm(name) => {
                <&mut Lsm>::try_from(program).and_then(|p| p.load(name, types))
            }
        };
        loaded.map_err(|error| self.refused(&error))
    }

    /// From the return on it is called.
    pub(super) fn attach(&self, ebpf: &mut Ebpf) -> Result<Link, AttachError> {
        let program = self.of(ebpf);
        self.link(program).map_err(|error| self.refused(&error))
    }

    fn link(&self, program: &mut Program) -> Result<Link, ProgramError> {
        /// All kinds of programs attach and hand over their links in the same way, and share no trait.
        macro_rules! link {
            ($kind:ty, $($place:expr),*) => {{
                let program = <&mut $kind>::try_from(program)?;
                let id = program.attach($($place),*)?;
                Ok(Box::new(program.take_link(id)?))
            }};
        }
        match self.at {
            At::TypedTracepoint(_) => link!(BtfTracePoint,),
            At::RawTracepoint(name) => link!(RawTracePoint, name),
            At::Tracepoint(group, name) => link!(TracePoint, group, name),
            At::Kprobe(name) | At::Kretprobe(name) => link!(KProbe, name, 0),
            At::Fentry(_) => link!(FEntry,),
            At::Fexit(_) => link!(FExit,),
            At::Lsm(_) | At::SleepableLsm(_) => link!(Lsm,),
        }
    }

    fn refused(&self, error: &ProgramError) -> AttachError {
        judge(
            &format!("bpf(load and attach program at {})", self.at),
            error,
        )
    }
}
