//! `nested-pid-namespace`: execs three PID namespaces deep. Each process has a number on every level; truth's
//! is that of the initial namespace, and the image itself knows the innermost only.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use execlab_model::workload::Workload;
use nix::{
    fcntl::OFlag,
    sched::{CloneFlags, setns},
    unistd::{ForkResult, fork, pause, pipe2},
};

use super::{
    Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, die_with_parent, install,
    namespaces,
    tenant::{Tenant, only_child, unshare},
};

/// Levels below the one of the first process 1.
const FURTHER: u32 = 2;

/// See the module.
#[derive(Debug)]
pub struct NestedPidNamespace;

impl Scenario for NestedPidNamespace {
    fn name(&self) -> &'static str {
        "nested-pid-namespace"
    }

    fn about(&self) -> &'static str {
        "born three PID namespaces deep: four numbers for one process"
    }

    fn family(&self) -> Family {
        Family::Where
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let file = ground.dir.join("bin/worker");
        install(&ground.payload, &file)?;
        unshare(CloneFlags::CLONE_NEWPID)?;
        let first = Tenant::start(|| nest(FURTHER))?;
        let mut helpers = vec![first.pid()];
        for _ in 0..FURTHER {
            helpers.push(only_child(helpers[helpers.len() - 1])?);
        }
        let innermost = format!("/proc/{}/ns", helpers[helpers.len() - 1]);
        let door = format!("{innermost}/pid");
        let children = File::open(&door).map_err(SetupError::at(format!("open {door}")))?;
        // For children from now on; this process stays where it is (`pid_namespaces(7)`).
        setns(children, CloneFlags::CLONE_NEWPID).map_err(SetupError::at(
            "have children in the innermost PID namespace",
        ))?;
        let place = Place {
            namespaces: namespaces(innermost.as_ref())?,
            ..Place::here(ground)?
        };
        let site = place.site(bytes(&file), "/", &file)?;
        Ok(Prepared {
            helpers,
            guard: Some(Box::new(first)),
            ..Prepared::ways([Way::plain(site)])
        })
    }
}

/// In process 1 of a namespace: makes so many namespaces below, each with a process 1 that sleeps.
fn nest(levels: u32) -> Result<(), SetupError> {
    if levels == 0 {
        return Ok(());
    }
    unshare(CloneFlags::CLONE_NEWPID)?;
    let (answer, report) = pipe2(OFlag::O_CLOEXEC).map_err(SetupError::at("make a pipe"))?;
    // SAFETY: this process has one thread, so the child may run any code.
    match unsafe { fork() }.map_err(SetupError::at("fork a process 1"))? {
        ForkResult::Parent { .. } => {
            drop(report);
            let there = File::from(answer).read(&mut [0]);
            there
                .and_then(|n| {
                    (n > 0)
                        .then_some(())
                        .ok_or(io::ErrorKind::UnexpectedEof.into())
                })
                .map_err(SetupError::at(format!(
                    "make {levels} PID namespaces below another"
                )))
        }
        ForkResult::Child => {
            die_with_parent();
            drop(answer);
            if nest(levels - 1).is_ok() {
                // Without its parent there is nobody to tell.
                let _ = File::from(report).write_all(&[1]);
            }
            loop {
                pause();
            }
        }
    }
}
