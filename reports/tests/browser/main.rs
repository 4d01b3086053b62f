//! `report.html` in a real browser: what a mouse, a keyboard, a phone and a printer make of it.
//!
//! Behind the feature `browser`, since it needs a Chromium: `cargo test -p execlab-reports --features browser
//! --test browser`.

#[path = "../fixture/mod.rs"]
mod fixture;

mod chromium;

mod hostile;
mod keyboard;
mod large;
mod looks;
mod mouse;

use std::fs;

use chromium::Page;
use execlab_model::result::TrialResult;
use execlab_reports::html;
use tempfile::TempDir;

const DESK: (u32, u32) = (1280, 900);

/// A report in its own folder, open in a browser of its own.
struct Opened {
    page: Page,
    _folder: TempDir,
}

impl std::ops::Deref for Opened {
    type Target = Page;

    fn deref(&self) -> &Page {
        &self.page
    }
}

fn open(results: &[TrialResult], hash: &str) -> Opened {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("report.html");
    fs::write(&file, html(results, &[])).expect("a report");
    Opened {
        page: Page::open(&file, hash, DESK),
        _folder: folder,
    }
}

/// The heat map's figures: for each backend the texts of its fields.
fn map(page: &Page) -> Vec<Vec<String>> {
    page.eval("[...document.querySelectorAll('#heat .map tbody tr')].map((row) => [...row.cells].map((cell) => cell.innerText.replaceAll('\\n', ' ')))")
}

#[test]
fn complaints_are_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.html");
    let bad = r#"<!DOCTYPE html><meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'">
        <link rel="icon" href="data:,"><img src="x.png"><script>console.error("said"); throw new Error("thrown");</script>"#;
    fs::write(&file, bad).expect("a page");
    let heard = Page::open(&file, "", DESK).complaints().join("\n");
    for what in ["said", "thrown", "Content Security Policy"] {
        assert!(heard.contains(what), "{what}: {heard}");
    }
}
