//! A sighting of a call that waits at its entry.

use execlab_model::sighting::Sighting;

use super::{
    call::{Memory, Request},
    resolve::{self, Found},
    walker::Walker,
};
use crate::{
    clock::monotonic_ns,
    procfs_lookup::{Depth, Procfs},
};

/// What is kept from call to call.
#[derive(Debug)]
pub struct Reader {
    proc: Procfs,
    memory: Memory,
    depth: Depth,
    feasible_only: bool,
    calls: u64,
    /// Left out: the file is not there, or may not be executed.
    refused: u64,
    /// Left out: they only asked.
    asked: u64,
    walker: Walker,
    /// Their path was not walked to its end.
    given_up: u64,
    /// Reported without a path or without arguments.
    unread: u64,
}

impl Reader {
    /// With `feasible_only`, calls that cannot succeed as far as is known are left out.
    pub fn new(proc: Procfs, depth: Depth, feasible_only: bool) -> Self {
        Self {
            proc,
            memory: Memory::default(),
            depth,
            feasible_only,
            calls: 0,
            refused: 0,
            asked: 0,
            walker: Walker::default(),
            given_up: 0,
            unread: 0,
        }
    }

    /// What has to be read of a call of thread `tid` while it waits; `None` where it is not to be reported. Of the files of
    /// others only names are walked, and not for ever ([`resolve`]). The thread's memory is waited for: see `notify`.
    pub fn read(&mut self, tid: u32, request: &Request) -> Option<(Sighting, Found)> {
        self.calls += 1;
        let mut sighting = Sighting {
            received_ns: monotonic_ns(),
            ..Sighting::default()
        };
        let exec = request.exec()?;
        if exec.only_asks() {
            self.asked += 1;
            return None;
        }
        let mut found = Found::default();
        if self.depth != Depth::Nothing || self.feasible_only {
            self.memory.turn_to(tid.cast_signed());
            sighting.given = self.memory.path(&exec);
            if let Some(given) = &sighting.given {
                found = resolve::find(tid, &exec, given.as_slice(), &mut self.walker);
                self.given_up += u64::from(found.given_up);
            }
            if let Some((argv, cut)) = self.memory.argv(&exec) {
                sighting.argv = Some(argv);
                sighting.truncated = cut;
            }
            self.unread += u64::from(sighting.given.is_none() || sighting.argv.is_none());
        }
        self.look_up(tid, &mut sighting);
        Some((sighting, found))
    }

    /// The rest, when the call does not wait any more; `None` where it is not to be reported. With `feasible_only` the file's
    /// filesystem is asked, for as long as it likes ([`Found::ask`]).
    pub fn finish(&mut self, (mut sighting, mut found): (Sighting, Found)) -> Option<Sighting> {
        found.ask(self.feasible_only);
        if self.feasible_only && found.refused.is_some() {
            self.refused += 1;
            return None;
        }
        (sighting.path, sighting.file) = (found.path, found.file);
        Some(sighting)
    }

    /// The process of the thread: after its exec it has the process's number.
    fn look_up(&mut self, tid: u32, sighting: &mut Sighting) {
        let Some(thread) = self.proc.process(tid) else {
            return;
        };
        let Some(status) = thread.status(&mut self.proc) else {
            return;
        };
        sighting.pid = status.tgid;
        if self.depth != Depth::Full {
            return;
        }
        sighting.ppid = status.ppid;
        sighting.uid = status.uid;
        sighting.container = thread.container(&mut self.proc);
        sighting.ns_pid = if status.tgid == Some(tid) {
            status.ns_pid
        } else {
            let leader = status.tgid.and_then(|tgid| self.proc.process(tgid));
            leader.and_then(|leader| leader.status(&mut self.proc)?.ns_pid)
        };
    }

    /// For people.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = vec![format!("{} calls of exec", self.calls)];
        let mut some = |count: u64, what: &str| {
            if count > 0 {
                notes.push(format!("{count} {what}"));
            }
        };
        some(
            self.refused,
            "left out: the file was not there, or could not be executed",
        );
        some(self.asked, "left out: they only asked (AT_EXECVE_CHECK)");
        some(
            self.given_up,
            "whose path was not walked, because that took more than a second",
        );
        some(self.unread, "whose path or arguments could not be read");
        notes
    }
}
