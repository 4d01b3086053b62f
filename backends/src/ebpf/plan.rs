//! What a row is to the loader: which programs of which object, and what is set in them.

use super::{
    cgroup::Cgroup,
    hook::{At, Hook},
};
use crate::{BadSetting, Kind, Setting, Settings};

macro_rules! object {
    ($name:literal) => {
        aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/", $name, ".bpf.o"))
    };
}

/// On the typed raw tracepoint, with every choice that it has.
pub(super) static EXEC: &[u8] = object!("exec");
/// Pointers without types: raw tracepoint, tracepoint, kprobes.
pub(super) static PROBES: &[u8] = object!("probes");
/// fentry and fexit.
pub(super) static TRAMPOLINE: &[u8] = object!("trampoline");
/// Security hooks.
pub(super) static LSM: &[u8] = object!("lsm");
/// Entry and exit of the system call.
pub(super) static EXECSNOOP: &[u8] = object!("execsnoop");

/// Places for each CPU in which security hooks write (`SLOTS` in `bpf/lsm.bpf.c`).
const LSM_SLOTS: u32 = 4;

/// What a row has of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Technique {
    /// The compiled object.
    pub object: &'static [u8],
    /// Its programs, in the order in which they are attached.
    pub hooks: &'static [Hook],
    /// A function of the kernel that they call, and that not every kernel has.
    pub function: Option<&'static str>,
}

impl Technique {
    /// With one program.
    pub(super) const fn one(object: &'static [u8], hook: &'static Hook) -> Self {
        Self {
            object,
            hooks: std::slice::from_ref(hook),
            function: None,
        }
    }

    /// How many places for each CPU its programs write in.
    pub(super) fn slots(&self) -> u32 {
        let lsm = |hook: &Hook| matches!(hook.at, At::Lsm(_) | At::SleepableLsm(_));
        if self.hooks.iter().any(lsm) {
            LSM_SLOTS
        } else {
            1
        }
    }
}

/// A number that is set in a program before it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    U32(u32),
    U64(u64),
}

/// All that is to be known to attach.
#[derive(Debug)]
pub(super) struct Plan {
    pub technique: Technique,
    /// One buffer for each CPU, and no ring.
    pub perf: bool,
    /// Bytes of the buffer.
    pub bytes: u32,
    /// See the setting.
    pub linger_ms: u16,
    /// How often the reader looks by its own clock; 0: it is woken.
    pub batch_ms: u16,
    /// What is set in the programs.
    pub globals: Vec<(&'static str, Global)>,
    /// Maps of another size than in the object.
    pub sizes: Vec<(&'static str, u32)>,
    /// The one that the programs leave out.
    pub cgroup: Option<Cgroup>,
}

const PAGE: u32 = 4096;

/// Size of the ring.
pub(super) const PAGES: Setting = Setting {
    name: "buffer-pages",
    help: "size of that buffer in pages, a power of two (perf: for each CPU)",
    kind: Kind::Number(1, 1 << 16),
    default: "64",
    tuned: "1024",
};
/// What a reader does once it is woken.
pub(super) const LINGER: Setting = Setting {
    name: "linger-ms",
    help: "how long the reader, once woken, lets more records gather before it takes them all",
    kind: Kind::Number(0, 10_000),
    default: "0",
    tuned: "10",
};
/// How much is copied of the arguments.
pub(super) const ARGV: Setting = Setting {
    name: "argv-bytes",
    help: "how many bytes of arguments are copied at most; 0 copies none",
    kind: Kind::Number(0, 32_767),
    default: "4096",
    tuned: "4096",
};
/// When the kernel's half wakes the reader.
pub(super) const BATCH: Setting = Setting {
    name: "batch-bytes",
    help: "the reader is woken only once so many bytes wait in the ring, and looks by its own clock; 0: by the first record",
    kind: Kind::Number(0, 1 << 28),
    default: "0",
    tuned: "0",
};
/// That clock.
pub(super) const BATCH_MS: Setting = Setting {
    name: "batch-ms",
    help: "how often the reader looks where batch-bytes is set",
    kind: Kind::Number(1, 10_000),
    default: "100",
    tuned: "100",
};

/// Of rows with a ring, whose programs read arguments.
pub(super) const RING: &[Setting] = &[PAGES, LINGER, BATCH, BATCH_MS, ARGV];
/// Of rows with a ring, whose programs read none.
pub(super) const RING_WITHOUT_ARGV: &[Setting] = &[PAGES, LINGER, BATCH, BATCH_MS];

impl Plan {
    /// Of a row that has [`RING`], or [`RING_WITHOUT_ARGV`], among its settings.
    pub(super) fn ring(technique: Technique, settings: &Settings) -> Result<Self, BadSetting> {
        let mut plan = Self::buffered(technique, settings, false)?;
        let batch = settings.number(BATCH.name);
        if batch > 0 {
            plan.globals.push(("batch_bytes", Global::U64(batch)));
            plan.batch_ms = millis(settings, BATCH_MS.name);
        }
        Ok(plan)
    }

    /// Of a row that has [`PAGES`] and [`LINGER`] at least.
    pub(super) fn buffered(
        technique: Technique,
        settings: &Settings,
        perf: bool,
    ) -> Result<Self, BadSetting> {
        let pages = settings.number(PAGES.name);
        let bytes = u32::try_from(pages)
            .ok()
            .filter(|pages| pages.is_power_of_two())
            .map(|pages| pages * PAGE)
            .ok_or_else(|| BadSetting::Value {
                name: PAGES.name,
                value: pages.to_string(),
                takes: "a power of two from 1 to 65536".into(),
            })?;
        let linger_ms = millis(settings, LINGER.name);
        let force_wakeup_at = if linger_ms > 0 {
            u64::from(bytes / 2)
        } else {
            0
        };
        Ok(Self {
            technique,
            perf,
            bytes,
            linger_ms,
            batch_ms: 0,
            globals: vec![("force_wakeup_at", Global::U64(force_wakeup_at))],
            sizes: Vec::new(),
            cgroup: None,
        })
    }

    /// With the arguments that [`ARGV`] says.
    pub(super) fn with_argv(mut self, settings: &Settings) -> Self {
        let limit = u32::try_from(settings.number(ARGV.name)).unwrap_or(u32::MAX);
        self.globals.push(("argv_limit", Global::U32(limit)));
        self
    }

    /// With a number of its own set.
    pub(super) fn with(mut self, name: &'static str, value: Global) -> Self {
        self.globals.push((name, value));
        self
    }

    /// The smallest that serves to see whether the kernel takes the programs.
    #[cfg(feature = "look")]
    pub(super) fn smallest(technique: Technique) -> Self {
        Self {
            technique,
            perf: false,
            bytes: PAGE,
            linger_ms: 0,
            batch_ms: 0,
            globals: Vec::new(),
            sizes: Vec::new(),
            cgroup: None,
        }
    }

    /// Bytes of the ring, which is there in any case.
    pub(super) fn ring_bytes(&self) -> u32 {
        if self.perf { PAGE } else { self.bytes }
    }

    /// Pages of each perf buffer.
    pub(super) fn pages(&self) -> usize {
        usize::try_from(self.bytes / PAGE).expect("32 bits fit")
    }
}

fn millis(settings: &Settings, name: &str) -> u16 {
    u16::try_from(settings.number(name)).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Technique = Technique {
        object: &[],
        hooks: &[],
        function: None,
    };

    fn given(values: &[(&str, &str)]) -> Settings {
        let values = values.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        Settings::new(RING, values.collect()).unwrap()
    }

    #[test]
    fn a_size_that_is_no_power_of_two_is_refused_before_anything_is_done() {
        assert!(matches!(
            Plan::ring(NONE, &given(&[("buffer-pages", "3")])),
            Err(BadSetting::Value {
                name: "buffer-pages",
                ..
            })
        ));
    }

    #[test]
    fn a_reader_that_is_not_woken_looks_by_its_own_clock_and_no_other_does() {
        let woken = Plan::ring(NONE, &given(&[("batch-ms", "7")])).unwrap();
        assert_eq!(woken.batch_ms, 0);
        let looks = Plan::ring(NONE, &given(&[("batch-ms", "7"), ("batch-bytes", "9")])).unwrap();
        assert_eq!(looks.batch_ms, 7);
        assert!(looks.globals.contains(&("batch_bytes", Global::U64(9))));
    }
}
