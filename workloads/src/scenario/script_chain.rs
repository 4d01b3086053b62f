//! `script-chain`: scripts whose interpreter is a script, two to five of them before there is a program. Five
//! is what the kernel follows (`exec_binprm`, fs/exec.c; execve(2) says four); the sixth is `ELOOP`, which is
//! in the scenario `eloop`. Each script adds one argument.

use std::path::PathBuf;

use execlab_model::{Bytes, workload::Workload};

use super::{Family, Ground, Prepared, Scenario, SetupError, Way, bytes, interpreted::Interpreted};

/// See the module.
#[derive(Debug)]
pub struct ScriptChain;

/// How many scripts the kernel follows.
pub(super) const LONGEST: usize = 5;

impl Scenario for ScriptChain {
    fn name(&self) -> &'static str {
        "script-chain"
    }

    fn about(&self) -> &'static str {
        "scripts that are interpreted by scripts, two to five deep in turn"
    }

    fn family(&self) -> Family {
        Family::File
    }

    fn least_execs(&self) -> u32 {
        4
    }

    fn prepare(&self, ground: &Ground, _: &Workload) -> Result<Prepared, SetupError> {
        let files = Interpreted::prepare(ground)?;
        let chain = chain(&files, LONGEST)?;
        let way = |deep: usize| -> Result<Way, SetupError> {
            // The image's first argument is its own path, then come the scripts, the nearest first.
            let words: Vec<Bytes> = [&files.interpreter]
                .into_iter()
                .chain(&chain[..deep])
                .map(|path| bytes(path))
                .collect();
            files.way(&format!("{deep}-deep"), &chain[deep - 1], &words)
        };
        let ways: Result<Vec<_>, _> = (2..=LONGEST).map(way).collect();
        Ok(Prepared::ways(ways?))
    }
}

/// So many scripts: the interpreter of the first is the payload, of each other the one before.
pub(super) fn chain(files: &Interpreted, length: usize) -> Result<Vec<PathBuf>, SetupError> {
    let mut chain: Vec<PathBuf> = Vec::with_capacity(length);
    for n in 1..=length {
        let interpreter = chain.last().unwrap_or(&files.interpreter);
        let line = [b"#!", bytes(interpreter).as_slice(), b"\n"].concat();
        chain.push(files.file(&format!("tool-{n}"), &line)?);
    }
    Ok(chain)
}
