//! Opens a report in a headless Chromium and takes its pictures for the documentation:
//! `pictures REPORT.html DIR [TRIAL]`. `cargo xtask pictures` calls it.

use std::{env, fs, path::PathBuf};

#[path = "../tests/browser/chromium.rs"]
mod chromium;

use chromium::Page;

/// A picture larger than that is too much for a page of documentation, in bytes.
const LARGEST: usize = 400_000;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [report, dir, rest @ ..] = args.as_slice() else {
        panic!("usage: pictures REPORT.html DIR [TRIAL]");
    };
    let report = fs::canonicalize(report).unwrap_or_else(|e| panic!("no {report}: {e}"));
    let dir = PathBuf::from(dir);
    let page = Page::open(&report, "", (1200, 900));
    let take = |name: &str| {
        let picture = page.picture();
        let file = dir.join(format!("{name}.png"));
        assert!(
            picture.len() < LARGEST,
            "{name} has {} bytes",
            picture.len()
        );
        fs::write(&file, &picture)
            .unwrap_or_else(|e| panic!("cannot write {}: {e}", file.display()));
        println!("{} ({} bytes)", file.display(), picture.len());
    };
    let to = |selector: &str| {
        page.eval::<()>(&format!("void scrollTo(0, document.querySelector({selector:?}).getBoundingClientRect().top + scrollY - 8)"));
    };

    page.media("screen", "light");
    page.window(1200, 1500, 1.0);
    take("report");
    page.window(1200, 900, 1.0);
    page.media("screen", "dark");
    page.click("#heat .switch label:nth-of-type(4)");
    to("#matrix");
    take("report-dark");
    page.media("screen", "light");
    to("#plot");
    take("report-plots");
    if page.eval("document.querySelector('#survival') !== null") {
        to("#survival");
        take("report-survival");
    }
    page.window(390, 844, 1.5);
    to("#matrix");
    take("report-phone");

    page.window(1200, 900, 1.0);
    // The one with the most to tell, unless one is named: what was missed is what is looked up.
    let trial = rest.first().cloned().unwrap_or_else(|| {
        page.eval("(() => { const all = JSON.parse(document.querySelector('#trials-data').textContent); const most = all.trials.reduce((a, b) => ((b.examples?.length ?? 0) > (a.examples?.length ?? 0) ? b : a)); return all.texts[most.name]; })()")
    });
    page.eval::<()>(&format!(
        "void (location.hash = '#trial=' + encodeURIComponent({trial:?}))"
    ));
    page.until("!document.querySelector('#trial').hidden");
    take("report-trial");
    assert_eq!(page.complaints(), [""; 0], "the page complains");
}
