//! Without a mouse.

use crate::{fixture, open};

#[test]
fn everything_is_reached_by_keys() {
    let page = open(&fixture::realistic(), "");
    let here = "document.activeElement";
    page.press(&["Tab"]);
    assert_eq!(page.text(":focus"), "To the conclusions");
    // To the switch: its buttons are one stop, and arrows choose.
    page.eval::<()>("void document.querySelector('#matrix').scrollIntoView()");
    while page.eval::<String>(&format!("{here}.name ?? ''")) != "heat" {
        page.press(&["Tab"]);
    }
    page.press(&["ArrowRight"]);
    assert!(page.text("#heat caption").starts_with("Path accuracy"));
    // To the map: one stop as well.
    while !page.eval::<bool>(&format!("!!{here}.closest('.map td')")) {
        page.press(&["Tab"]);
    }
    let field = || {
        page.eval::<(u32, u32)>("(({ cellIndex, parentElement }) => [parentElement.sectionRowIndex, cellIndex])(document.activeElement.closest('td'))")
    };
    assert_eq!(field(), (0, 1));
    page.press(&["ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"]);
    assert_eq!(field(), (1, 2));
    assert!(
        page.text("#heat .probe")
            .starts_with("6.1, ebpf, absolute, closed, 200 execs: Completeness 100%")
    );
    page.press(&["End"]);
    assert_eq!(field(), (1, 9));
    page.press(&["ArrowRight", "Home", "ArrowLeft", "ArrowUp", "ArrowUp"]);
    assert_eq!(field(), (0, 1));
    let stops: u32 = page.eval("document.querySelectorAll('#heat .map a[tabindex=\"0\"]').length");
    assert_eq!(stops, 1);
    page.press(&["Enter"]);
    page.until("!document.querySelector('#trial').hidden");
    assert_eq!(
        page.text("#trial h1"),
        "5.10/audit+default/absolute/closed/exact/1"
    );
    page.eval::<()>("void document.querySelector('#trial .back').focus()");
    page.press(&["Enter"]);
    page.until("document.querySelector('#trial').hidden");
    assert_eq!(field(), (0, 1));
    assert_eq!(page.complaints(), [""; 0]);
}

#[test]
fn a_heading_sorts_and_keeps_the_focus() {
    let page = open(&fixture::realistic(), "");
    page.eval::<()>("void document.querySelector('#list thead th:nth-child(3) button').focus()");
    page.press(&["Enter", "Enter"]);
    assert_eq!(
        page.text(":focus").trim_end_matches([' ', '▼']),
        "Completeness"
    );
    assert_eq!(
        page.eval::<String>("document.querySelector('#list th[aria-sort]').ariaSort"),
        "descending"
    );
}

#[test]
fn whoever_does_not_see_is_told() {
    for hash in ["", "#trial=5.10/netlink%2Bdefault/absolute/closed/exact/1"] {
        let page = open(&fixture::realistic(), hash);
        let nameless: Vec<String> = page.eval(
            "[...document.querySelectorAll('button, a, select, input, [role=region], [role=group], table')].filter((e) => e.checkVisibility() && !(e.innerText || e.ariaLabel || e.labels?.length || e.caption)).map((e) => e.outerHTML)",
        );
        assert_eq!(nameless, [""; 0]);
        let scopeless: u32 = page.eval("document.querySelectorAll('th:not([scope])').length");
        assert_eq!(scopeless, 0);
        let landmarks: u32 = page.eval(
            "[...document.querySelectorAll('main')].filter((e) => e.checkVisibility()).length",
        );
        assert_eq!(landmarks, 1);
        let headings: u32 = page
            .eval("[...document.querySelectorAll('h1')].filter((e) => e.checkVisibility()).length");
        assert_eq!(headings, 1);
        let levels: Vec<u32> = page.eval("[...document.querySelectorAll('h1, h2, h3, h4')].filter((e) => e.checkVisibility()).map((e) => Number(e.tagName[1]))");
        assert!(
            levels.windows(2).all(|two| two[1] <= two[0] + 1),
            "{levels:?}"
        );
        let duplicates: u32 = page.eval("(() => { const ids = [...document.querySelectorAll('[id]')].map((e) => e.id); return ids.length - new Set(ids).size; })()");
        assert_eq!(duplicates, 0);
    }
}
