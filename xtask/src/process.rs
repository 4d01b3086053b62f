//! Calling other programs.

use std::{
    fs::File,
    io::{self, Seek},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a member of a workspace")
}

/// The cargo that runs us.
pub fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// Prints the command, runs it, and takes anything but success for an error.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let status = command
        .status()
        .with_context(|| format!("failed to start {shown}"))?;
    if !status.success() {
        bail!("{shown} ended with {status}");
    }
    Ok(())
}

/// As [`run`], and returns what it printed to its standard output.
pub fn output(command: &mut Command) -> Result<String> {
    let shown = show(command);
    eprintln!("$ {shown}");
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("failed to start {shown}"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}", output.status);
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} printed no text"))
}

/// How `execlab` is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// As the tests are built, so that both share everything.
    Dev,
    /// As users have it.
    Release,
}

/// Builds `execlab` and says where it is.
pub fn execlab(profile: Profile) -> Result<PathBuf> {
    let mut build = cargo();
    build.args([
        "build",
        "--package",
        "execlab-harness",
        "--message-format=json-render-diagnostics",
    ]);
    if profile == Profile::Release {
        build.arg("--release");
    }
    let messages = output(&mut build)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .context("cargo built no `execlab`")
}

fn show(command: &Command) -> String {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    words
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs a matrix into a folder to its end, or goes on with it where it was cut off; `extra` are the caller's own
/// arguments for `execlab run`. Its report is long and not shown: what a run is for is made from its results.
pub fn run_or_resume(
    execlab: &Path,
    dir: &Path,
    matrix: &[String],
    extra: &[String],
) -> Result<ExitStatus> {
    let mut run = Command::new(execlab);
    run.current_dir(workspace()).arg("run");
    if dir.exists() {
        run.arg("--resume").arg(dir);
    } else {
        run.arg("--out").arg(dir).args(matrix);
    }
    run.args(["--format", "json"])
        .args(extra)
        .stdout(Stdio::null());
    eprintln!("$ {}", show(&run));
    run.status().context("failed to start execlab")
}

/// A command that runs beside others, and whose output is shown when it has ended.
#[derive(Debug)]
pub struct Beside {
    shown: String,
    child: Child,
    output: File,
}

impl Beside {
    /// Prints the command and starts it.
    pub fn start(mut command: Command) -> Result<Self> {
        let shown = show(&command);
        eprintln!("$ {shown} &");
        let output = tempfile::tempfile().context("cannot make a file for what is printed")?;
        let both = || output.try_clone().map(Stdio::from);
        let child = command.stdout(both()?).stderr(both()?).spawn();
        Ok(Self {
            child: child.with_context(|| format!("failed to start {shown}"))?,
            shown,
            output,
        })
    }

    /// Waits for it, shows what it printed, and takes anything but success for an error.
    pub fn end(self) -> Result<()> {
        let Self {
            shown,
            mut child,
            mut output,
        } = self;
        let status = child.wait();
        let status = status.with_context(|| format!("failed to wait for {shown}"))?;
        eprintln!("$ {shown} # has ended:");
        output.rewind()?;
        io::copy(&mut output, &mut io::stdout())?;
        if !status.success() {
            bail!("{shown} ended with {status}");
        }
        Ok(())
    }
}
