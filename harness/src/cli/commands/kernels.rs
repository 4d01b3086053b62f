//! `execlab kernels`.

use std::path::Path;

use execlab_harness::progress::tell;
use execlab_harness::store::StoreError;
use execlab_vm::kernels::{
    FetchEvent, HeadersLock, KernelRef, RelockError, RelockOptions, Store, UserlandLock,
    VerifyState,
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::super::{
    args::{Kernels, ListFormat},
    errors::ExpectedError,
    output::{self, Stderr},
};

/// Fetches or verifies kernels.
pub fn run(what: Kernels, stderr: Stderr) -> Result<(), ExpectedError> {
    match what {
        Kernels::Fetch {
            names,
            first_available,
            store,
            list,
        } => {
            let store = Store::open(store.cache, store.mirror)?;
            fetch(&store, names, first_available, list.format, stderr)
        }
        Kernels::Lock {
            out,
            keyring,
            userland,
            headers,
            store,
            list,
        } => {
            let store = Store::open(store.cache, store.mirror)?;
            let options = RelockOptions {
                keyrings: keyring,
                ..RelockOptions::default()
            };
            if userland {
                lock_userland(&store, out.as_deref(), &options, list.format)
            } else if headers {
                lock_headers(&store, out.as_deref(), &options, list.format, stderr)
            } else {
                lock(&store, out.as_deref(), &options, list.format, stderr)
            }
        }
        Kernels::Verify { names, store, list } => {
            let store = Store::open(store.cache, store.mirror)?;
            verify(&store, &names, list.format)
        }
    }
}

fn fetch(
    store: &Store,
    names: Vec<String>,
    first_available: bool,
    format: ListFormat,
    stderr: Stderr,
) -> Result<(), ExpectedError> {
    let names = if names.is_empty() {
        let series = store.lock().series();
        series.into_iter().map(str::to_owned).collect()
    } else {
        names
    };
    // A wrong name is told before the first download, not after the last.
    let wanted: Vec<KernelRef> = names
        .iter()
        .map(|name| store.resolve(name))
        .collect::<Result<_, _>>()
        .map_err(execlab_vm::kernels::StoreError::Unknown)?;
    let mut progress = Progress::new(stderr.terminal);
    let (mut rows, mut json) = (Vec::new(), Vec::<Value>::new());
    for kernel in &wanted {
        let is_series = store.lock().series().contains(&kernel.name());
        let (got, skipped) = if first_available && is_series {
            store.first_available(kernel.name(), &mut |event| progress.event(&event))?
        } else {
            let got = store.fetch(kernel, &mut |event| progress.event(&event))?;
            (got, Vec::new())
        };
        for skip in &skipped {
            stderr.say(
                "warning",
                &format!("passed over {}: {}", skip.release, skip.reason),
            );
        }
        rows.push(vec![
            got.name.clone(),
            got.release.clone(),
            got.sha256.clone(),
        ]);
        json.push(json!({
            "name": got.name, "release": got.release, "sha256": got.sha256,
            "vmlinux": got.vmlinux, "skipped": skipped.iter().map(|s| &s.release).collect::<Vec<_>>(),
        }));
    }
    output::print(&match format {
        ListFormat::Terminal => output::table(&["NAME", "RELEASE", "SHA256"], &rows),
        ListFormat::Json => output::json(&json),
    })
}

/// Shows what a new lock would change; writes it only where it was asked to.
fn lock(
    store: &Store,
    out: Option<&Path>,
    options: &RelockOptions,
    format: ListFormat,
    stderr: Stderr,
) -> Result<(), ExpectedError> {
    let renewed = store.relock(options, &mut |what| stderr.say("looking at", what))?;
    for note in &renewed.notes {
        stderr.say("note", &note.to_string());
    }
    write(out, &renewed.lock.to_toml())?;
    let changes: Vec<String> = renewed.changes.iter().map(ToString::to_string).collect();
    output::print(&match format {
        ListFormat::Json => output::json(&json!({
            "changes": changes,
            "notes": renewed.notes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
        ListFormat::Terminal if changes.is_empty() => "the lock is as the archive is\n".to_owned(),
        ListFormat::Terminal => output::lines(changes.iter().map(String::as_str)),
    })
}

/// The same for the packages that userlands are made of.
fn lock_userland(
    store: &Store,
    out: Option<&Path>,
    options: &RelockOptions,
    format: ListFormat,
) -> Result<(), ExpectedError> {
    let old = UserlandLock::embedded().map_err(RelockError::from)?;
    let new = store.relock_userland(options)?;
    write(out, &new.to_toml())?;
    let changes = new.changes_since(&old);
    output::print(&match format {
        ListFormat::Json => output::json(&json!({ "changes": changes })),
        ListFormat::Terminal if changes.is_empty() => "the lock is as the archive is\n".to_owned(),
        ListFormat::Terminal => output::lines(changes.iter().map(String::as_str)),
    })
}

/// The same for the packages that kernel modules are built from.
fn lock_headers(
    store: &Store,
    out: Option<&Path>,
    options: &RelockOptions,
    format: ListFormat,
    stderr: Stderr,
) -> Result<(), ExpectedError> {
    let old = HeadersLock::embedded().map_err(RelockError::from)?;
    let new = store.relock_headers(options, &mut |what| stderr.say("looking at", what))?;
    write(out, &new.to_toml())?;
    let changes = new.changes_since(&old);
    output::print(&match format {
        ListFormat::Json => output::json(&json!({ "changes": changes })),
        ListFormat::Terminal if changes.is_empty() => "the lock is as the archive is\n".to_owned(),
        ListFormat::Terminal => output::lines(changes.iter().map(String::as_str)),
    })
}

fn write(to: Option<&Path>, text: &str) -> Result<(), ExpectedError> {
    let Some(path) = to else {
        return Ok(());
    };
    std::fs::write(path, text).map_err(|source| {
        let path = path.to_owned();
        StoreError::Write { path, source }.into()
    })
}

fn verify(store: &Store, names: &[String], format: ListFormat) -> Result<(), ExpectedError> {
    let wanted: Vec<KernelRef> = names
        .iter()
        .map(|name| store.resolve(name))
        .collect::<Result<_, _>>()
        .map_err(execlab_vm::kernels::StoreError::Unknown)?;
    let checked = store.verify((!names.is_empty()).then_some(&wanted[..]))?;
    let (mut rows, mut json) = (Vec::new(), Vec::<Value>::new());
    let mut damaged = 0;
    for row in &checked {
        let (state, files) = match &row.state {
            VerifyState::Good { .. } => ("good", Vec::new()),
            VerifyState::NotCached => ("not cached", Vec::new()),
            VerifyState::Damaged(files) => {
                damaged += 1;
                ("damaged", files.clone())
            }
        };
        rows.push(vec![row.release.clone(), state.to_owned(), files.join(" ")]);
        json.push(json!({"release": row.release, "state": state, "damaged": files}));
    }
    output::print(&match format {
        ListFormat::Terminal => output::table(&["RELEASE", "STATE", "DAMAGED FILES"], &rows),
        ListFormat::Json => output::json(&json),
    })?;
    match damaged {
        0 => Ok(()),
        damaged => Err(ExpectedError::DamagedKernels { damaged }),
    }
}

/// What is being fetched: a bar on a terminal, a line for each step elsewhere.
pub struct Progress {
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(terminal: bool) -> Self {
        let bar = terminal.then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style =
                ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes} {eta} {wide_msg}")
                    .expect("the template is well formed");
            bar.set_style(style);
            bar
        });
        Self { bar }
    }

    pub fn event(&mut self, event: &FetchEvent) {
        if let (Some(bar), FetchEvent::Progress { done, .. }) = (&self.bar, event) {
            bar.set_position(*done);
            return;
        }
        let line = match event {
            FetchEvent::Progress { .. } => return,
            FetchEvent::Cached { release } => format!("{release}: in the cache"),
            FetchEvent::Damaged { release, file } => {
                format!("{release}: {file} in the cache is damaged, so it is fetched anew")
            }
            FetchEvent::Started { release, bytes } => {
                if let Some(bar) = &self.bar {
                    bar.set_length(*bytes);
                    bar.set_message(release.clone());
                }
                format!("{release}: fetching {} MB", bytes.div_ceil(1_000_000))
            }
            FetchEvent::Unpacking { release } => format!("{release}: unpacking"),
            FetchEvent::Ready { release } => format!("{release}: ready"),
        };
        match &self.bar {
            Some(bar) => bar.println(line),
            None => tell(format_args!("{line}")),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
