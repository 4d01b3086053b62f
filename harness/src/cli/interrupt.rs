//! What Ctrl-C does to long work.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use execlab_harness::progress::tell;

/// What a shell calls a process that an interrupt ended.
const BY_INTERRUPT: i32 = 130;

/// Ends the process at the first interrupt: for work that leaves nothing half done.
pub fn at_once() -> Result<(), ctrlc::Error> {
    ctrlc::set_handler(|| {
        execlab_vm::guest::sweep_own();
        std::process::exit(BY_INTERRUPT);
    })
}

/// Set by the first interrupt; the second one ends the process at once.
pub fn flag() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            // Guests end with this process; what they have on the disk does not.
            execlab_vm::guest::sweep_own();
            tell(format_args!(
                "stopped at once; what has ended is kept, and `--resume` goes on"
            ));
            std::process::exit(BY_INTERRUPT);
        }
    })?;
    Ok(interrupted)
}
