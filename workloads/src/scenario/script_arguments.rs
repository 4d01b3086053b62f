//! `script-arguments`: what stands behind the interpreter in a script's first line is one argument, blanks and
//! all, without the blanks at its ends; and the kernel looks no further than 255 bytes
//! (`load_script`, `fs/binfmt_script.c`). Whoever cuts it into words reports arguments that nobody got.

use execlab_model::{Bytes, workload::Workload};

use super::{Family, Ground, Prepared, Scenario, SetupError, bytes, interpreted::Interpreted};

/// See the module.
#[derive(Debug)]
pub struct ScriptArguments;

/// Of a first line, its end included (`BINPRM_BUF_SIZE`, include/uapi/linux/binfmts.h).
const LINE: usize = 256;

impl Scenario for ScriptArguments {
    fn name(&self) -> &'static str {
        "script-arguments"
    }

    fn about(&self) -> &'static str {
        "scripts with one argument, with several words, and with the longest first line"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let interpreter = bytes(&files.interpreter);
        let long = "l".repeat(LINE - "#! \n".len() - interpreter.as_slice().len());
        let lines = [
            ("one-argument", " --flag".to_owned(), "--flag"),
            (
                "words",
                "\t one  two\tthree \t".to_owned(),
                "one  two\tthree",
            ),
            ("longest-line", format!(" {long}"), &long),
        ];
        let way = |(label, rest, argument): (&str, String, &str)| {
            let script = files.script(label, &rest)?;
            let words = [interpreter.clone(), Bytes::from(argument), bytes(&script)];
            files.way(label, &script, &words)
        };
        let ways: Result<Vec<_>, _> = lines.into_iter().map(way).collect();
        Ok(Prepared::ways(ways?))
    }
}
