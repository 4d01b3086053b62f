//! `binfmt-misc`: a file in a format that root has taught the kernel, by its first bytes or by the end of
//! its name. As with a script, the file that was executed is not the image that runs
//! (`load_misc_binary`, `fs/binfmt_misc.c`). One way for each flag that changes what can be seen:
//!
//! | way | flag | what is different |
//! |---|---|---|
//! | `magic`, `extension` | | arguments: handler, file, those of the call but the first |
//! | `argv0` | `P` | the first argument of the call is kept behind the file |
//! | `open` | `O` | the handler is given the file as an open descriptor |
//! | `credentials` | `C` | and runs with what the file's set-user-ID bit gives |
//! | `fixed` | `F` | the handler was opened when it was registered: no open of it at the exec |

use std::os::unix::fs::chown;

use execlab_model::workload::Workload;

use super::{
    Family, Ground, Prepared, Scenario, SetupError, Way, bytes,
    handlers::Handlers,
    interpreted::{FIRST, Interpreted, set_mode},
};

/// See the module.
#[derive(Debug)]
pub struct BinfmtMisc;

/// Label of the way, type of the rule with what it matches, flags.
const RULES: [(&str, &str, &str); 6] = [
    ("magic", "M::execlab-magic::", ""),
    ("extension", "E::xlab::", ""),
    ("argv0", "M::execlab-argv0::", "P"),
    ("open", "M::execlab-open::", "O"),
    ("credentials", "M::execlab-credentials::", "C"),
    ("fixed", "M::execlab-fixed::", "F"),
];

impl Scenario for BinfmtMisc {
    fn name(&self) -> &'static str {
        "binfmt-misc"
    }

    fn about(&self) -> &'static str {
        "files with a handler in binfmt_misc, by magic, by extension, and with flags P, O, C, F"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn modules(&self) -> &'static [&'static str] {
        &["binfmt_misc"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it registers handlers for the whole machine")
    }

    fn least_execs(&self) -> u32 {
        6
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let mut handlers = Handlers::mount(ground)?;
        let ways: Result<Vec<_>, _> = RULES
            .iter()
            .map(|rule| way(&files, &mut handlers, *rule))
            .collect();
        Ok(Prepared {
            guard: Some(Box::new(handlers)),
            ..Prepared::ways(ways?)
        })
    }
}

fn way(
    files: &Interpreted,
    handlers: &mut Handlers,
    (label, matches, flags): (&str, &str, &str),
) -> Result<Way, SetupError> {
    let handler = &files.interpreter;
    let rule = format!("{matches}{}:{flags}", handler.display());
    handlers
        .register(label, &rule)
        .map_err(SetupError::at(format!("register the handler {rule}")))?;
    // Printable first bytes: for others, older kernels start modprobe.
    let (name, contents) = match label {
        "extension" => ("tool.xlab".to_owned(), "nothing of note\n".to_owned()),
        _ => (format!("tool-{label}"), format!("execlab-{label}\n")),
    };
    let file = files.file(&name, contents.as_bytes())?;
    if label == "credentials" {
        chown(&file, Some(OWNER), Some(OWNER))
            .map_err(SetupError::at(format!("give {} away", file.display())))?;
        set_mode(&file, 0o4755)?;
    }
    let mut words = vec![bytes(handler), bytes(&file)];
    if label == "argv0" {
        words.push(FIRST.into());
    }
    files.way(label, &file, &words)
}

/// Of the file whose credentials count.
const OWNER: u32 = 4242;
