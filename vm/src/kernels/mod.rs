//! Kernels to boot: which there are, where they come from, and what is in them.
//!
//! [`Store`] is the way in: it turns a name into a [`KernelRef`] and that into a [`Kernel`] with all its files.

mod cache;
mod compress;
mod deb;
mod deb822;
mod error;
mod events;
mod fetch;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod headers;
mod image;
mod kernel;
mod lock;
mod mirror;
mod modules;
mod own;
mod part;
mod release;
mod relock;
mod select;
mod signature;
mod store;
mod unpack;
mod userland;
mod version;

#[cfg(test)]
mod test_server;

pub use cache::CacheError;
pub use deb::DebError;
pub use error::StoreError;
pub use events::{FetchEvent, KernelRow, Skipped, VerifyRow, VerifyState};
pub use fetch::{FetchError, Fetcher};
pub use headers::{BuildError, Builder, Headers, HeadersError, HeadersLock};
pub use image::ImageError;
pub use kernel::Kernel;
pub use lock::{
    Archive, Lock, LockError, LockedKernel, Package, PoolPath, UnknownKernel, series_of,
};
pub use mirror::{MIRROR_VARIABLE, Mirror, MirrorError};
pub use modules::{ModuleError, ModuleFile, ModuleIndex};
pub use own::{OwnError, OwnKernel};
pub use release::ReleaseError;
pub use relock::{Change, Note, RelockError, RelockOptions, Relocked, changes};
pub use select::Incomplete;
pub use signature::SignatureError;
pub use store::{KernelRef, Store};
pub use unpack::UnpackError;
pub use userland::{Contents, UserFile, UserlandError, UserlandLock, userland_sets};
