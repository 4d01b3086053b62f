//! `rewritten-argv`: an argument that is another one when the call is entered than when the kernel copies it.
//!
//! The kernel copies path, environment, arguments, in this order (`do_execveat_common`, fs/exec.c). The only
//! string of the environment lies on a page that is not there. So the kernel waits for that page, another
//! process meanwhile rewrites the argument and brings the page, and the arguments are copied as they are then.
//! Whoever reads them at the entry of the call (a tracepoint or a probe there, ptrace, seccomp) has the decoy.
//!
//! The decoy has the form of an id that was never given out: an image that found it would say so.

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, acting,
    rewriter::{Gate, Plan, Stage},
};
use crate::{
    spawn::Maker,
    step::{Step, Syscall, Value, text},
};

/// What stands there when the call is entered.
const DECOY: &str = "x0badc0de";
/// What the kernel copies.
const REAL: &str = "--rewritten";

/// See the module.
#[derive(Debug)]
pub struct RewrittenArgv;

impl Scenario for RewrittenArgv {
    fn name(&self) -> &'static str {
        "rewritten-argv"
    }

    fn about(&self) -> &'static str {
        "an argument is rewritten between the entry of the call and the kernel's copy"
    }

    fn family(&self) -> Family {
        Family::Against
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let mut site = acting::site(ground, [])?;
        site.argv.insert(1, REAL.into());
        let stage = Stage::new(DECOY.as_bytes(), REAL.as_bytes())?;
        let gate = Gate::new(b"PATH=/usr/bin")?;
        let given = || Value::Text(text(site.given.0.clone()));
        let argument = Value::Number(stage.address());
        let end = Value::Number(0);
        let argv = vec![given(), argument, Value::Id, Value::Lifetime, end];
        let environment = vec![Value::Number(gate.address()), Value::Number(0)];
        let exec = Step::Do(Syscall {
            number: libc::SYS_execve,
            arguments: vec![given(), Value::Table(argv), Value::Table(environment)],
        });
        let steps = [stage.set(), gate.shut(), exec];
        let way = Way {
            sites: vec![site],
            // Its memory has to be the storm's.
            ..Way::of(steps).made_by(Maker::Vfork)
        };
        let rewriter = Plan {
            stage: Some(stage),
            gate: Some(gate),
            ..Plan::default()
        }
        .start()?;
        Ok(Prepared {
            helpers: vec![rewriter.pid()],
            guard: Some(Box::new(rewriter)),
            ..Prepared::ways([way])
        })
    }
}
