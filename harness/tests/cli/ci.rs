//! Workflows, and the examples that are made of them.

use std::{fs, path::Path};

use crate::support::Bench;

#[test]
fn the_examples_are_what_the_command_prints() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ci");
    for (service, file) in [
        ("github", "github-actions.yml"),
        ("gitlab", "gitlab-ci.yml"),
    ] {
        let printed = Bench::new().command(&["ci", service]).code(0).stdout;
        let path = examples.join(file);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(&examples).unwrap();
            fs::write(&path, &printed).unwrap();
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == printed, "renew {file} with UPDATE_DOCS=1");
    }
}

#[test]
fn the_commands_in_a_workflow_are_commands_of_this_program() {
    let bench = Bench::new();
    bench.write(
        "execlab.toml",
        "kernels = [\"6.1\"]\nbackends = [\"netlink\"]\n",
    );
    bench
        .command(&[
            "run",
            "execlab.toml",
            "--partition",
            "slice:1/2",
            "--execs=5",
            "--out",
            "part-1",
        ])
        .code(0);
    bench
        .command(&[
            "run",
            "execlab.toml",
            "--partition",
            "slice:2/2",
            "--execs=5",
            "--out",
            "part-2",
        ])
        .code(0);
    bench
        .command(&["merge", "part-1", "part-2", "--out", "merged"])
        .code(0);
}

#[test]
fn what_would_need_quotation_marks_is_refused() {
    let said = Bench::new()
        .command(&["ci", "github", "my matrix.toml"])
        .code(22);
    insta::assert_snapshot!(said.stderr, @r#"
    error: `my matrix.toml` as a matrix file would have to be quoted in a workflow: use letters, digits, `.`, `-`, `_` and `/`
    "#);
}
