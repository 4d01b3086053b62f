//! The ways to watch execs, one file or folder for each, and the [registry] that lists them.
//!
//! A backend runs as its own process (`execlab-monitor`), attaches, says through the [`seam`] by
//! what it knows that it is attached, and then reports [sightings](execlab_model::sighting) until it
//! is told to [stop].
//!
//! Each backend is a feature of its own name, so that a monitor can be built that holds one backend
//! and nothing of another: what is measured then changes with that backend alone. What several
//! backends use lies beside them ([`procfs_lookup`], [`clock`]) and belongs to none.
//!
//! Rows of one family that share all but a detail share their code, and one program: the feature is the
//! family's, and [`Backend::program`] names it.
//!
//! To add one: write its file, name its feature, add its lines to the modules and to [`BACKENDS`].

use std::fmt;

#[cfg(feature = "accounting")]
pub mod accounting;
#[cfg(feature = "audit")]
pub mod audit;
pub mod clock;
#[cfg(feature = "ebpf")]
pub mod ebpf;
#[cfg(feature = "fanotify")]
pub mod fanotify;
#[cfg(feature = "kmod")]
pub mod kmod;
pub mod launch;
#[cfg(feature = "look")]
pub mod look;
#[cfg(feature = "lsm")]
pub mod lsm;
#[cfg(feature = "netlink")]
pub mod netlink;
#[cfg(any(feature = "accounting", feature = "audit", feature = "netlink"))]
pub mod netlink_socket;
pub mod none;
#[cfg(feature = "perf")]
pub mod perf;
#[cfg(feature = "polling")]
pub mod polling;
pub mod portrait;
#[cfg(feature = "preload")]
pub mod preload;
pub mod priority;
pub mod procfs_lookup;
#[cfg(feature = "ptrace")]
pub mod ptrace;
pub mod registry;
pub mod remains;
pub mod seam;
#[cfg(any(feature = "audit", feature = "ptrace"))]
pub mod seccomp_filter;
pub mod setting;
pub mod stop;
#[cfg(feature = "tracefs")]
pub mod tracefs;
#[cfg(any(feature = "perf", feature = "tracefs"))]
pub mod tracing_fs;
#[cfg(any(feature = "ebpf", feature = "kmod", feature = "tracefs"))]
pub mod waiter;

pub use execlab_model::plan::CanaryKind;
pub use portrait::{Family, Portrait, Reach, Since};
pub use registry::{BACKENDS, find, variant};
pub use remains::Remains;
pub use seam::Seam;
pub use setting::{BadSetting, COMMON_SETTINGS, Kind, Setting, Settings};
pub use stop::Stop;

/// A technique with its reader.
pub trait Backend: Sync {
    /// Name in commands, results and reports: lower case, words joined by `-`.
    fn name(&self) -> &'static str;

    /// One line for lists and help.
    fn about(&self) -> &'static str;

    /// Which program holds it: the feature of this crate that it is built under, which it shares with the rows
    /// of its family. Empty where no program is needed.
    fn program(&self) -> &'static str;

    /// What it is, for people who choose.
    fn portrait(&self) -> Portrait;

    /// The last of the locked series on which it attaches, where newer kernels took away what it needs.
    fn until(&self) -> Option<&'static str> {
        None
    }

    /// Everything that can be set, each with its default and its tuned value.
    fn settings(&self) -> &'static [Setting] {
        &[]
    }

    /// What has to stand on the kernel's command line for the technique to work at all. The
    /// baselines of its trials are booted with it too, so that its own cost can be told apart.
    fn boot_options(&self) -> &'static [&'static str] {
        &[]
    }

    /// Kernel threads that work for it, by their names in `/proc/PID/comm`: what they use while it is
    /// attached is its cost. Work that the kernel does for it in the process that calls exec, or in
    /// an interrupt, is not a thread's and need not be named.
    fn kernel_threads(&self) -> &'static [&'static str] {
        &[]
    }

    /// What it changes on the machine that it watches, for people who are to agree to that.
    fn changes(&self) -> &'static [&'static str] {
        &[]
    }

    /// Why it is not for a machine that is to stay as it was: it changes what nobody can put back before the
    /// next boot. `None` where all can be.
    fn only_in_guests(&self) -> Option<&'static str> {
        None
    }

    /// What it leaves behind when it is killed; `None` where the kernel takes everything away with the
    /// process.
    fn remains(&self) -> Option<&'static dyn Remains> {
        None
    }

    /// What has to be executed to prove that it is attached.
    fn canary(&self) -> CanaryKind {
        CanaryKind::Payload
    }

    /// The kernel module that it loads: a name out of `kmod/`. It is built for each kernel on the user's machine, and is
    /// `/lib/execlab/NAME.ko` in a guest; where it cannot be built, `NAME.why` there says why.
    fn kernel_module(&self) -> Option<&'static str> {
        None
    }

    /// Sets of a distribution's programs (`vm/userland.toml`) that it needs in a guest; a host has its own.
    fn userland(&self) -> &'static [&'static str] {
        &[]
    }

    /// For a technique that reaches [`Reach::Descendants`] only: called in the process that is to be watched,
    /// just before its program is executed, while the monitor is attached. What is needed stays with the
    /// process over that exec: filters, variables, a tracer.
    fn launch(&self, _settings: &Settings) -> Result<(), AttachError> {
        Ok(())
    }

    /// What its sightings carry. What is not offered is never scored as wrong.
    fn offers(&self) -> Offers;

    /// Attaches to the running kernel. From the return on, every exec must be reported or its loss
    /// counted. Whatever is changed on the machine is put back when the monitor is dropped.
    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError>;

    /// Looks whether the running kernel has all that it needs, and changes nothing: what is seen here is
    /// there before anybody attaches, and it proves less than an attachment does.
    #[cfg(feature = "look")]
    fn look(&self, roots: &look::Roots) -> Vec<look::Finding>;
}

impl fmt::Debug for dyn Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The fields that a backend's sightings carry when all goes well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Offers {
    /// A process id of the initial namespace.
    pub pid: bool,
    /// The parent's process id.
    pub parent: bool,
    /// The real user id.
    pub uid: bool,
    /// A path of the executed file.
    pub path: bool,
    /// Arguments.
    pub argv: bool,
    /// A cgroup or a namespace.
    pub container: bool,
    /// The kernel's own time of the exec.
    pub time: bool,
    /// A way to know of losses.
    pub loss: bool,
}

impl Offers {
    /// The names of what is offered, for lists.
    pub fn names(self) -> Vec<&'static str> {
        let all = [
            (self.pid, "pid"),
            (self.parent, "parent"),
            (self.uid, "uid"),
            (self.path, "path"),
            (self.argv, "argv"),
            (self.container, "container"),
            (self.time, "time"),
            (self.loss, "loss"),
        ];
        let named = all
            .into_iter()
            .filter_map(|(offered, name)| offered.then_some(name));
        named.collect()
    }
}

/// A backend that is attached.
pub trait Monitor {
    /// What proves that it is attached, for people: socket options read back, program ids …
    fn evidence(&self) -> Vec<String>;

    /// Reports sightings until `stop` is raised, then everything that the kernel still holds, and
    /// returns. Duties: poll [`Stop::fd`] beside its own descriptors, call [`Seam::flush`] before
    /// each wait, and hand over loss reports as soon as they are known.
    fn run(&mut self, seam: &mut Seam, stop: &Stop) -> Result<(), MonitorError>;

    /// Anything worth telling that is no loss (resyncs, longest scan). Called once, after `run`.
    fn notes(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Why a backend could not attach.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// This kernel cannot do it; the text is the evidence.
    #[error("{0}")]
    Unsupported(String),
    /// A setting has a value that the backend cannot take.
    #[error(transparent)]
    Setting(#[from] BadSetting),
    /// It should have worked.
    #[error("{call} failed: {source}")]
    Call {
        /// The system call with what matters of its arguments.
        call: String,
        /// What it answered.
        source: std::io::Error,
    },
}

impl AttachError {
    /// For `map_err`: names the call that failed.
    pub fn call<E: Into<std::io::Error>>(call: impl Into<String>) -> impl FnOnce(E) -> Self {
        let call = call.into();
        move |error| Self::Call {
            call,
            source: error.into(),
        }
    }
}

/// Why a monitor could not go on.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// The seam could not be written.
    #[error("cannot hand over sightings: {0}")]
    Seam(#[from] seam::SeamWriteError),
    /// A call failed that it cannot do without.
    #[error("{call} failed: {source}")]
    Call {
        /// The system call with what matters of its arguments.
        call: String,
        /// What it answered.
        source: std::io::Error,
    },
}

impl MonitorError {
    /// For `map_err`: names the call that failed.
    pub fn call<E: Into<std::io::Error>>(call: impl Into<String>) -> impl FnOnce(E) -> Self {
        let call = call.into();
        move |error| Self::Call {
            call,
            source: error.into(),
        }
    }
}
