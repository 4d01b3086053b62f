//! `cargo xtask demo`.

use std::process::Command;

use anyhow::Result;
use clap::Args;

use crate::{kernels, machine, process};

/// Three kernels × five backends × three scenarios, 200 execs each.
#[derive(Debug, Args)]
pub struct Demo {
    /// Further arguments for `execlab run`; those given here come after the demo's own
    #[arg(last = true)]
    extra: Vec<String>,
}

impl Demo {
    /// Ends with a scored matrix in the terminal and the report as files.
    pub fn run(self) -> Result<()> {
        machine::make_ready()?;
        let execlab = process::execlab(process::Profile::Release)?;
        let releases = kernels::three(&execlab)?;
        let mut run = Command::new(&execlab);
        run.current_dir(process::workspace())
            .args(["run", "--kernels", &releases.join(",")])
            .args(["--backends", "proc-poll,netlink,audit,ebpf,ptrace"])
            .args(["--workloads", "absolute,relative,container"])
            .args(["--load", "closed", "--execs", "200"])
            .args(&self.extra);
        process::run(&mut run)
    }
}
