//! `tracefs-kretprobe`: a return probe on `bprm_execve`, paired with a probe at its begin.
//!
//! # How it works
//!
//! Every exec goes through `bprm_execve` (5.9), of whatever system call and architecture, and of the kernel itself; it
//! returns 0 where the new image is in place. A return probe (`r:`) puts the address of its own code in the place of
//! the one to return to, and so has the result, in the context of the process with its final pid, and its name
//! (`$comm`): the last component of the string, 15 bytes of it. A probe at the begin of the function fetches the string
//! itself (`bprm->filename`, by the offset that the running kernel's types tell). A filter in the kernel lets only
//! returns of 0 through. Both are paired by thread. A call that only checks returns 0 as well (`AT_EXECVE_CHECK`, 6.14);
//! it is known by `bprm->is_check`.
//!
//! # Needs
//!
//! root; `CONFIG_KPROBE_EVENTS`, `CONFIG_DEBUG_INFO_BTF`. x86-64, for the register of the argument.
//!
//! # Why it loses
//!
//! For each call under way the kernel needs an instance of the return probe, and there are `maxactive` of them, made when
//! it is defined. By default there are as many as CPUs in older kernels without preemption, otherwise twice as many or
//! ten, whichever is more (`register_kretprobe`, `kernel/kprobes.c`; `rethook` takes its place from 6.0 on). An exec reads from disk and sleeps, so many are under
//! way at once in a storm, and the return of one that got no instance is not probed. The kernel counts it (`nmissed`,
//! the third column of `kprobe_profile`), failed calls and all, so the unit is events. `maxactive` raises the number.
//!
//! # What it cannot see
//!
//! - Where a relative path begins, and all that [`super::exec`] cannot see either: the string is what was passed.
//! - The string of an exec by a thread that is not the first: it began under its own id and returns under
//!   its process's. Of that only the name is left, a last component of at most 15 bytes.
//! - Parent, user, container and arguments: at the return no register leads to the task any more.
//!
//! # Cost
//!
//! Two probes and two events an exec. It buys nothing that [`super::exec`] does not have for less; it is here because
//! many tools are built so, and to show why they lose. Tuned costs less, among the least of the family: events gather
//! (`linger-ms`), and one wake-up takes many; sightings come later for it. `maxactive` costs memory, and buys returns
//! that would not be probed while many calls are under way.
//!
//! Sources: `Documentation/trace/kprobetrace.rst`, `Documentation/trace/kprobes.rst`, `kernel/trace/trace_kprobe.c`.

use std::rc::Rc;

use execlab_model::{
    Bytes,
    sighting::{LossUnit, Sighting},
};

use super::{
    BUFFERS,
    chain::{Arguments, Chain, Offsets},
    dynamic::{PROBE_CHANGES, PROBE_NEEDS, PROBE_SIGNALS, Probes, types},
    instance::Instance,
    start,
    watch::{Row, Watch},
};
use crate::{
    AttachError, Backend, Family, Kind, Monitor, MonitorError, Offers, Portrait, Reach, Remains,
    Seam, Setting, Settings, Since,
    procfs_lookup::name_instead_of_path,
    tracing_fs::{
        Tracefs,
        format::{Field, Format, event_id},
        pending::{MOST, Pending},
    },
};

const FUNCTION: &str = "bprm_execve";

/// See the module.
#[derive(Debug)]
pub struct TracefsKretprobe;

/// What can be set.
pub const SETTINGS: &[Setting] = &[
    BUFFERS[0],
    BUFFERS[1],
    BUFFERS[2],
    BUFFERS[3],
    super::linger("10"),
    Setting {
        name: "maxactive",
        help: "how many calls can be under way at once; 0: as many as the kernel has by default",
        kind: Kind::Number(0, 4096),
        default: "0",
        tuned: "4096",
    },
];

impl Backend for TracefsKretprobe {
    fn name(&self) -> &'static str {
        "tracefs-kretprobe"
    }

    fn about(&self) -> &'static str {
        "kretprobe event on bprm_execve, with the string from a kprobe at its begin"
    }

    fn program(&self) -> &'static str {
        "tracefs"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Tracefs,
            mechanism: "kprobe events at the begin and the return of bprm_execve, paired by thread",
            needs: PROBE_NEEDS,
            since: Since {
                release: "5.9 (bprm_execve; type information: 5.4; dynamic_events: 5.0)",
                series: None,
            },
            loss_signals: PROBE_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn changes(&self) -> &'static [&'static str] {
        PROBE_CHANGES
    }

    fn remains(&self) -> Option<&'static dyn Remains> {
        Some(&super::remains::OfTracefs)
    }

    fn offers(&self) -> Offers {
        Offers {
            pid: true,
            path: true,
            time: true,
            loss: true,
            ..Offers::default()
        }
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let btf = types()?;
        let mut offsets = Offsets::of(&btf);
        let bprm = Chain::first_argument();
        let mut arguments = Arguments::new(2);
        let filename = bprm.at(offsets.get("linux_binprm", "filename"));
        arguments.add("given", &filename.at(0), "string");
        // A single bit, in a kernel that has such calls.
        let check = btf.member("linux_binprm", "is_check");
        if let Some(member) = check {
            let byte = bprm.at(i64::from(member.bits / 8));
            arguments.add("checks", &byte, &format!("b1@{}/8", member.bits % 8));
        }
        let missing = offsets.missing();
        if !missing.is_empty() {
            return Err(AttachError::Unsupported(format!(
                "/sys/kernel/btf/vmlinux does not have {}",
                missing.join(", ")
            )));
        }

        let tracefs = Rc::new(Tracefs::open()?);
        // Before the instance, so that they go after it, where attaching fails too.
        let mut probes = Probes::new(&tracefs);
        let (mut instance, rings) = start(&tracefs, settings, LossUnit::Event)?;
        let entry = format!("{FUNCTION} {}", arguments.text());
        let entry = probes.add("p", "entry", &entry)?;
        let kind = match settings.number("maxactive") {
            0 => "r".to_owned(),
            number => format!("r{number}"),
        };
        let ret = format!("{FUNCTION} result=$retval:s32 name=$comm");
        let ret = probes.add(&kind, "return", &ret)?;
        let row = Calls {
            entry: Entry::of(&instance, &entry)?,
            ret: Return::of(&instance, &ret)?,
            begun: Pending::new(MOST),
        };
        instance.set(&format!("events/{ret}/filter"), "result == 0")?;
        instance.enable(&entry)?;
        instance.enable(&ret)?;
        let linger_ms = settings.number("linger-ms");
        Ok(Box::new(Watch::new(
            row,
            rings,
            instance,
            Some(probes),
            linger_ms,
        )))
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look_for_probes(roots)
    }
}

fn format(instance: &Instance, event: &str) -> Result<Format, AttachError> {
    let text = instance.event_file(event, "format")?;
    Format::parse(&text)
        .ok_or_else(|| AttachError::Unsupported(format!("the format of {event} is: {text}")))
}

fn field(format: &Format, name: &str) -> Result<Field, AttachError> {
    format
        .field(name)
        .ok_or_else(|| AttachError::Unsupported(format!("the event has no field `{name}`")))
}

/// Where the fields of the event at the begin are.
#[derive(Debug)]
struct Entry {
    id: u16,
    tid: Field,
    given: Field,
    checks: Option<Field>,
}

impl Entry {
    fn of(instance: &Instance, event: &str) -> Result<Self, AttachError> {
        let format = format(instance, event)?;
        Ok(Self {
            id: format.id,
            tid: field(&format, "common_pid")?,
            given: field(&format, "given")?,
            checks: format.field("checks"),
        })
    }
}

/// Where the fields of the event at the return are.
#[derive(Debug)]
struct Return {
    id: u16,
    tid: Field,
    name: Field,
}

impl Return {
    fn of(instance: &Instance, event: &str) -> Result<Self, AttachError> {
        let format = format(instance, event)?;
        Ok(Self {
            id: format.id,
            tid: field(&format, "common_pid")?,
            name: field(&format, "name")?,
        })
    }
}

#[derive(Debug)]
enum Call {
    Begun {
        tid: u32,
        given: Bytes,
        checks: bool,
    },
    /// With the name that the process has now.
    Done { tid: u32, name: Bytes },
}

#[derive(Debug)]
struct Calls {
    entry: Entry,
    ret: Return,
    /// The last call of each thread, and whether it only checks. Those that failed stay until the next, or until threads
    /// that failed and then ended are too many.
    begun: Pending<(Bytes, bool)>,
}

impl Row for Calls {
    type Event = Call;

    fn decode(&mut self, raw: &[u8]) -> Option<Call> {
        let id = event_id(raw)?;
        if id == self.entry.id {
            return Some(Call::Begun {
                tid: self.entry.tid.word(raw)?,
                given: self.entry.given.string(raw)?.into(),
                checks: self.entry.checks.and_then(|field| field.number(raw)) == Some(1),
            });
        }
        (id == self.ret.id).then_some(())?;
        Some(Call::Done {
            tid: self.ret.tid.word(raw)?,
            name: self.ret.name.string(raw)?.into(),
        })
    }

    fn take(
        &mut self,
        events: impl Iterator<Item = (u64, Call)>,
        received_ns: u64,
        seam: &mut Seam,
    ) -> Result<(), MonitorError> {
        for (time_ns, call) in events {
            let (tid, name) = match call {
                Call::Begun { tid, given, checks } => {
                    self.begun.begin(tid, (given, checks));
                    continue;
                }
                Call::Done { tid, name } => (tid, name),
            };
            let begun = self.begun.end(tid);
            if let Some((_, true)) = begun {
                continue;
            }
            let given = begun.map(|(given, _)| given);
            let mut sighting = Sighting {
                pid: Some(tid),
                time_ns: Some(time_ns),
                received_ns,
                path: given.clone(),
                given,
                ..Sighting::default()
            };
            name_instead_of_path(&name.0, &mut sighting);
            seam.sighting(sighting)?;
        }
        Ok(())
    }

    fn notes(&self) -> Vec<String> {
        let left = "calls were the last of their thread and were not seen to succeed, failed ones among them";
        vec![self.begun.note_of(left)]
    }
}
