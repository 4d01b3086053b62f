//! Which laboratory runs the trials.

use std::{
    io::{IsTerminal, stderr},
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use execlab_harness::{
    cache::ResultCache,
    lab::{
        Laboratory,
        exact::ExactLab,
        fake::FakeLab,
        host::HostLab,
        kvm::{KvmLab, Tries},
    },
};
use execlab_model::result::Lab;
use execlab_reports::text::plural;
use execlab_vm::{
    kernels::{FetchEvent, Store},
    qemu::Qemu,
};

use super::{
    args::{KernelStoreArgs, RunArgs},
    commands::kernels::Progress,
    errors::ExpectedError,
    output::Stderr,
};

/// Where it is kept how long trials took; `None` where there is no place for it.
pub fn durations_file(args: &RunArgs) -> Option<PathBuf> {
    durations(&args.kernel_store, args.lab_fake.is_some())
}

/// The same for other commands.
pub fn durations(kernels: &KernelStoreArgs, fake: bool) -> Option<PathBuf> {
    let store = Store::open(kernels.cache.clone(), kernels.mirror.clone()).ok()?;
    // What machines that are none take says nothing of others.
    let name = if fake {
        "durations-fake.json"
    } else {
        "durations.json"
    };
    Some(store.cache_dir().join(name))
}

/// Where results of the exact lab are kept by digest; `None` where they are not to be, or cannot be.
pub fn result_cache(lab: Lab, args: &RunArgs) -> Option<ResultCache> {
    // What was tampered with, for a test, is to be run; and who asks for boots wants to see them.
    if args.no_cache || args.cold || !lab.is_exact() || args.sabotage.is_some() {
        return None;
    }
    let kernels = &args.kernel_store;
    let store = Store::open(kernels.cache.clone(), kernels.mirror.clone()).ok()?;
    let (name, build) = match args.lab_fake {
        None => ("results", Qemu::find().ok()?.build()?),
        Some(_) => ("results-fake", "fake".to_owned()),
    };
    Some(ResultCache::new(store.cache_dir().join(name), build))
}

/// Says so where guests of this process ran without what makes their idle time exact.
pub fn tell_unguarded(stderr: Stderr) {
    let unguarded = execlab_vm::guest::unguarded();
    if unguarded > 0 {
        let said = format!(
            "QEMU did not load what makes idle time exact (docs/exact-lab.md); in {} it may be off by some instructions",
            plural(unguarded as usize, "guest")
        );
        stderr.say("warning", &said);
    }
}

/// The laboratory for a run.
pub fn open(lab: Lab, args: &RunArgs) -> Result<Box<dyn Laboratory>, ExpectedError> {
    let tampered = Tampered {
        fake: args.lab_fake.as_deref(),
        sabotage: args.sabotage.as_deref(),
        pad: args.pad,
    };
    open_with(lab, &args.kernel_store, tampered)
}

/// What is otherwise than it comes, for tests and studies of execlab itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tampered<'a> {
    /// Rules of a fake laboratory, where there is to be one.
    pub fake: Option<&'a str>,
    /// Rules by which programs in guests are replaced.
    pub sabotage: Option<&'a str>,
    /// Bytes by which an image is longer than it has to be.
    pub pad: usize,
}

/// A laboratory, a fake one where there are rules for that.
pub fn open_with(
    lab: Lab,
    kernels: &KernelStoreArgs,
    tampered: Tampered<'_>,
) -> Result<Box<dyn Laboratory>, ExpectedError> {
    if let Some(rules) = tampered.fake {
        let fake: FakeLab = rules.parse()?;
        return Ok(Box::new(fake));
    }
    let progress = Mutex::new(Progress::new(stderr().is_terminal()));
    let progress = move |event: &FetchEvent| {
        // That a kernel is there already is news only to who asked for it to be fetched.
        if !matches!(event, FetchEvent::Cached { .. }) {
            progress
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .event(event);
        }
    };
    let store = || Store::open(kernels.cache.clone(), kernels.mirror.clone());
    Ok(match lab {
        Lab::Exact => {
            let sabotage = tampered.sabotage.unwrap_or_default().parse()?;
            let lab = ExactLab::new(store()?, progress).padded(tampered.pad);
            Box::new(lab.sabotaged(sabotage))
        }
        Lab::Kvm => Box::new(KvmLab::new(store()?, Tries::kvm(), progress)),
        Lab::Host => Box::new(HostLab::default()),
    })
}
