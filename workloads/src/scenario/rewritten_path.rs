//! `rewritten-path`: a path that is another one when the call is made than when the kernel copies it.
//!
//! It is the first thing that the kernel copies, so there is no later place in the call to wait at; there are
//! two earlier ones:
//!
//! | site | what happens |
//! |---|---|
//! | `notified` | a seccomp filter holds the call, and the path of a decoy, another file, becomes the real one meanwhile. A wrapper in the C library, a tracer that stops at system calls and a seccomp supervisor have the decoy; tracepoints and probes at the entry come after the filter (`syscall_trace_enter`, kernel/entry/common.c) and have the real one |
//! | `absent` | the path lies on a page that is not there, which is brought when somebody waits for it: tracepoints and probes at the entry, which may not wait, find nothing |
//!
//! The decoy leaves no evidence: an exec of it would be no exec, and the storm would say so.

use execlab_model::{truth::Site, workload::Workload};

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, acting, bare, bytes, install,
    rewriter::{Calls, Gate, Plan, Stage},
};
use crate::{
    spawn::Maker,
    step::{Step, Syscall, Value, text},
};

/// See the module.
#[derive(Debug)]
pub struct RewrittenPath;

impl Scenario for RewrittenPath {
    fn name(&self) -> &'static str {
        "rewritten-path"
    }

    fn about(&self) -> &'static str {
        "the path is rewritten, or appears, between the call and the kernel's copy"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let site = acting::site(ground, [])?;
        let decoy = ground.dir.join("bin/decoy");
        install(&ground.payload, &decoy)?;
        let decoy = bytes(&bare::beside(&decoy));
        let stage = Stage::new(decoy.as_slice(), site.given.as_slice())?;
        let gate = Gate::new(site.given.as_slice())?;
        let ways = [
            way("notified", stage.set(), stage.address(), &site),
            way("absent", gate.shut(), gate.address(), &site),
        ];
        let rewriter = Plan {
            calls: Some(Calls::hold()?),
            stage: Some(stage),
            gate: Some(gate),
        }
        .start()?;
        Ok(Prepared {
            helpers: vec![rewriter.pid()],
            guard: Some(Box::new(rewriter)),
            ..Prepared::ways(ways)
        })
    }
}

/// One step, and an exec of the path that lies at an address.
fn way(label: &str, first: Step, path: i64, site: &Site) -> Way {
    let argv = vec![
        Value::Text(text(site.given.0.clone())),
        Value::Id,
        Value::Lifetime,
        Value::Number(0),
    ];
    let exec = Step::Do(Syscall {
        number: libc::SYS_execve,
        arguments: vec![Value::Number(path), Value::Table(argv)],
    });
    let site = Site {
        label: label.to_owned(),
        ..site.clone()
    };
    Way {
        sites: vec![site],
        // Its memory has to be the storm's.
        ..Way::of([first, exec]).made_by(Maker::Vfork)
    }
}
