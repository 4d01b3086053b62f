//! The warm images of a run: each made at most once, by whoever needs it first.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use execlab_vm::{
    guest::GuestError,
    qemu::{Machine, Qemu},
    warm::{Made, Recipe, WarmError, WarmImage, WarmStore},
};

use crate::lab::guests::{Prepared, sizes};

/// What an image is told apart by within a run: the kernel's name and the machine.
type Key = (String, Vec<String>);
/// What is known of an image; locked while it is made.
type Slot = Arc<Mutex<Option<Result<WarmImage, String>>>>;

/// The images, as far as they are known.
#[derive(Debug)]
pub(super) struct Images {
    store: WarmStore,
    slots: Mutex<BTreeMap<Key, Slot>>,
}

impl Images {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self {
            store: WarmStore::new(dir),
            slots: Mutex::default(),
        }
    }

    /// The image for a kernel on a machine. `news` is told what is done for it, if anything.
    ///
    /// A guest that cannot be made ready is not tried again: it would end in the same way.
    pub(super) fn get(
        &self,
        qemu: &Qemu,
        prepared: &Prepared,
        machine: &Machine,
        mut news: impl FnMut(News),
    ) -> Result<WarmImage, GuestError> {
        let slot = self.slot(prepared, machine);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Some(Ok(image)) => return Ok(image.clone()),
            Some(Err(reason)) => return Err(GuestError::Lost(reason.clone())),
            None => {}
        }
        let recipe = Recipe {
            qemu,
            machine,
            kernel: &prepared.vmlinux,
            kernel_sha256: &prepared.kernel.sha256,
            initramfs: &prepared.initramfs.path,
            initramfs_sha256: prepared.initramfs.sha256.as_str(),
            limit: sizes::WARM,
        };
        let got = self.store.get(&recipe, || news(News::Making));
        match got {
            Ok((image, made)) => {
                news(News::There(made));
                *slot = Some(Ok(image.clone()));
                Ok(image)
            }
            Err(error) => {
                let reason = format!("there is no warm image: {error}");
                news(News::Failed(reason.clone()));
                Err(match error {
                    WarmError::Guest(GuestError::Lost(_)) => {
                        *slot = Some(Err(reason.clone()));
                        GuestError::Lost(reason)
                    }
                    // The machine that was to make it broke, not the one of a trial.
                    WarmError::Guest(other) => GuestError::Image(Box::new(other)),
                    WarmError::Folder { path, source } => GuestError::Host {
                        what: format!(
                            "keep warm images in {} (free some space, choose another cache with \
                             --cache, or boot each guest with --cold)",
                            path.display()
                        ),
                        source,
                    },
                })
            }
        }
    }

    /// Has the image looked at anew when it is needed next.
    pub(super) fn doubt(&self, prepared: &Prepared, machine: &Machine) {
        let slot = self.slot(prepared, machine);
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn slot(&self, prepared: &Prepared, machine: &Machine) -> Slot {
        let key = (prepared.kernel.name.clone(), machine.fixed());
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key).or_default())
    }
}

/// What is done for an image.
#[derive(Debug)]
pub(super) enum News {
    Making,
    There(Made),
    Failed(String),
}
