//! `script`: a text that begins with `#!` and the payload's path, called by its absolute path and as
//! `./tool`. The file that was executed is the script. The image that runs is its interpreter's, and
//! that is what `/proc/PID/exe` names; only the string of the call, the name of the process (`comm`) and
//! the arguments still tell of the script (`load_script`, `fs/binfmt_script.c`).

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, bytes,
    interpreted::{Interpreted, handed_over},
};
use crate::step::{How, Step};

/// See the module.
#[derive(Debug)]
pub struct Script;

impl Scenario for Script {
    fn name(&self) -> &'static str {
        "script"
    }

    fn about(&self) -> &'static str {
        "a script with `#!` and an interpreter, by absolute and relative path in turn"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let script = files.script("tool", "")?;
        let interpreter = bytes(&files.interpreter);
        let words = |given| [interpreter.clone(), given];
        let absolute = files.way("absolute", &script, &words(bytes(&script)))?;
        let mut site = absolute.sites[0].clone();
        site.label = "relative".into();
        (site.given, site.cwd) = ("./tool".into(), bytes(&files.dir));
        let relative = handed_over(How::Execve, "./tool".into(), &words("./tool".into()), site)
            .after(&[Step::chdir(bytes(&files.dir).0)]);
        Ok(Prepared::ways([absolute, relative]))
    }
}
