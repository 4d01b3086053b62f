//! `binfmt-misc-transparent`: handlers that do not show (Linux 7.3). With the flag `T` the handler runs, but
//! `/proc/PID/exe`, `comm` and the arguments are the file's; who looks at the file that the kernel loaded sees
//! the handler all the same (Documentation/admin-guide/binfmt-misc.rst). Kernels before refuse the flag.

use std::io;

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, bytes, handlers::Handlers,
    interpreted::Interpreted,
};

/// See the module.
#[derive(Debug)]
pub struct BinfmtMiscTransparent;

impl Scenario for BinfmtMiscTransparent {
    fn name(&self) -> &'static str {
        "binfmt-misc-transparent"
    }

    fn about(&self) -> &'static str {
        "a file whose binfmt_misc handler has the flag T and does not show (Linux 7.3)"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn since(&self) -> Option<&'static str> {
        Some("7.3")
    }

    fn modules(&self) -> &'static [&'static str] {
        &["binfmt_misc"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it registers a handler for the whole machine")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let mut handlers = Handlers::mount(ground)?;
        let rule = format!("M::execlab-magic::{}:", files.interpreter.display());
        let refused = |what: &str| SetupError::at(format!("register a handler {what}"));
        // That it is the flag which is refused, and not the rule.
        handlers
            .register("plain", &rule)
            .map_err(refused("without flags"))?;
        match handlers.register("transparent", &format!("{rule}T")) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                return Err(unsupported(&error));
            }
            other => other.map_err(refused("with the flag T"))?,
        }
        let file = files.file("tool", b"execlab-magic\n")?;
        // Not a word is put before the arguments.
        let way = files.way("", &file, &[bytes(&file)])?;
        Ok(Prepared {
            guard: Some(Box::new(handlers)),
            ..Prepared::ways([way])
        })
    }
}

fn unsupported(error: &io::Error) -> SetupError {
    SetupError::Unsupported(format!(
        "binfmt_misc takes a handler without flags and refuses the same one with the flag T: {error}"
    ))
}
