//! Another process that rewrites a child's memory while the child is inside of a call of exec.
//!
//! On one CPU a race would be lost or won by chance. Here the kernel itself holds the child at a known place,
//! and goes on when the memory is as it is to be: before a system call at a seccomp filter
//! (`SECCOMP_RET_USER_NOTIF`, `seccomp_unotify(2)`), or in the midst of it at a page that is not there yet
//! (userfaultfd(2)).

mod calls;
mod uffd;

use std::{
    fs::File,
    io::{self, IoSlice, Write},
    num::NonZeroUsize,
    os::fd::{AsFd, AsRawFd, OwnedFd},
    ptr::NonNull,
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        memfd::{MFdFlags, memfd_create},
        mman::{MapFlags, ProtFlags, mmap_anonymous, munmap},
        signal::{Signal, kill},
        uio::{RemoteIoVec, process_vm_writev},
        wait::waitpid,
    },
    unistd::{ForkResult, Pid, fork, getppid},
};

pub(crate) use self::calls::Calls;
use super::{SetupError, die_with_parent};
use crate::step::Step;

/// Bytes of a page.
const PAGE: usize = 4096;

/// Memory of this process, at which children that share it let the kernel look.
#[derive(Debug)]
struct Memory(NonNull<u8>);

impl Memory {
    fn new() -> Result<Self, SetupError> {
        let flags = MapFlags::MAP_PRIVATE;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        let length = NonZeroUsize::new(PAGE).expect("not 0");
        // SAFETY: a new mapping, of which nobody else knows.
        let map = unsafe { mmap_anonymous(None, length, protection, flags) };
        Ok(Self(map.map_err(SetupError::at("map a page"))?.cast()))
    }

    fn address(&self) -> i64 {
        i64::try_from(self.0.addr().get()).expect("processes have the lower half")
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and no reference into it was ever made.
        let _ = unsafe { munmap(self.0.cast(), PAGE) };
    }
}

/// A string that is another one when a child passes it than when the kernel takes it.
#[derive(Debug)]
pub(crate) struct Stage {
    memory: Memory,
    real: Vec<u8>,
    length: usize,
    /// Holds the decoy.
    file: File,
}

impl Stage {
    /// With what is to be seen first, and what the kernel is to find.
    ///
    /// # Panics
    /// For strings that do not fit into a page.
    pub fn new(decoy: &[u8], real: &[u8]) -> Result<Self, SetupError> {
        let length = decoy.len().max(real.len()) + 1;
        assert!(length <= PAGE, "a path or an argument");
        let padded = |text: &[u8]| {
            let mut text = text.to_vec();
            text.resize(length, 0);
            text
        };
        let failed = "make a file with the decoy";
        let file = memfd_create("decoy", MFdFlags::MFD_CLOEXEC).map_err(SetupError::at(failed))?;
        let mut file = File::from(file);
        file.write_all(&padded(decoy))
            .map_err(SetupError::at(failed))?;
        Ok(Self {
            memory: Memory::new()?,
            real: padded(real),
            length,
            file,
        })
    }

    /// Where it is, for a [`crate::step::Value`].
    pub fn address(&self) -> i64 {
        self.memory.address()
    }

    /// Writes the real string into the storm, whose memory its child shares.
    fn make_real(&self, storm: Pid) -> io::Result<()> {
        let place = RemoteIoVec {
            base: self.memory.0.addr().get(),
            len: self.length,
        };
        let written = process_vm_writev(storm, &[IoSlice::new(&self.real)], &[place])?;
        if written == self.length {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    /// A child's step that shows the decoy.
    pub fn set(&self) -> Step {
        let length = i64::try_from(self.length).expect("less than a page");
        let fd = self.file.as_raw_fd().into();
        Step::numbers(libc::SYS_pread64, &[fd, self.address(), length, 0])
    }
}

/// A page that is not there until the kernel reads it.
#[derive(Debug)]
pub(crate) struct Gate {
    memory: Memory,
    content: Vec<u8>,
    /// Told of everybody who waits; the rewriter's alone once that has started.
    faults: Option<OwnedFd>,
}

impl Gate {
    /// A page in which the kernel is to find this string.
    pub fn new(text: &[u8]) -> Result<Self, SetupError> {
        let memory = Memory::new()?;
        let mut content = text.to_vec();
        content.resize(PAGE, 0);
        let faults = uffd::watch(memory.address(), PAGE)?;
        Ok(Self {
            memory,
            content,
            faults: Some(faults),
        })
    }

    /// Where it is, for a [`crate::step::Value`].
    pub fn address(&self) -> i64 {
        self.memory.address()
    }

    /// Does `before`, and lets whoever waits go on.
    fn open(&self, before: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let faults = self.faults.as_ref().expect("only taken from the storm");
        if uffd::is_wanted(faults)? {
            before()?;
            uffd::bring(faults, self.address(), &self.content)?;
        }
        Ok(())
    }

    /// A child's step that takes it away.
    pub fn shut(&self) -> Step {
        let length = i64::try_from(self.content.len()).expect("a page");
        let arguments = [self.address(), length, libc::MADV_DONTNEED.into()];
        Step::numbers(libc::SYS_madvise, &arguments)
    }
}

/// What is to be rewritten when.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Every call of exec of this process's children is held here first.
    pub calls: Option<Calls>,
    /// Becomes real at a call with it as its path, and before the gate opens.
    pub stage: Option<Stage>,
    /// Opens whenever somebody waits for it.
    pub gate: Option<Gate>,
}

impl Plan {
    /// Starts the process that carries it out.
    pub fn start(mut self) -> Result<Rewriter, SetupError> {
        // SAFETY: the storm has one thread, so the child may run any code.
        match unsafe { fork() }.map_err(SetupError::at("fork the rewriter"))? {
            ForkResult::Parent { child } => {
                // Held by the rewriter alone: children do not wait for one that is gone.
                self.calls = None;
                if let Some(gate) = &mut self.gate {
                    gate.faults = None;
                }
                Ok(Rewriter {
                    pid: child,
                    _memory: (self.stage, self.gate),
                })
            }
            ForkResult::Child => {
                die_with_parent();
                let error = self.carry_out(getppid());
                eprintln!("the process that rewrites arguments ended: {error}");
                // SAFETY: ends this process without running anything of its parent's.
                unsafe { libc::_exit(1) }
            }
        }
    }

    /// In the child: for ever, or until something cannot be done.
    fn carry_out(&self, storm: Pid) -> io::Error {
        loop {
            if let Err(error) = self.wait_and_serve(storm) {
                return error;
            }
        }
    }

    fn wait_and_serve(&self, storm: Pid) -> io::Result<()> {
        let faults = self.gate.as_ref().and_then(|gate| gate.faults.as_ref());
        let sources = [
            self.calls.as_ref().map(|calls| calls.listener()),
            faults.map(AsFd::as_fd),
        ];
        let mut waiting: Vec<_> = sources
            .into_iter()
            .flatten()
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        match poll(&mut waiting, PollTimeout::NONE) {
            Err(Errno::EINTR) => return Ok(()),
            ready => ready?,
        };
        let mut ready = waiting.iter().map(|fd| fd.any().unwrap_or(false));
        if let Some(calls) = self.calls.as_ref().filter(|_| ready.next() == Some(true)) {
            calls.serve(|path| match &self.stage {
                Some(stage) if stage.address() == path => stage.make_real(storm),
                _ => Ok(()),
            })?;
        }
        if let (Some(gate), Some(true)) = (&self.gate, ready.next()) {
            gate.open(|| match &self.stage {
                Some(stage) => stage.make_real(storm),
                None => Ok(()),
            })?;
        }
        Ok(())
    }
}

/// The process that rewrites; ended when dropped.
#[derive(Debug)]
pub(crate) struct Rewriter {
    pid: Pid,
    /// What children still use.
    _memory: (Option<Stage>, Option<Gate>),
}

impl Rewriter {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw().unsigned_abs()
    }
}

impl Drop for Rewriter {
    fn drop(&mut self) {
        // Both can only fail where it is gone already, which is what is wanted.
        let _ = kill(self.pid, Signal::SIGKILL);
        let _ = waitpid(self.pid, None);
    }
}
