//! `cargo xtask workflows`: lints the workflows of `examples/ci`.

use std::process::Command;

use anyhow::Result;

use crate::process;

/// With its schemas of both services inside: it asks nobody while it checks.
const LINTER: &str = "check-jsonschema==0.39.0";

/// Checks the workflows against the schemas of the services that run them.
pub fn run() -> Result<()> {
    let venv = process::workspace().join("target/workflow-linter");
    let program = |name: &str| venv.join("bin").join(name);
    if !program("check-jsonschema").exists() {
        process::run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        process::run(Command::new(program("pip")).args(["install", "--quiet", LINTER]))?;
    }
    for (schema, file) in [
        ("vendor.github-workflows", "github-actions.yml"),
        ("vendor.gitlab-ci", "gitlab-ci.yml"),
    ] {
        let path = process::workspace().join("examples/ci").join(file);
        let mut lint = Command::new(program("check-jsonschema"));
        process::run(lint.args(["--builtin-schema", schema]).arg(path))?;
    }
    Ok(())
}
