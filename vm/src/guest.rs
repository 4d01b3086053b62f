//! One guest from its start to its end.
//!
//! Its verdict is the frame that it left in the shared memory, and nothing else: not QEMU's exit
//! status, not what stands on the console, not silence. Three clocks end a guest that goes nowhere.

use std::{
    fs::File,
    io,
    path::Path,
    process::ExitStatus,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use execlab_model::frame::{self, FrameError, Nonce, RECORD_MAGIC};

use crate::{
    process::Process,
    qemu::{Machine, Purpose, Qemu},
    qmp::{Qmp, QmpError},
    warm::WarmImage,
};

mod clocks;
mod place;

pub use clocks::{Clocks, Hurry, RanOut};
pub(crate) use place::Place;
pub use place::{sweep, sweep_own};

/// How often a running guest is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// What a guest may print, in bytes. A kernel that oopses over and over prints some 100 KiB; beyond this
/// it fills the host's disk and nothing else.
const MOST_PRINTED: u64 = 4 << 20;
/// What QEMU ends with when its guest ends: by itself (a panic with `-no-reboot`), or through
/// `isa-debug-exit`, which makes twice the value plus one of it. Anything else is QEMU's own trouble.
const GUEST_ENDS: [i32; 3] = [0, 33, 35];

/// Where a guest starts.
#[derive(Debug, Clone, Copy)]
pub enum Start<'a> {
    /// With its boot.
    Cold,
    /// Where the guest of this image was stopped. What comes out is the same.
    Warm(&'a WarmImage),
}

/// One guest to be run.
#[derive(Debug)]
pub struct Guest<'a> {
    /// The emulator.
    pub qemu: &'a Qemu,
    /// The machine.
    pub machine: &'a Machine,
    /// The ELF kernel.
    pub kernel: &'a Path,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// Where it starts; a warm image must be of these very four.
    pub start: Start<'a>,
    /// Ties plan and record to this trial.
    pub nonce: &'a Nonce,
    /// What goes in.
    pub plan: &'a [u8],
    /// Where the serial log is kept, whatever happens.
    pub serial_log: &'a Path,
    /// When to give up.
    pub clocks: Clocks,
}

/// Why nothing came out of a guest.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The guest is at fault: it panicked, hung or stopped short.
    #[error("{0}")]
    Lost(String),
    /// The host is at fault.
    #[error("cannot {what}: {source}")]
    Host {
        /// What was to be done, to what.
        what: String,
        /// What the system answered.
        source: io::Error,
    },
    /// There is nothing to start from.
    #[error("there is no warm image: {0}")]
    Image(#[source] Box<Self>),
    /// QEMU did not end because its guest did.
    #[error("QEMU itself broke off ({status}): {printed}")]
    Qemu {
        /// How it ended.
        status: ExitStatus,
        /// What it printed.
        printed: String,
    },
    /// QEMU could not be steered.
    #[error("cannot {what}: {source}{printed}")]
    Steering {
        /// What was to be done.
        what: &'static str,
        /// What came instead.
        source: QmpError,
        /// What QEMU printed.
        printed: String,
    },
}

impl GuestError {
    pub(crate) fn host(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Host { what, source }
    }

    pub(crate) fn steering(what: &'static str, place: &Place) -> impl FnOnce(QmpError) -> Self {
        let printed = place.printed_path();
        move |source| Self::Steering {
            what,
            source,
            printed: what_it_printed(&printed),
        }
    }

    /// Where QEMU hung up: adds how it ended, and all that it printed until then.
    pub(crate) fn with_end_of(mut self, process: &mut Process, place: &Place) -> Self {
        if let Self::Steering {
            source: QmpError::HungUp,
            printed,
            ..
        } = &mut self
            && let Ok(status) = process.wait()
        {
            let text = what_it_printed(&place.printed_path());
            *printed = format!("; it ended with {status}{text}");
        }
        self
    }
}

fn what_it_printed(file: &Path) -> String {
    match Process::printed(file) {
        nothing if nothing.is_empty() => nothing,
        text => format!("; it printed: {text}"),
    }
}

/// How many guests of this process gave a record though their QEMU did not take turns with its own main loop
/// (`docs/exact-lab.md`): their idle time may be off by some instructions.
pub fn unguarded() -> u32 {
    UNGUARDED.load(Ordering::Relaxed)
}

static UNGUARDED: AtomicU32 = AtomicU32::new(0);

impl Guest<'_> {
    /// Runs it and returns the record.
    pub fn run(&self) -> Result<Vec<u8>, GuestError> {
        self.run_marked().map(|(record, _)| record)
    }

    /// Runs it and returns the record, with the marks by which the guest said how far it was.
    pub fn run_marked(&self) -> Result<(Vec<u8>, Vec<u8>), GuestError> {
        let place = Place::new(self.machine, self.serial_log)?;
        let mut process;
        // Kept until the end: QEMU may say things that nobody needs, and must not be cut off for it.
        let _qmp: Option<Qmp>;
        match self.start {
            Start::Cold => {
                place.write_plan(self.nonce, self.plan)?;
                process = self.start_qemu(Purpose::Boot, &place)?;
                _qmp = None;
            }
            Start::Warm(image) => {
                process = self.start_qemu(Purpose::Restore, &place)?;
                let restored = self.restore(image, &mut process, &place);
                _qmp = Some(restored.map_err(|error| error.with_end_of(&mut process, &place))?);
            }
        }
        let ended = self.watch(&mut process, &place)?;
        let record = self.collect(&place, &ended)?;
        if process.is_unguarded() {
            UNGUARDED.fetch_add(1, Ordering::Relaxed);
        }
        Ok((record, place.marks()))
    }

    fn restore(
        &self,
        image: &WarmImage,
        process: &mut Process,
        place: &Place,
    ) -> Result<Qmp, GuestError> {
        let deadline = Instant::now() + self.clocks.boot;
        let steered = |what| GuestError::steering(what, place);
        let mut qmp = process.talk(deadline).map_err(steered("reach QEMU"))?;
        image
            .load(&mut qmp, deadline)
            .map_err(steered("restore the warm image"))?;
        // Not before: the image brings its own contents of the channel along.
        place.write_plan(self.nonce, self.plan)?;
        WarmImage::go_on(&mut qmp, deadline).map_err(steered("wake the guest"))?;
        Ok(qmp)
    }

    fn start_qemu(&self, purpose: Purpose, place: &Place) -> Result<Process, GuestError> {
        start_qemu(
            self.qemu,
            self.machine,
            (self.kernel, self.initramfs),
            purpose,
            place,
        )
    }

    /// Waits for the end of QEMU, or of one of the clocks.
    fn watch(&self, process: &mut Process, place: &Place) -> Result<Ended, GuestError> {
        let mut clocks = self.clocks.start(Instant::now());
        loop {
            let exited = process
                .ended()
                .map_err(GuestError::host("wait for QEMU to end"))?;
            if let Some(status) = exited {
                return Ok(Ended::Exited(status));
            }
            if let Some(ran_out) = clocks.look(Instant::now(), place.marks_length()) {
                return Ok(Ended::RanOut(ran_out));
            }
            if place.printed_length() > MOST_PRINTED {
                return Ok(Ended::Flooded);
            }
            if let Some(word) = clocks.waits_for()
                && place.said(word)
            {
                clocks.hurry(Instant::now());
            }
            std::thread::sleep(LOOK);
        }
    }

    fn collect(&self, place: &Place, ended: &Ended) -> Result<Vec<u8>, GuestError> {
        if let Ended::Exited(status) = ended {
            its_own_end(*status, place)?;
        }
        let framed = place.read_frame()?;
        match frame::decode_for(RECORD_MAGIC, self.nonce, &framed) {
            Ok(record) => Ok(record.to_vec()),
            Err(error) => {
                let how = match ended {
                    Ended::Exited(_) => "the guest ended".to_owned(),
                    Ended::RanOut(ran_out) => ran_out.to_string(),
                    Ended::Flooded => format!(
                        "the guest printed more than {} MiB and was stopped",
                        MOST_PRINTED >> 20
                    ),
                };
                let stage = place.stage();
                let left = match error {
                    FrameError::Magic { .. } => "without a record".to_owned(),
                    error => format!("with a record that is not whole: {error}"),
                };
                let log = place.last_words();
                Err(GuestError::Lost(format!("{how} after {stage} {left}{log}")))
            }
        }
    }
}

/// Starts QEMU on the files of a place.
pub(crate) fn start_qemu(
    qemu: &Qemu,
    machine: &Machine,
    (kernel, initramfs): (&Path, &Path),
    purpose: Purpose,
    place: &Place,
) -> Result<Process, GuestError> {
    let printed =
        File::create(place.printed_path()).map_err(GuestError::host("keep what QEMU prints"))?;
    let arguments = place.files(kernel, initramfs, |files| machine.arguments(purpose, files));
    let program = qemu.program().display();
    Process::start(qemu, &machine.engine, &arguments, printed)
        .map_err(GuestError::host(format!("start {program}")))
}

/// Takes an end of QEMU that no guest makes for QEMU's own trouble.
pub(crate) fn its_own_end(status: ExitStatus, place: &Place) -> Result<(), GuestError> {
    if GUEST_ENDS.iter().any(|&code| status.code() == Some(code)) {
        return Ok(());
    }
    Err(GuestError::Qemu {
        status,
        printed: Process::printed(&place.printed_path()),
    })
}

/// How the watch ended.
enum Ended {
    Exited(ExitStatus),
    RanOut(RanOut),
    /// It printed more than [`MOST_PRINTED`].
    Flooded,
}

#[cfg(test)]
mod tests;
