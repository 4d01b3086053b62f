//! `execlab watch`.

use std::{collections::BTreeMap, io, sync::Arc};

use execlab_backends::Settings;
use execlab_harness::{
    matrix::unknown,
    program::PREFIX,
    progress::tell,
    registry::{self, BASELINE, DEFAULT_VARIANT, TUNED_VARIANT},
    watch::{Ended, Stopper, Watch},
};
use execlab_model::{
    exit::ExitCode,
    plan::{CPU_QUOTA, MEMORY_LIMIT},
};

use super::super::{args::WatchArgs, errors::ExpectedError};

/// Watches until Ctrl-C, or until the command has ended.
pub fn run(args: WatchArgs) -> Result<ExitCode, ExpectedError> {
    let watch = chosen(args).map_err(ExpectedError::NoSuchWatch)?;
    let stopper = Arc::new(Stopper::default());
    let told = Arc::clone(&stopper);
    ctrlc::set_handler(move || told.stop())?;
    let ended = watch.run(&mut io::stdout().lock(), &stopper)?;
    Ok(match ended {
        Ended::Well => ExitCode::Ok,
        Ended::Unsupported(reason) => {
            let name = watch.backend.name();
            tell(format_args!(
                "error: {name} cannot watch this machine: {reason}"
            ));
            ExitCode::HostLacks
        }
        Ended::Failed(reason) => {
            tell(format_args!(
                "error: {} failed: {reason}",
                watch.backend.name()
            ));
            ExitCode::Incomplete
        }
    })
}

fn chosen(args: WatchArgs) -> Result<Watch, String> {
    let (name, variant) = args
        .backend
        .split_once('+')
        .unwrap_or((&args.backend, DEFAULT_VARIANT));
    if name.starts_with(PREFIX) {
        return Err(format!(
            "`{name}` is a program of your own, and prints its lines without execlab: watch has {} of execlab's own",
            execlab_backends::BACKENDS.len() - 1
        ));
    }
    let all = registry::backends();
    let names = all
        .iter()
        .map(|b| b.name.as_str())
        .filter(|name| *name != BASELINE);
    let backend = execlab_backends::find(name).filter(|_| name != BASELINE);
    let backend = backend.ok_or_else(|| unknown("backend", name, names))?;
    let mut values = execlab_backends::variant(backend, variant).ok_or_else(|| {
        let variants = [DEFAULT_VARIANT, TUNED_VARIANT];
        unknown(&format!("variant of {name}"), variant, variants)
    })?;
    let given: Option<BTreeMap<_, _>> = args
        .settings
        .iter()
        .map(|pair| pair.split_once('='))
        .collect();
    let given = given.ok_or("`--set` takes NAME=VALUE")?;
    for limit in [CPU_QUOTA, MEMORY_LIMIT] {
        if given.contains_key(limit) {
            return Err(format!(
                "`{limit}` is for trials: here, start execlab in a cgroup that has the limit"
            ));
        }
    }
    values.extend(given.into_iter().map(|(n, v)| (n.to_owned(), v.to_owned())));
    let settings = Settings::new(backend.settings(), values).map_err(|e| e.to_string())?;
    Ok(Watch {
        backend,
        settings,
        command: args.command,
    })
}
