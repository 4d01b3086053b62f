//! What the scheduler of a machine that is none did: pages as a kernel writes them.

use execlab_model::{
    Bytes,
    sched::{CpuTrace, SCHED_EVENTS, SCHED_TRACE, SchedTrace},
};

use super::record;
use crate::plan::TrialSpec;

const MONITOR: u32 = 900;
const PAGE: usize = 4096;
/// As `events/header_page` and `events/header_event` of Linux 6.18 have them.
const HEADER_PAGE: &str = "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;
\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;
\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;
\tfield: char data;\toffset:16;\tsize:4080;\tsigned:0;
";
const HEADER_EVENT: &str = "# compressed entry header
\ttype_len    :    5 bits
\ttime_delta  :   27 bits
\tarray       :   32 bits

\tpadding     : type == 29
\ttime_extend : type == 30
\ttime_stamp : type == 31
\tdata max type_len  == 28
";
const COMMON: &str = "format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;
\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;
\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;
\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;

";
const SWITCH: &str = "\tfield:char prev_comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t prev_pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:int prev_prio;\toffset:28;\tsize:4;\tsigned:1;
\tfield:long prev_state;\toffset:32;\tsize:8;\tsigned:1;
\tfield:char next_comm[16];\toffset:40;\tsize:16;\tsigned:0;
\tfield:pid_t next_pid;\toffset:56;\tsize:4;\tsigned:1;
\tfield:int next_prio;\toffset:60;\tsize:4;\tsigned:1;
";
const WAKEUP: &str = "\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;
\tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;
\tfield:int prio;\toffset:28;\tsize:4;\tsigned:1;
\tfield:int target_cpu;\toffset:32;\tsize:4;\tsigned:1;
";
/// What stands in `common_type`, in the order of [`SCHED_EVENTS`].
const IDS: [u16; 4] = [316, 318, 319, 317];

/// Of a trial that asks for it: for each exec its process runs, wakes the monitor, and the monitor runs.
pub(crate) fn of(trial: &TrialSpec) -> Option<SchedTrace> {
    trial.backend.settings.get(SCHED_TRACE)?;
    let truth = record::truth(trial);
    let mut events = Vec::new();
    for exec in &truth.execs {
        let (storm, monitor) = ((exec.pid, "true"), (MONITOR, "execlab-monitor"));
        let (began, ended) = (exec.started_ns, exec.ended_ns);
        events.push((began - 1, switch((0, "swapper/0"), 0, storm)));
        events.push((began + 1_000, wakeup(IDS[1], exec.pid, monitor)));
        events.push((began + 2_000, switch(storm, 0x100, monitor)));
        events.push((began + 6_000, switch(monitor, 1, storm)));
        events.push((ended - 1, switch(storm, 0x40, (0, "swapper/0"))));
    }
    let formats = SCHED_EVENTS.iter().zip(IDS).map(|(name, id)| {
        let fields = if id == IDS[0] { SWITCH } else { WAKEUP };
        let text = format!("name: {name}\nID: {id}\n{COMMON}{fields}");
        ((*name).to_owned(), text)
    });
    Some(SchedTrace {
        problem: None,
        header_page: HEADER_PAGE.into(),
        header_event: HEADER_EVENT.into(),
        formats: formats.collect(),
        cpus: vec![CpuTrace {
            cpu: 0,
            stats: "entries: 0\noverrun: 0\ncommit overrun: 0\ndropped events: 3\n".into(),
            pages: pages(&events),
            left_out: 0,
        }],
        monitor: vec![MONITOR],
    })
}

fn comm(name: &str) -> [u8; 16] {
    let mut comm = [0; 16];
    comm[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

fn switch(from: (u32, &str), state: u64, to: (u32, &str)) -> Vec<u8> {
    let mut event = head(IDS[0], from.0);
    event.extend(comm(from.1));
    event.extend(from.0.to_ne_bytes());
    event.extend(120_u32.to_ne_bytes());
    event.extend(state.to_ne_bytes());
    event.extend(comm(to.1));
    event.extend(to.0.to_ne_bytes());
    event.extend(120_u32.to_ne_bytes());
    event
}

fn wakeup(id: u16, by: u32, woken: (u32, &str)) -> Vec<u8> {
    let mut event = head(id, by);
    event.extend(comm(woken.1));
    event.extend(woken.0.to_ne_bytes());
    event.extend(120_u32.to_ne_bytes());
    event.extend(0_u32.to_ne_bytes());
    event
}

fn head(id: u16, pid: u32) -> Vec<u8> {
    let mut event = id.to_ne_bytes().to_vec();
    event.extend([0, 0]);
    event.extend(pid.to_ne_bytes());
    event
}

/// Events behind each other, each with the time since the one before it, and as many pages as that takes.
fn pages(events: &[(u64, Vec<u8>)]) -> Vec<Bytes> {
    const HEADER: usize = 16;
    let mut pages = Vec::new();
    let mut rest = events;
    while let Some((first, _)) = rest.first() {
        let (mut data, mut last) = (Vec::new(), *first);
        while let Some(((at, event), behind)) = rest.split_first()
            && data.len() + event.len() + 4 <= PAGE - HEADER
        {
            let delta = u32::try_from(at - last).expect("execs are close to each other");
            let words = u32::try_from(event.len() / 4).expect("events are short");
            data.extend((delta << 5 | words).to_ne_bytes());
            data.extend(event);
            (last, rest) = (*at, behind);
        }
        let mut page = first.to_ne_bytes().to_vec();
        page.extend((data.len() as u64).to_ne_bytes());
        page.extend(data);
        page.resize(PAGE, 0);
        pages.push(page.into());
    }
    pages
}
