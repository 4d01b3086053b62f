//! The kernel modules of backends that load one. They are built on this machine, for each kernel of the plan, and travel
//! with the plans of their own trials; where one cannot be built, the reason travels instead.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use execlab_model::{
    Bytes,
    plan::{Contents, PlanFile},
};
use execlab_vm::kernels::{BuildError, Builder, FetchEvent, HeadersError, Store};

use super::lacks;
use crate::{lab::LabError, plan::TrialSpec};

/// All files of `backends/kmod/`.
const SOURCES: &[(&str, &[u8])] = &[
    ("Kbuild", include_bytes!("../../../../backends/kmod/Kbuild")),
    (
        "around.c",
        include_bytes!("../../../../backends/kmod/around.c"),
    ),
    (
        "around.h",
        include_bytes!("../../../../backends/kmod/around.h"),
    ),
    ("hook.c", include_bytes!("../../../../backends/kmod/hook.c")),
    (
        "report.c",
        include_bytes!("../../../../backends/kmod/report.c"),
    ),
    (
        "report.h",
        include_bytes!("../../../../backends/kmod/report.h"),
    ),
    (
        "table.c",
        include_bytes!("../../../../backends/kmod/table.c"),
    ),
    (
        "tracepoint.c",
        include_bytes!("../../../../backends/kmod/tracepoint.c"),
    ),
];

/// Where a monitor in a guest looks for them (`backends/src/kmod/module.rs`), from its root.
const FOLDER: &str = "lib/execlab";

/// The modules of a kernel by their file's name, or why there are none.
type Built = Result<BTreeMap<String, Vec<u8>>, String>;

/// What was built, by the kernel's name.
#[derive(Debug, Default)]
pub(in crate::lab) struct Modules(Mutex<BTreeMap<String, Built>>);

impl Modules {
    /// Builds what the backend of a trial loads, unless that was done; headers are fetched if they have to.
    pub(in crate::lab) fn stock(
        &self,
        trial: &TrialSpec,
        store: &Store,
        progress: &dyn Fn(&FetchEvent),
    ) -> Result<(), LabError> {
        if wanted(trial).is_none() {
            return Ok(());
        }
        let mut there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !there.contains_key(&trial.kernel) {
            let built = build(&trial.kernel, store, progress)?;
            there.insert(trial.kernel.clone(), built);
        }
        Ok(())
    }

    /// The file that a trial's monitor loads, or one with the reason why there is none.
    pub(in crate::lab) fn file(&self, trial: &TrialSpec) -> Option<PlanFile> {
        let name = wanted(trial)?;
        let there = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Some(file(name, there.get(&trial.kernel)?))
    }
}

fn wanted(trial: &TrialSpec) -> Option<&'static str> {
    execlab_backends::find(&trial.backend.name)?.kernel_module()
}

fn file(name: &str, built: &Built) -> PlanFile {
    let module = format!("{name}.ko");
    let (file, bytes) = match built {
        Ok(modules) => match modules.get(&module) {
            Some(bytes) => (module, bytes.clone()),
            None => (
                format!("{name}.why"),
                format!("no {module} was made").into(),
            ),
        },
        Err(why) => (format!("{name}.why"), why.clone().into()),
    };
    PlanFile {
        path: format!("{FOLDER}/{file}").as_str().into(),
        contents: Contents::File(0o644, Bytes(bytes)),
    }
}

/// What this kernel, or this machine's compiler, cannot do is a result; what else goes wrong is none.
fn build(kernel: &str, store: &Store, progress: &dyn Fn(&FetchEvent)) -> Result<Built, LabError> {
    let reference = store.resolve(kernel).map_err(|error| {
        let what = format!("no kernel is called `{kernel}`");
        lacks(what, "choose one of the list", error)
    })?;
    let Some(locked) = reference.locked() else {
        return Ok(Err(
            "the headers of a kernel of your own are not known".into()
        ));
    };
    let broken = |error| {
        let what = format!("the headers of kernel {kernel} cannot be had");
        lacks(
            what,
            "leave the backends `kmod-…` out, or see what is wrong",
            error,
        )
    };
    let headers = match store.headers(&locked.release, &mut |event| progress(&event)) {
        Ok(headers) => headers,
        Err(error @ HeadersError::NotLocked { .. }) => return Ok(Err(error.to_string())),
        Err(error) => return Err(broken(error)),
    };
    match Builder::new(store).and_then(|builder| builder.modules(&headers, SOURCES)) {
        Ok(modules) => Ok(Ok(modules)),
        Err(error @ (BuildError::Refused { .. } | BuildError::Program { .. })) => {
            Ok(Err(error.to_string()))
        }
        Err(error) => {
            let what = format!("the modules for kernel {kernel} cannot be built");
            Err(lacks(what, "free some space, or see what is wrong", error))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_is_carried() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../backends/kmod");
        let mut there: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        there.sort_unstable();
        let carried: Vec<_> = SOURCES.iter().map(|(name, _)| *name).collect();
        assert_eq!(there, carried);
    }

    #[test]
    fn every_module_that_a_backend_names_is_made() {
        let (_, kbuild) = SOURCES[0];
        let kbuild = std::str::from_utf8(kbuild).unwrap();
        for backend in execlab_backends::BACKENDS {
            if let Some(name) = backend.kernel_module() {
                assert!(kbuild.contains(&format!(" {name}.o")), "{name}");
            }
        }
    }

    #[test]
    fn a_guest_gets_the_module_or_the_reason() {
        let made = Ok(BTreeMap::from([("a.ko".to_owned(), b"ELF".to_vec())]));
        let path_and_text = |built: &Built| {
            let file = file("a", built);
            let Contents::File(0o644, bytes) = file.contents else {
                panic!("a file that others can read");
            };
            (file.path.to_string(), String::from_utf8(bytes.0).unwrap())
        };
        assert_eq!(
            path_and_text(&made),
            ("lib/execlab/a.ko".into(), "ELF".into())
        );
        assert_eq!(
            path_and_text(&Err("gcc: no".into())),
            ("lib/execlab/a.why".into(), "gcc: no".into())
        );
    }
}
