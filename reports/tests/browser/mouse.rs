//! Clicks.

use crate::{fixture, map, open};

#[test]
fn the_switch_shows_another_figure() {
    let page = open(&fixture::realistic(), "");
    assert_eq!(
        page.text("#heat caption"),
        "Completeness: closed, 200 execs"
    );
    assert_eq!(map(&page)[2][..2], ["netlink", "98.50%"]);
    page.click("#heat .switch label:nth-of-type(2)");
    assert_eq!(
        page.text("#heat caption"),
        "Path accuracy: closed, 200 execs"
    );
    assert_eq!(map(&page)[2][..2], ["netlink", "41.62%"]);
    page.click("#heat .switch label:nth-of-type(3)");
    assert_eq!(map(&page)[2][..2], ["netlink", "knew-without-a-number 3"]);
    let classes: Vec<String> = page.eval("[...document.querySelectorAll('#heat tbody tr td:nth-child(2)')].map((td) => td.className)");
    assert_eq!(
        classes,
        ["h0 first", "h0 first", "h2 first", "h5 first", "h0 first"]
    );
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn filters_and_orders_of_the_map() {
    let page = open(&fixture::realistic(), "");
    let names = || {
        map(&page)
            .into_iter()
            .map(|row| row[0].clone())
            .collect::<Vec<_>>()
    };
    let status = "#heat [role=status]";
    assert_eq!(page.text(status), "5 backends × 9 columns");
    page.click("#heat input[type=search]");
    page.write("netlink, eb");
    page.until("document.querySelectorAll('#heat .map tbody tr').length === 2");
    assert_eq!(names(), ["ebpf", "netlink"]);
    assert_eq!(page.text(status), "2 backends × 9 columns");
    page.choose("#heat [data-filter=scenario]", "container");
    page.choose("#heat [data-filter=kernel]", "6.1");
    assert_eq!(page.text(status), "2 backends × 1 column");
    assert_eq!(
        page.text("#heat caption"),
        "Completeness: container, closed, 200 execs"
    );
    page.choose("#heat [data-filter=order]", "worst");
    assert_eq!(names(), ["netlink", "ebpf"]);
    page.eval::<()>("void document.querySelector('#heat input[type=search]').select()");
    page.write("nothing of this name");
    page.until("document.querySelectorAll('#heat .map tbody tr').length === 0");
    assert_eq!(page.text(status), "Nothing has all of these.");
    // Of costs, less is better.
    let page = open(&fixture::realistic(), "");
    page.click("#heat .switch label:nth-of-type(4)");
    page.choose("#heat [data-filter=order]", "best");
    let first = map(&page).into_iter().map(|row| row[0].clone());
    assert_eq!(
        first.collect::<Vec<_>>(),
        ["proc-poll", "ebpf", "netlink", "audit", "ptrace"]
    );
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn the_table_is_filtered_and_sorted() {
    let page = open(&fixture::everything(), "");
    let names = || page.texts("#list tbody th a");
    assert_eq!(page.text("#list [role=status]"), "10 cells");
    page.choose("#list [data-filter=view]", "trials");
    assert_eq!(page.text("#list [role=status]"), "17 trials");
    page.choose("#list [data-filter=status]", "completed");
    assert_eq!(page.text("#list [role=status]"), "13 trials of 17");
    page.click("#list input[type=search]");
    page.write("netlink 6.1, proc-poll");
    page.until("document.querySelectorAll('#list tbody tr').length === 4");
    // The first click puts the worst on top, the second the best.
    let heading = "#list thead th:nth-child(3) button";
    page.click(heading);
    assert_eq!(names()[0], "5.10/proc-poll+default/relative/closed/exact/1");
    assert_eq!(
        page.eval::<String>("document.querySelector('#list th[aria-sort]').ariaSort"),
        "ascending"
    );
    page.click(heading);
    assert_eq!(names()[3], "5.10/proc-poll+default/relative/closed/exact/1");
    assert_eq!(
        page.eval::<String>("document.querySelector('#list th[aria-sort]').ariaSort"),
        "descending"
    );
    let texts = page.texts("#list tbody tr td:nth-child(3)");
    let shares: Vec<f64> = texts
        .iter()
        .map(|t| t.trim_end_matches('%').parse().unwrap())
        .collect();
    assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_trial_opens_and_the_way_back_ends_where_it_began() {
    let page = open(&fixture::realistic(), "");
    page.eval::<()>("void document.querySelector('#cells').scrollIntoView()");
    page.click("#list tbody tr:nth-child(4) a");
    page.until("!document.querySelector('#trial').hidden");
    let name = "5.10/netlink+default/absolute/closed/exact/1";
    assert_eq!(page.text("#trial h1"), name);
    assert_eq!(page.eval::<String>("document.activeElement.tagName"), "H1");
    assert!(page.eval::<String>("document.title").starts_with(name));
    assert!(page.eval::<bool>("document.querySelector('#report').hidden"));
    let verdicts = page.texts("#trial .verdict caption");
    assert_eq!(verdicts.len(), 9, "{verdicts:?}");
    assert_eq!(
        page.texts("#trial .verdict:first-child tr"),
        ["seen\t197\t98.5%\t", "late\t0\t\t", "missed\t3\t1.5%\t"]
    );
    assert_eq!(
        page.text("#trial .command"),
        format!("execlab replay . {name}")
    );
    let log: String = page.eval("document.querySelector('#trial a.log').getAttribute('href')");
    assert_eq!(
        log,
        "logs/5.10@netlink+default@absolute@closed@exact@1.serial.log"
    );
    page.click("#trial a.back");
    page.until("document.querySelector('#trial').hidden");
    assert_eq!(
        page.eval::<String>("document.activeElement.innerText"),
        name
    );
    let seen: bool = page.eval("(({ top, bottom }) => top >= 0 && bottom <= innerHeight)(document.activeElement.getBoundingClientRect())");
    assert!(seen, "what one left from is on the screen again");
    // The browser's own way back.
    page.eval::<()>("void history.back()");
    page.until("!document.querySelector('#trial').hidden");
    page.eval::<()>("void history.back()");
    page.until("document.querySelector('#trial').hidden");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_cell_leads_to_its_seeds() {
    let page = open(&fixture::everything(), "");
    page.click("#heat .map tbody tr:nth-child(3) td:nth-child(3) a");
    page.until("document.querySelectorAll('#list tbody tr').length === 3");
    let names = page.texts("#list tbody th a");
    assert_eq!(
        names,
        [1, 2, 3].map(|seed| format!("6.1/netlink+default/relative/closed/exact/{seed}"))
    );
    page.click("#list tbody tr:nth-child(2) a");
    page.until("!document.querySelector('#trial').hidden");
    assert_eq!(page.text("#trial .seeds b"), "2");
    page.click("#trial .seeds a[aria-label='seed 3']");
    page.until("document.querySelector('#trial .seeds b').innerText === '3'");
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn addresses_lead_to_trials() {
    let page = open(
        &fixture::everything(),
        "#trial=6.1%2Faudit%2Bdefault%2Frelative%2Fclosed%2Fexact%2F2",
    );
    assert_eq!(
        page.text("#trial h1"),
        "6.1/audit+default/relative/closed/exact/2"
    );
    assert!(
        page.text("#trial .warning")
            .contains("the monitor died of SIGSEGV")
    );
    page.click("#trial a.back");
    page.until("document.querySelector('#trial').hidden");
    let top: f64 = page.eval("document.querySelector('#cells').getBoundingClientRect().top");
    assert!((0.0..300.0).contains(&top), "{top}");
    // Not encoded, as people write it; and one that is not there.
    page.eval::<()>("void (location.hash = '#trial=6.1/ebpf+default/relative/closed/exact/1')");
    page.until("document.querySelector('#trial h1')?.innerText === '6.1/ebpf+default/relative/closed/exact/1'");
    page.eval::<()>("void (location.hash = '#trial=%zz')");
    page.until("document.querySelector('#trial h1')?.innerText === '%zz'");
    assert_eq!(
        page.text("#trial .warning"),
        "No trial of this name is in this report."
    );
    page.eval::<()>("void (location.hash = '#limits')");
    page.until("document.querySelector('#trial').hidden");
    assert_eq!(page.complaints(), [""; 0]);
}
