//! `memfd-sealed`: a copy of the program in a memfd that nobody can change any more. Container runtimes go on in such
//! a copy of themselves, so that no container can write to theirs: here by the child itself, and by an image of
//! the file that executes its own copy. The memfd is named as runc names it, slashes and all.

use std::os::fd::AsRawFd;

use execlab_model::{Bytes, workload::Workload};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    chain::chain,
    memory::{self, in_memory, seal},
    worker::{Worker, dev_fd, give_to_children, labelled, proc_fd},
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct MemfdSealed;

impl Scenario for MemfdSealed {
    fn name(&self) -> &'static str {
        "memfd-sealed"
    }

    fn about(&self) -> &'static str {
        "a sealed copy of the program in memory, at once and by the program itself"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let worker = Worker::install(ground)?;
        let name = c"runc_cloned:/proc/self/exe";
        let memory = in_memory(&ground.payload, name)?;
        seal(&memory)?;
        // The image between has to have it as well.
        let fd = give_to_children(&memory, true)?;
        let number = fd.as_raw_fd();
        let site = |label, given: Bytes| {
            let site = memory::site(&worker.place, given, number, name)?;
            Ok::<_, SetupError>(labelled(label, site))
        };
        let how = How::Execveat(number, libc::AT_EMPTY_PATH);
        let at_once = Way::of([]).exec(how, "", site("at once", dev_fd(number))?);
        let by_itself = chain(
            "exec",
            [
                labelled("before", worker.site()?),
                site("by the program", bytes(&proc_fd(number)))?,
            ],
        );
        Ok(Prepared {
            ways: vec![at_once, by_itself],
            guard: Some(Box::new(fd)),
            ..Prepared::default()
        })
    }
}
