//! Ten thousand trials: the page holds no more elements than a reader can look at.

use crate::{fixture, map, open};

#[test]
fn ten_thousand_trials_are_usable() {
    let results = fixture::large::run();
    assert!(results.len() > 10_000);
    let page = open(&results, "");
    let elements = || page.eval::<usize>("document.querySelectorAll('*').length");
    let most = elements();
    assert!(most < 20_000, "{most} elements");
    // Readable: one load is chosen from the start, and all of its workloads and kernels are columns.
    assert_eq!(
        page.text("#heat [role=status]"),
        "58 backends, the first 30 shown, × 60 columns"
    );
    page.click("#heat button.more");
    assert_eq!(map(&page).len(), 58);
    page.choose("#heat [data-filter=scenario]", "memfd");
    page.click("#heat input[type=search]");
    page.write("ebpf");
    page.until("document.querySelectorAll('#heat .map tbody tr').length === 16");
    assert_eq!(
        page.text("#heat caption"),
        "Completeness: memfd, closed, 1,000 execs"
    );

    assert_eq!(page.text("#list [role=status]"), "1 to 50 of 10,620 cells");
    page.click("#list [data-step='1']");
    assert_eq!(
        page.text("#list [role=status]"),
        "51 to 100 of 10,620 cells"
    );
    page.click("#list thead th:nth-child(3) button");
    page.click("#list input[type=search]");
    page.write("netlink-thread memfd burst");
    page.until("document.querySelector('#list [role=status]').innerText === '6 cells of 10,620'");
    page.click("#list tbody a");
    page.until("!document.querySelector('#trial').hidden");
    assert!(
        page.text("#trial h1")
            .contains("/netlink-thread+default/memfd/burst:64/")
    );
    assert!(
        elements() < most + 2_000,
        "{most} elements, then {}",
        elements()
    );
    assert_eq!(page.complaints(), [""; 0]);
}
