//! Arguments around kernels.

use std::path::PathBuf;

use clap::{Args, Subcommand, builder::FalseyValueParser};

use super::ListArgs;

/// Where kernels are kept and come from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Kernels")]
pub struct KernelStoreArgs {
    /// Directory where kernels are kept [default: the user's cache directory]
    #[arg(long, value_name = "DIR", env = "EXECLAB_CACHE")]
    pub cache: Option<PathBuf>,
    /// Debian mirror to fetch from [default: the host's own]
    #[arg(long, value_name = "URL", env = execlab_vm::kernels::MIRROR_VARIABLE)]
    pub mirror: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum Kernels {
    /// Fetch kernels into the cache
    Fetch {
        /// Series, releases or `path:IMAGE` [default: the first of every locked series]
        names: Vec<String>,
        /// Take the first locked version of a series that can still be had, and say which
        #[arg(long, env = "EXECLAB_FIRST_AVAILABLE", value_parser = FalseyValueParser::new())]
        first_available: bool,
        #[command(flatten)]
        store: KernelStoreArgs,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Renew the lock from the archive's signed indexes, and show what changed
    Lock {
        /// File to write the new lock to [default: show the changes only]
        #[arg(long, value_name = "FILE", env = "EXECLAB_LOCK_OUT")]
        out: Option<PathBuf>,
        /// Keyring to trust, may be given more than once [default: the host's Debian keyrings]
        #[arg(long, value_name = "FILE", env = "EXECLAB_KEYRING")]
        keyring: Vec<PathBuf>,
        /// Lock the packages of which guests get programs (`vm/userland.lock`), not the kernels
        #[arg(long, env = "EXECLAB_LOCK_USERLAND", value_parser = FalseyValueParser::new())]
        userland: bool,
        /// Lock the packages that kernel modules are built from (`vm/headers.lock`), not the kernels
        #[arg(
            long,
            conflicts_with = "userland",
            env = "EXECLAB_LOCK_HEADERS",
            value_parser = FalseyValueParser::new()
        )]
        headers: bool,
        #[command(flatten)]
        store: KernelStoreArgs,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Compare what is in the cache with what was unpacked
    Verify {
        /// Series or releases [default: all that are locked]
        names: Vec<String>,
        #[command(flatten)]
        store: KernelStoreArgs,
        #[command(flatten)]
        list: ListArgs,
    },
}
