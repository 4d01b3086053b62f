//! `execlab doctor`.

use std::path::Path;

use execlab_harness::{
    doctor::{self, Doctor},
    lab::{
        LabError, host,
        kvm::{KvmLab, Tries},
    },
    matrix::KVM_CPUS,
};
use execlab_model::{exit::ExitCode, result::Lab};
use execlab_trial::host::session::ROOT;
use execlab_vm::kernels::Store;

use super::super::{
    args::{Color, DoctorArgs, ListFormat},
    errors::ExpectedError,
    output::{self, Stderr},
};

/// Looks at this machine; ends with 21 where a lab that was asked for cannot be used.
pub fn run(args: &DoctorArgs, color: Color, stderr: Stderr) -> Result<ExitCode, ExpectedError> {
    if args.clean {
        clean(stderr)?;
    }
    let asked = args.lab.as_slice();
    let (shown, needed) = if asked.is_empty() {
        (&Lab::ALL[..], &[Lab::Exact][..])
    } else {
        (asked, asked)
    };
    let fly = || fly(args);
    let canary: Option<&dyn Fn() -> Result<String, LabError>> = args.deep.then_some(&fly);
    let diagnosis = Doctor::here(args.kernel_store.cache.clone()).look(shown, canary);
    output::print(&match args.list.format {
        ListFormat::Terminal => doctor::text(&diagnosis, output::screen(color).color),
        ListFormat::Json => output::json(&diagnosis),
    })?;
    Ok(if diagnosis.can_use(needed) {
        ExitCode::Ok
    } else {
        ExitCode::HostLacks
    })
}

/// Puts back what killed runs of the host lab left.
fn clean(stderr: Stderr) -> Result<(), ExpectedError> {
    let swept = host::put_back(Path::new(ROOT))?;
    if swept.cleaned == 0 {
        stderr.say("note", "no run was killed that left anything");
        return Ok(());
    }
    let trials = swept.cleaned;
    stderr.say(
        "note",
        &format!("trials of killed runs that were cleaned up: {trials}"),
    );
    for what in &swept.put_back {
        stderr.say("note", what);
    }
    Ok(())
}

/// Boots a canary of the lab kvm, of a kernel that is there: looking is not to fetch anything.
fn fly(args: &DoctorArgs) -> Result<String, LabError> {
    let lacks = |what: String| LabError {
        what,
        remedy: "fetch one by `execlab kernels fetch 6.1`".into(),
        source: None,
    };
    let kernels = &args.kernel_store;
    let store = Store::open(kernels.cache.clone(), kernels.mirror.clone())
        .map_err(|error| lacks(error.to_string()))?;
    let cached = store.list().into_iter().find(|kernel| kernel.cached);
    let kernel =
        cached.ok_or_else(|| lacks("no kernel in the cache that could be booted".into()))?;
    KvmLab::new(store, Tries::kvm(), |_| {}).prove(&kernel.name, KVM_CPUS)
}
