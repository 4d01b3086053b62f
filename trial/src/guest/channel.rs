//! The shared memory through which plan and record pass: an `ivshmem-plain` device, used without a
//! driver (QEMU documentation, "Inter-VM Shared Memory device").

use std::{
    fs::{self, OpenOptions},
    io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    ptr::NonNull,
};

use execlab_model::frame::{self, FrameError, Nonce, PLAN_MAGIC, RECORD_MAGIC};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

const VENDOR: &str = "0x1af4";
const DEVICE: &str = "0x1110";

/// The region, mapped. Unmapped when dropped.
#[derive(Debug)]
pub struct Channel {
    start: NonNull<u8>,
    length: usize,
}

impl Channel {
    /// Finds, enables and maps the device.
    pub fn open(devices: &Path) -> io::Result<Self> {
        let device = find(devices)?;
        fs::write(device.join("enable"), "1")?;
        let memory = OpenOptions::new()
            .read(true)
            .write(true)
            .open(device.join("resource2"))?;
        let length = usize::try_from(memory.metadata()?.len()).map_err(io::Error::other)?;
        let size = NonZeroUsize::new(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of a device that nothing else in this guest uses.
        let start = unsafe { mmap(None, size, protection, MapFlags::MAP_SHARED, &memory, 0) }?;
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    /// The plan and its nonce, as the host left them.
    pub fn plan(&self) -> Result<(Nonce, Vec<u8>), FrameError> {
        // SAFETY: the region is mapped for the lifetime of self, and the host wrote it before the
        // guest started and does not write again.
        let region = unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) };
        frame::decode(PLAN_MAGIC, region).map(|(nonce, plan)| (nonce, plan.to_vec()))
    }

    /// How many bytes of a record there is room for.
    pub fn room(&self) -> usize {
        self.length.saturating_sub(frame::framed_len(0))
    }

    /// Leaves the record where the host will look, in place of the plan.
    pub fn leave(&mut self, nonce: &Nonce, record: &[u8]) -> io::Result<()> {
        self.put(&frame::encode(RECORD_MAGIC, nonce, record))
    }

    /// Writes bytes at the start of the region.
    pub fn put(&mut self, framed: &[u8]) -> io::Result<()> {
        if framed.len() > self.length {
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!("{} bytes, a channel of {}", framed.len(), self.length),
            ));
        }
        // SAFETY: the region is mapped and at least as long; the host reads it only after QEMU ended.
        unsafe {
            self.start
                .as_ptr()
                .copy_from_nonoverlapping(framed.as_ptr(), framed.len());
        }
        Ok(())
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // SAFETY: mapped by `open` with this length; no slice of it outlives self.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

fn find(devices: &Path) -> io::Result<PathBuf> {
    for entry in fs::read_dir(devices)? {
        let dir = entry?.path();
        let is = |file: &str, id: &str| {
            fs::read_to_string(dir.join(file)).is_ok_and(|text| text.trim() == id)
        };
        if is("vendor", VENDOR) && is("device", DEVICE) {
            return Ok(dir);
        }
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        "the guest has no ivshmem device",
    ))
}
