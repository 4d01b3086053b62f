//! What the scheduler did, read from the pages that came home.

use execlab_backends::{
    tracefs::{
        losses::Stats,
        page::{Layout, Page, is_known_encoding},
    },
    tracing_fs::format::{Field, Format, event_id},
};
use execlab_model::{
    Bytes,
    sched::{SCHED_EVENTS, SchedTrace},
};

/// Below it are the states of a thread that waits; 0 is running. Above them stands that it was preempted
/// (`__trace_sched_switch_state`, `include/trace/events/sched.h`).
const STATES: u64 = 0x100;

/// A thread, as an event names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id in the initial PID namespace; 0 for the idle task.
    pub tid: u32,
    /// What it was called then.
    pub comm: Bytes,
}

/// A CPU was given from one thread to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// When, by `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Which CPU.
    pub cpu: u32,
    /// Who had it.
    pub from: Task,
    /// Whether that one could have gone on.
    pub preempted: bool,
    /// Who has it.
    pub to: Task,
}

/// A thread was made to run again, or for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wakeup {
    /// When, by `CLOCK_MONOTONIC`.
    pub at_ns: u64,
    /// Who was running there and then: in whose name it was woken, or whom an interrupt found.
    pub by: u32,
    /// Who was woken.
    pub task: Task,
}

/// All of it, in the order of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scheduled {
    /// Why there is nothing, or not all.
    pub problem: Option<String>,
    /// `sched_switch`.
    pub switches: Vec<Switch>,
    /// `sched_waking` and `sched_wakeup_new`: the two in which it is known who wakes. `sched_wakeup` follows the former.
    pub wakeups: Vec<Wakeup>,
    /// Events of any kind that were read.
    pub events: u64,
    /// Events that the kernel lost, by its own word.
    pub lost: u64,
    /// Pages that did not fit on the way home.
    pub left_out: u64,
    /// Threads of the monitor.
    pub monitor: Vec<u32>,
}

impl Scheduled {
    /// Reads a trace. What cannot be read is a problem that is told; what was read before it stands.
    pub fn read(trace: &SchedTrace) -> Self {
        let mut read = Self {
            problem: trace.problem.clone(),
            monitor: trace.monitor.clone(),
            ..Self::default()
        };
        if read.problem.is_none()
            && let Err(problem) = read.pages(trace)
        {
            read.problem = Some(problem);
        }
        // Buffers of several CPUs come one behind the other.
        read.switches
            .sort_by_key(|switch| (switch.at_ns, switch.cpu));
        read.wakeups.sort_by_key(|wakeup| wakeup.at_ns);
        read
    }

    fn pages(&mut self, trace: &SchedTrace) -> Result<(), String> {
        let layout =
            Layout::parse(&trace.header_page).ok_or("its header_page is of another form")?;
        if !is_known_encoding(&trace.header_event) {
            return Err("its header_event is of another form".into());
        }
        let [switch, waking, _, new] = SCHED_EVENTS.map(|name| Kind::find(trace, name));
        let (switch, waking, new) = (switch?, waking?, new?);
        for cpu in &trace.cpus {
            let stats = Stats::parse(&cpu.stats).ok_or("its stats are of another form")?;
            for lost in [stats.overrun, stats.commit_overrun, stats.dropped] {
                self.lost = self.lost.saturating_add(lost);
            }
            self.left_out = self.left_out.saturating_add(cpu.left_out);
            for raw in &cpu.pages {
                let page =
                    Page::parse(layout, raw.as_slice()).map_err(|error| error.to_string())?;
                let read = page.events(|at_ns, event| {
                    self.events += 1;
                    let id = event_id(event);
                    if id == Some(switch.format.id) {
                        self.switches.extend(switch.switch(at_ns, cpu.cpu, event));
                    } else if let Some(kind) = [&waking, &new]
                        .into_iter()
                        .find(|k| id == Some(k.format.id))
                    {
                        self.wakeups.extend(kind.wakeup(at_ns, event));
                    }
                });
                read.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }
}

/// An event with its format.
struct Kind {
    format: Format,
}

impl Kind {
    fn find(trace: &SchedTrace, name: &str) -> Result<Self, String> {
        let text = trace.formats.iter().find(|(known, _)| known == name);
        let format = text.and_then(|(_, text)| Format::parse(text));
        let format = format.ok_or_else(|| format!("its format of {name} is of another form"))?;
        Ok(Self { format })
    }

    fn number(&self, name: &str, event: &[u8]) -> Option<u64> {
        self.format.field(name)?.number(event)
    }

    fn task(&self, tid: &str, comm: &str, event: &[u8]) -> Option<Task> {
        let field = |name: &str| -> Option<Field> { self.format.field(name) };
        Some(Task {
            tid: field(tid)?.word(event)?,
            comm: field(comm)?.string(event)?.into(),
        })
    }

    fn switch(&self, at_ns: u64, cpu: u32, event: &[u8]) -> Option<Switch> {
        Some(Switch {
            at_ns,
            cpu,
            from: self.task("prev_pid", "prev_comm", event)?,
            preempted: self.number("prev_state", event)? % STATES == 0,
            to: self.task("next_pid", "next_comm", event)?,
        })
    }

    fn wakeup(&self, at_ns: u64, event: &[u8]) -> Option<Wakeup> {
        Some(Wakeup {
            at_ns,
            by: self.format.field("common_pid")?.word(event)?,
            task: self.task("pid", "comm", event)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use execlab_model::{
        plan::BackendSpec,
        result::Lab,
        workload::{Load, Spawn, Workload},
    };
    use proptest::prelude::*;

    use super::*;
    use crate::{lab::fake, plan::TrialSpec, replay::again::with_scheduler};

    fn trace(execs: u32) -> SchedTrace {
        let trial = TrialSpec {
            id: String::new(),
            kernel: "6.1".into(),
            backend: BackendSpec::none("default"),
            program: None,
            boot: Vec::new(),
            workload: Workload {
                scenario: "absolute".into(),
                load: Load::Closed,
                execs,
                lifetime_ns: 0,
                spawn: Spawn::Vfork,
                population: 0,
            },
            lab: Lab::Exact,
            cpus: 1,
            seed: 0,
        };
        fake::sched::of(&with_scheduler(&trial)).expect("it was asked for")
    }

    #[test]
    fn switches_and_wakeups_are_read_over_several_pages() {
        let trace = trace(50);
        assert!(trace.cpus[0].pages.len() > 2);
        let read = Scheduled::read(&trace);
        assert_eq!((read.problem, read.events, read.lost), (None, 250, 3));
        assert_eq!((read.switches.len(), read.wakeups.len()), (200, 50));
        let [first, second, ..] = read.switches.as_slice() else {
            panic!("{:?}", read.switches);
        };
        assert_eq!(
            (first.at_ns, first.from.tid, first.to.tid),
            (109_999, 0, 1_000)
        );
        assert_eq!(second.to.comm, "execlab-monitor".into());
        assert!(first.preempted && second.preempted && !read.switches[2].preempted);
        let woken = &read.wakeups[0];
        assert_eq!(
            (woken.at_ns, woken.by, woken.task.tid),
            (111_000, 1_000, 900)
        );
    }

    #[test]
    fn what_is_of_another_form_is_told() {
        let with = |change: &dyn Fn(&mut SchedTrace)| {
            let mut trace = trace(2);
            change(&mut trace);
            Scheduled::read(&trace).problem.expect("it cannot be read")
        };
        assert_eq!(
            with(&|trace| trace.header_page.clear()),
            "its header_page is of another form"
        );
        assert_eq!(
            with(&|trace| trace.formats[1].1.clear()),
            "its format of sched/sched_waking is of another form"
        );
        assert_eq!(
            with(&|trace| trace.problem = Some("cannot make it".into())),
            "cannot make it"
        );
    }

    proptest! {
        #[test]
        fn no_page_is_too_odd(
            odd in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..4),
            keep: u8,
        ) {
            let mut trace = trace(5);
            let cut = trace.cpus[0].pages[0].0[..usize::from(keep)].to_vec();
            trace.cpus[0].pages = odd.into_iter().chain([cut]).map(Bytes).collect();
            let most = u64::MAX;
            trace.cpus[0].stats = format!("overrun: {most}\ncommit overrun: {most}\ndropped events: 1\n");
            let read = Scheduled::read(&trace);
            prop_assert_eq!(read.lost, most);
            prop_assert!(read.problem.is_some(), "a page that was cut is none");
        }
    }
}
