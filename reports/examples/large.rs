//! Time and memory of `report.html` of 10,620 trials, and how long a headless Chromium takes until the page
//! is of use: `large [RESULTS.jsonl]`. `cargo xtask bench report` calls it.

use std::{env, fs, process::Command, time::Instant};

use execlab_reports::html;

#[path = "../tests/browser/chromium.rs"]
mod chromium;
#[path = "../tests/fixture/mod.rs"]
mod fixture;

use chromium::Page;

/// Of this process, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("a process of ours");
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .expect("its peak");
    kib.parse::<u64>().expect("a number") / 1024
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(lines) = env::args().nth(1) else {
        let file = folder.path().join("results.jsonl");
        let all = fixture::large::run();
        let lines = all
            .iter()
            .map(|t| serde_json::to_string(t).expect("plain data") + "\n");
        fs::write(&file, lines.collect::<String>()).expect("a file");
        // Another process, so that what was invented is not counted.
        let mut again = Command::new(env::current_exe().expect("this program"));
        let ended = again.arg(&file).status().expect("this program once more");
        assert!(ended.success(), "{ended}");
        return;
    };
    let before = peak();
    let start = Instant::now();
    let results = fixture::read(&lines);
    let page = html(&results, &[]);
    let made = start.elapsed();
    println!(
        "report of {} trials: {:.2} s, {} MiB at most, {before} of them before it; a page of {:.1} MB",
        results.len(),
        made.as_secs_f64(),
        peak(),
        page.len() as f64 / 1e6
    );
    let file = folder.path().join("report.html");
    fs::write(&file, page).expect("a report");

    let page = Page::open(&file, "", (1280, 900));
    // The browser's own clock, from the start of the navigation.
    let (parsed, loaded): (f64, f64) = page.eval("(({ domContentLoadedEventEnd, loadEventEnd }) => [domContentLoadedEventEnd, loadEventEnd])(performance.getEntriesByType('navigation')[0])");
    let painted: f64 =
        page.eval("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1");
    let elements: usize = page.eval("document.querySelectorAll('*').length");
    println!(
        "page: scripts done after {parsed:.0} ms, loaded after {loaded:.0} ms, first painted after {painted:.0} ms, {elements} elements"
    );
    let times = [
        (
            "another figure",
            "document.querySelector('#heat .switch label:nth-of-type(2) input').click()",
        ),
        (
            "sorted",
            "document.querySelector('#list thead th:nth-child(3) button').click()",
        ),
        (
            "first trial",
            "location.hash = document.querySelector('#list tbody a').getAttribute('href')",
        ),
    ];
    for (what, act) in times {
        let ms: f64 = page.eval(&format!("(() => {{ const start = performance.now(); {act}; document.body.offsetHeight; return performance.now() - start; }})()"));
        println!("{what}: {ms:.0} ms");
    }
}
