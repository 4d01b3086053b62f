//! `binfmt-misc-transparent`: handlers that do not show (Linux 7.3). With the flag `T` the handler runs, but
//! `/proc/PID/exe`, `comm` and the arguments are the file's; who looks at the file that the kernel loaded sees
//! the handler all the same. With `L` the file runs itself, and only what links it is another than it asks
//! for (Documentation/admin-guide/binfmt-misc.rst). Kernels before refuse these flags.

use std::{fs, io, path::Path};

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    handlers::Handlers,
    interpreted::{FIRST, Interpreted},
    programs,
};

/// See the module.
#[derive(Debug)]
pub struct BinfmtMiscTransparent;

impl Scenario for BinfmtMiscTransparent {
    fn name(&self) -> &'static str {
        "binfmt-misc-transparent"
    }

    fn about(&self) -> &'static str {
        "files whose handler in binfmt_misc has the flag T or L and does not show (Linux 7.3)"
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
        Some("it registers handlers for the whole machine")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let mut handlers = Handlers::mount(ground)?;
        let rule = format!("M::execlab-magic::{}:", files.interpreter.display());
        // That it is the flag which is refused, and not the rule.
        register(&mut handlers, "plain", &rule)?;
        match handlers.register("transparent", &format!("{rule}T")) {
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                return Err(SetupError::Unsupported(format!(
                    "binfmt_misc takes a handler without flags and refuses it with the flag T: {error}"
                )));
            }
            other => other.map_err(refused(&format!("{rule}T")))?,
        }
        let file = files.file("tool", b"execlab-magic\n")?;
        // Not a word is put before the arguments.
        let transparent = files.way("handler", &file, &[FIRST.into()])?;
        let linked = linked(ground, &files, &mut handlers)?;
        Ok(Prepared {
            guard: Some(Box::new(handlers)),
            ..Prepared::ways([transparent, linked])
        })
    }
}

/// A program that runs itself, linked by a copy of the linker that it names.
fn linked(
    ground: &Ground,
    files: &Interpreted,
    handlers: &mut Handlers,
) -> Result<Way, SetupError> {
    programs::linker_is_there()?;
    let linker = ground.dir.join("bin/linker");
    fs::copy(Path::new(programs::LINKER), &linker)
        .map_err(SetupError::at(format!("copy {}", programs::LINKER)))?;
    register(
        handlers,
        "linked",
        &format!("E::xlab::{}:L", linker.display()),
    )?;
    let file = files.dir.join("tool.xlab");
    programs::install(ground, programs::DYNAMIC, &file)?;
    let mut way = files.way("linker", &file, &[FIRST.into()])?;
    way.sites[0].frames.interpreter = Some(bytes(&linker));
    Ok(way)
}

fn register(handlers: &mut Handlers, name: &str, rule: &str) -> Result<(), SetupError> {
    handlers.register(name, rule).map_err(refused(rule))
}

fn refused(rule: &str) -> impl FnOnce(io::Error) -> SetupError {
    SetupError::at(format!("register the handler {rule}"))
}
