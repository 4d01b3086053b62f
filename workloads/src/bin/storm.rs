//! `execlab-storm PAYLOAD DIR CGROUPS BASE`: makes execs under the orders of the trial runner, which come
//! on standard input and are answered on standard output.

use std::{
    io::{stdin, stdout},
    os::unix::ffi::OsStrExt,
    process::ExitCode,
};

use execlab_workloads::{scenario::Ground, storm};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [payload, dir, cgroups, base] = arguments.as_slice() else {
        eprintln!("usage: execlab-storm PAYLOAD DIR CGROUPS BASE");
        return ExitCode::FAILURE;
    };
    let ground = Ground {
        payload: payload.into(),
        dir: dir.into(),
        cgroups: cgroups.into(),
        base: base.as_bytes().into(),
    };
    match storm::serve(&ground, &mut stdin().lock(), &mut stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("execlab-storm: {error}");
            ExitCode::FAILURE
        }
    }
}
