//! The examples in `docs/decisions/` are what `execlab decide` makes of the results beside them.
//!
//! `UPDATE_DECISIONS=RESULTS.jsonl` takes an extract of these results in their place (all that a decision is made of, and
//! no more), and writes the examples anew; `UPDATE_DECISIONS=1` only writes the examples.

use std::{
    env, fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use execlab_harness::store;
use execlab_model::{record::Costs, result::TrialResult};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use tempfile::TempDir;

/// Name, exit code, and what is asked.
const EXAMPLES: &[(&str, i32, &[&str])] = &[
    (
        "containers-at-a-price",
        0,
        &[
            "--need=completeness>=0.999,path=exact,containers",
            "--max-cost=20000",
            "--kernels=5.10,6.1,6.12,7.3",
            "--without=root-module",
        ],
    ),
    (
        "nothing-in-the-kernel",
        0,
        &[
            "--need=completeness>=0.999,honesty=knew",
            "--kernels=5.10,6.1,6.12,7.3",
            "--without=root-module,bpf,boot-option,blocks-exec,own-tree,preload",
        ],
    ),
    (
        "almost-for-nothing",
        10,
        &[
            "--need=completeness>=0.999,path=exact",
            "--max-cost=500",
            "--kernels=5.10,6.1,6.12,7.3",
        ],
    ),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/decisions")
}

/// A line without what no decision reads.
fn extract(mut line: TrialResult) -> TrialResult {
    line.examples.clear();
    (line.canary, line.record_sha256) = (None, None);
    if let Some(cost) = &mut line.cost {
        cost.windows = Costs::default();
    }
    let provenance = &mut line.provenance;
    let model = provenance.command_line.iter().position(|a| a == "-cpu");
    let model = model.map_or(Vec::new(), |at| {
        provenance.command_line[at..]
            .iter()
            .take(2)
            .cloned()
            .collect()
    });
    provenance.command_line = model;
    line
}

fn take(results: &Path) {
    let bytes = fs::read(results).unwrap();
    let lines = store::parse(&bytes).map_err(|(line, _)| line).unwrap();
    let file = fs::File::create(folder().join("results.jsonl.gz")).unwrap();
    let mut packed = GzEncoder::new(file, Compression::best());
    for line in lines.items {
        let line = serde_json::to_string(&extract(line)).unwrap();
        writeln!(packed, "{line}").unwrap();
    }
    packed.finish().unwrap();
}

#[test]
fn the_examples_follow_from_the_results_beside_them() {
    let update = env::var_os("UPDATE_DECISIONS");
    if let Some(results) = update.as_ref().filter(|value| *value != "1") {
        take(Path::new(results));
    }
    let bench = TempDir::new().unwrap();
    let mut lines = Vec::new();
    let packed = fs::read(folder().join("results.jsonl.gz")).unwrap();
    GzDecoder::new(packed.as_slice())
        .read_to_end(&mut lines)
        .unwrap();
    fs::write(bench.path().join("results.jsonl"), lines).unwrap();
    for (name, code, asked) in EXAMPLES {
        let output = Command::cargo_bin("execlab")
            .unwrap()
            .args(["decide", "results.jsonl"])
            .args(*asked)
            .current_dir(bench.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(*code), "{name}: {said}");
        let made = String::from_utf8(output.stdout).unwrap();
        let path = folder().join(format!("{name}.md"));
        if update.is_some() {
            fs::write(&path, &made).unwrap();
        }
        assert!(
            fs::read_to_string(&path).unwrap() == made,
            "docs/decisions/{name}.md is out of date: run this test with UPDATE_DECISIONS=1 and look at the difference"
        );
    }
}
