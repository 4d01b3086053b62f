//! `squashfs`: a file in a compressed read-only image, as snaps and live systems have it, mounted from a loop
//! device in a mount namespace of its own.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
    path::{Path, PathBuf},
};

use execlab_model::workload::Workload;
use nix::{errno::Errno, mount::MsFlags};

use super::{Family, Ground, Place, Prepared, Scenario, SetupError, Way, bytes, mounts, programs};

/// See the module.
#[derive(Debug)]
pub struct Squashfs;

/// In the image.
const FILE: &str = "bin/worker";

impl Scenario for Squashfs {
    fn name(&self) -> &'static str {
        "squashfs"
    }

    fn about(&self) -> &'static str {
        "a file in a squashfs image on a loop device"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn modules(&self) -> &'static [&'static str] {
        &["loop", "squashfs"]
    }

    fn only_in_guests(&self) -> Option<&'static str> {
        Some("it takes one of the machine's loop devices")
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let image = ground.dir.join("image");
        programs::install(ground, programs::IMAGE, &image)?;
        let (device, opened) = attach(&image)?;
        mounts::enter()?;
        let root = ground.dir.join("mounted");
        mounts::add("squashfs", &device, &root, MsFlags::MS_RDONLY, None)?;
        // The device is in use: it is let go when the mount ends, which goes with the storm.
        control(&opened, LOOP_CLR_FD, 0)
            .map_err(SetupError::at(format!("have {} let go", device.display())))?;
        let file = root.join(FILE);
        let site = Place::here(ground)?.site(bytes(&file), "/", &file)?;
        Ok(Prepared::ways([Way::plain(site)]))
    }
}

// include/uapi/linux/loop.h
const LOOP_SET_FD: libc::Ioctl = 0x4c00;
const LOOP_CLR_FD: libc::Ioctl = 0x4c01;
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4c82;

/// Makes a block device of a file.
fn attach(image: &Path) -> Result<(PathBuf, File), SetupError> {
    let open = |path: &Path| {
        let file = OpenOptions::new().read(true).write(true).open(path);
        file.map_err(SetupError::at(format!("open {}", path.display())))
    };
    let image_file = open(image)?;
    let number = control(&open(Path::new("/dev/loop-control"))?, LOOP_CTL_GET_FREE, 0)
        .map_err(SetupError::at("find a free loop device"))?;
    let device = PathBuf::from(format!("/dev/loop{number}"));
    let opened = open(&device)?;
    control(&opened, LOOP_SET_FD, image_file.as_raw_fd()).map_err(SetupError::at(format!(
        "make {} a block device, {}",
        image.display(),
        device.display()
    )))?;
    Ok((device, opened))
}

fn control(device: &File, request: libc::Ioctl, argument: i32) -> io::Result<i32> {
    // SAFETY: these requests take a number.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), request, argument) };
    Ok(Errno::result(result)?)
}
