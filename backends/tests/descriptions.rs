//! The description of each backend, at the top of its file, says what it costs and what is bought for that.

use std::{
    fs,
    path::{Path, PathBuf},
};

use execlab_backends::registry::BACKENDS;

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// Whether a section of that name has two lines at least, and tells of both variants.
fn tells_the_cost(text: &str) -> bool {
    let mut docs = text.lines().map_while(|line| line.strip_prefix("//!"));
    docs.by_ref().any(|line| line == " # Cost") && {
        let section: Vec<&str> = docs
            .skip_while(|line| line.is_empty())
            .take_while(|line| !line.is_empty() && !line.starts_with(" #"))
            .collect();
        section.len() >= 2 && section.iter().any(|line| line.contains("uned"))
    }
}

#[test]
fn each_backend_has_one_file_that_tells_its_cost() {
    let mut paths = Vec::new();
    sources(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut paths,
    );
    let texts: Vec<String> = paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    // The baseline is no backend that costs anything.
    let rows = BACKENDS.iter().map(|row| row.name());
    let lacking: Vec<&str> = rows
        .filter(|&name| name != "none")
        .filter(|name| {
            let begin = format!("//! `{name}`");
            let mut own = texts.iter().filter(|text| text.starts_with(&begin));
            let told = own.next().is_some_and(|text| tells_the_cost(text));
            !told || own.next().is_some()
        })
        .collect();
    assert_eq!(lacking, [""; 0], "no one file with a section `# Cost`");
}
