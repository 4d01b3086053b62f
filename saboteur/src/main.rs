//! A guest's program gone bad, for the fault-injection suite (`docs/faults.md`).
//!
//! It takes the place of a guest's monitor or of its process 1 and makes one fault there, for real.
//! Which one stands behind the last newline of its own file, so that one program does for all and no
//! program of a normal trial holds any of this. It is built for tests only and part of no execlab.

mod console;
mod init;
mod kernel;
mod monitor;
mod storm;

use std::{env, fs, path::Path, process};

/// What the storm's place is called where this program takes it.
const STORM: &str = "/bin/execlab-saboteur";

fn main() {
    let is_init = process::id() == 1;
    let own = if is_init { "/init" } else { "/proc/self/exe" };
    let fault = fault(Path::new(own));
    let called = env::args_os().next().unwrap_or_default();
    if is_init {
        init::run(&fault);
    } else if called == STORM {
        storm::run(&fault);
    } else {
        monitor::run(&fault);
    }
}

/// What stands behind the last newline of a file.
fn fault(own: &Path) -> String {
    let bytes = fs::read(own).expect("this program's own file can be read");
    let start = bytes
        .iter()
        .rposition(|&b| b == b'\n')
        .map_or(0, |at| at + 1);
    String::from_utf8(bytes[start..].to_vec()).expect("a fault's name is text")
}

/// A fault that nobody asked for here is a defect of the suite, which shows as a wrong status.
fn unknown(fault: &str) -> ! {
    console::say(&format!("saboteur: there is no fault `{fault}` here"));
    process::exit(99)
}
