//! `memfd`: a program that lies in memory alone, called by its descriptor and by the name of that under
//! `/proc`. It is in no folder: `/memfd:NAME` is all the path there is.

use std::os::fd::AsRawFd;

use execlab_model::{Bytes, workload::Workload};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes,
    memory::{self, in_memory},
    worker::{dev_fd, give_to_children, labelled, proc_fd},
};
use crate::step::How;

/// See the module.
#[derive(Debug)]
pub struct Memfd;

impl Scenario for Memfd {
    fn name(&self) -> &'static str {
        "memfd"
    }

    fn about(&self) -> &'static str {
        "a program in memory, by its descriptor and by /proc/self/fd/N"
    }

    fn family(&self) -> Family {
        Family::Name
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let place = Place::here(ground)?;
        let name = c"worker";
        let memory = in_memory(&ground.payload, name)?;
        let fd = give_to_children(&memory, false)?;
        let number = fd.as_raw_fd();
        let site = |label, given: Bytes| {
            let site = memory::site(&place, given, number, name)?;
            Ok::<_, SetupError>(labelled(label, site))
        };
        let how = How::Execveat(number, libc::AT_EMPTY_PATH);
        let by_descriptor = Way::of([]).exec(how, "", site("descriptor", dev_fd(number))?);
        let by_name = Way::call(site("/proc/self/fd", bytes(&proc_fd(number)))?);
        Ok(Prepared {
            ways: vec![by_descriptor, by_name],
            guard: Some(Box::new(fd)),
            ..Prepared::default()
        })
    }
}
