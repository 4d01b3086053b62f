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
            self.lost += stats.overrun + stats.commit_overrun + stats.dropped;
            self.left_out += cpu.left_out;
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
            // 0 is running; the bit above all states says that it was preempted (`__trace_sched_switch_state`).
            preempted: self.number("prev_state", event)? & 0xff == 0,
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
