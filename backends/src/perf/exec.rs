//! `perf-exec`: the tracepoint `sched_process_exec` through perf's rings.
//!
//! The tracepoint (3.4) is reached once for each exec that succeeded (`exec_binprm`, `fs/exec.c`), 32-bit
//! callers and helpers of the kernel included, when the process has its id and its credentials of after. It
//! carries the string of the call (`bprm->filename`): relative where that was, a symbolic link's name, and
//! `/dev/fd/N` for an `execveat` by descriptor. That string is reported as the path, and as such; with
//! `lookup=full` the executed file stands over it where `/proc` still has it. Of a script the string is the
//! script.
//!
//! What it cannot see, beside what the family cannot ([`super`]): the folder of a relative path, unless it is
//! looked up in time. ftrace's text of the same tracepoint ends at a page; here a path of 4,095 bytes comes
//! whole.
//!
//! # Cost
//!
//! Default is the cheapest of the family: one record of one tracepoint, and nothing is looked up. It tells pid, cgroup
//! and the string of the call. Tuned costs many times as much. It looks each process up in `/proc`, and has real-time
//! priority, so that on one CPU the lookup is made before the program runs on: that buys the executed file, arguments,
//! parent and user of every exec. The larger rings cost memory.

use execlab_model::sighting::{ContainerHint, LossUnit, Sighting};

use super::{
    LOSS_SIGNALS, NEEDS, OFFERS, SETTINGS,
    monitor::{Reader, Reading},
    record::{Record, What},
    resolver::Resolver,
    rings::Event,
    tracepoint::Tracepoint,
};
use crate::{
    AttachError, Backend, Family, Monitor, Offers, Portrait, Reach, Setting, Settings, Since,
    clock::monotonic_ns,
    tracing_fs::{Tracefs, format::Field},
};

const TRACEPOINT: &str = "sched/sched_process_exec";

/// See the module.
#[derive(Debug)]
pub struct Exec;

impl Backend for Exec {
    fn name(&self) -> &'static str {
        "perf-exec"
    }

    fn about(&self) -> &'static str {
        "the tracepoint sched_process_exec through perf's rings, with the cgroup of each exec"
    }

    fn program(&self) -> &'static str {
        "perf"
    }

    fn portrait(&self) -> Portrait {
        Portrait {
            family: Family::Perf,
            mechanism: "a sample of the tracepoint sched_process_exec in a ring of each CPU",
            needs: NEEDS,
            since: Since {
                release: "5.7 (PERF_SAMPLE_CGROUP; the tracepoint: 3.4)",
                series: None,
            },
            loss_signals: LOSS_SIGNALS,
            reach: Reach::System,
        }
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn offers(&self) -> Offers {
        OFFERS
    }

    fn attach(&self, settings: &Settings) -> Result<Box<dyn Monitor>, AttachError> {
        let tracepoint = Tracepoint::find(&Tracefs::alone()?, TRACEPOINT)?;
        let reader = Execs {
            filename: tracepoint.field("filename")?,
        };
        Reading::attach(
            &[Event::Tracepoint(tracepoint.id())],
            reader,
            LossUnit::Exec,
            vec![tracepoint.evidence()],
            settings,
        )
    }

    #[cfg(feature = "look")]
    fn look(&self, roots: &crate::look::Roots) -> Vec<crate::look::Finding> {
        super::look::look(roots, &[TRACEPOINT])
    }
}

#[derive(Debug)]
struct Execs {
    filename: Field,
}

impl Reader for Execs {
    fn take(&mut self, record: Record, out: &mut Resolver) {
        let What::Sample { raw, cgroup_id } = record.what else {
            return;
        };
        let given = self.filename.string(&raw).map(Into::into);
        out.push(Sighting {
            pid: Some(record.pid),
            time_ns: Some(record.time_ns),
            received_ns: monotonic_ns(),
            path: given.clone(),
            given,
            container: ContainerHint {
                cgroup_id: Some(cgroup_id),
                ..ContainerHint::default()
            },
            ..Sighting::default()
        });
    }

    fn finish(&mut self, _: &mut Resolver) {}
}
