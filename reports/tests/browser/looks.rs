//! Light and dark, narrow and on paper.

use execlab_model::result::TrialResult;
use headless_chrome::types::PrintToPdfOptions;

use crate::{Opened, fixture, open};

const TRIAL: &str = "#trial=6.1/audit%2Bdefault/relative/closed/exact/2";

/// Everything that is drawn differently.
fn runs() -> [Vec<TrialResult>; 3] {
    [
        fixture::everything(),
        fixture::large::limits(),
        fixture::sampled::run(execlab_model::result::Lab::Host, 8, true),
    ]
}

/// Texts that stand out too little from what is behind them: less than 4.5 to 1, which is what WCAG 2.2
/// asks for in 1.4.3 (large text aside).
const FAINT: &str = r#"(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const parse = (color) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return { rgb: [r, g, b], a }; };
    const light = (rgb) => { const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const behind = (e) => { for (; e; e = e.parentElement) { const { rgb, a } = parse(getComputedStyle(e).backgroundColor); if (a > 250) return rgb; } return [255, 255, 255]; };
    const faint = new Set();
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const e = walk.currentNode.parentElement;
        if (!walk.currentNode.data.trim() || !e.checkVisibility() || e.closest("script, style, noscript, button:disabled, .unseen")) continue;
        const style = getComputedStyle(e);
        const ink = parse(e.namespaceURI.endsWith("svg") ? style.fill : style.color).rgb;
        const [one, other] = [light(ink), light(behind(e))].sort((a, b) => b - a);
        const ratio = (one + 0.05) / (other + 0.05);
        if (ratio < 4.5) faint.add(`${e.tagName}.${e.className?.baseVal ?? e.className} ${ratio.toFixed(2)} ${walk.currentNode.data.slice(0, 20)}`);
    }
    return [...faint];
})()"#;

#[test]
fn every_text_is_readable_in_light_and_dark() {
    for results in runs() {
        let page = open(&results, "");
        let mut pages = Vec::new();
        for scheme in ["light", "dark"] {
            page.media("screen", scheme);
            pages.push(page.eval::<String>("getComputedStyle(document.body).backgroundColor"));
            for heat in 1..=6 {
                page.click(&format!("#heat .switch label:nth-of-type({heat})"));
                assert_eq!(
                    page.eval::<Vec<String>>(FAINT),
                    [""; 0],
                    "{scheme}, figure {heat}"
                );
            }
        }
        assert_ne!(pages[0], pages[1]);
    }
    let page = open(&fixture::everything(), TRIAL);
    for scheme in ["light", "dark"] {
        page.media("screen", scheme);
        assert_eq!(page.eval::<Vec<String>>(FAINT), [""; 0], "{scheme}");
    }
}

/// By how many pixels the page is wider than the window, and who is to blame. What scrolls inside is not.
fn overflow(page: &Opened) -> (f64, Vec<String>) {
    page.eval(
        r#"[document.documentElement.scrollWidth - innerWidth, [...document.querySelectorAll("body *")]
            .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > innerWidth + 1 && !e.parentElement.closest(".scroll, svg"))
            .map((e) => e.tagName + "." + e.className).slice(0, 5)]"#,
    )
}

#[test]
fn nothing_is_wider_than_a_phone() {
    for results in runs() {
        let page = open(&results, "");
        page.window(360, 740, 2.0);
        assert_eq!(overflow(&page), (0.0, vec![]));
    }
    let page = open(&fixture::everything(), TRIAL);
    page.window(360, 740, 2.0);
    assert_eq!(overflow(&page), (0.0, vec![]));
}

#[test]
fn paper_has_all_figures_and_no_buttons() {
    let page = open(&fixture::everything(), "");
    page.eval::<()>("void addEventListener('beforeprint', () => { window.printed = [...document.querySelectorAll('#heat .sheets caption')].map((e) => e.innerText); })");
    let pdf = page.tab.print_to_pdf(Some(PrintToPdfOptions {
        print_background: Some(true),
        prefer_css_page_size: Some(true),
        ..PrintToPdfOptions::default()
    }));
    assert!(pdf.expect("a PDF").starts_with(b"%PDF"));
    assert_eq!(
        page.eval::<Vec<String>>("window.printed"),
        [
            "Path accuracy",
            "Honesty",
            "Added cost",
            "Container",
            "Latency, 99th percentile"
        ]
    );
    page.until("document.querySelectorAll('#heat .sheets table').length === 0");
    page.media("print", "dark");
    let shown: Vec<String> = page.eval("[...document.querySelectorAll('nav, .switch, .filters, .pager, .probe')].filter((e) => e.checkVisibility()).map((e) => e.className)");
    assert_eq!(shown, [""; 0]);
    // Paper is white, whatever the screen is.
    assert_eq!(
        page.eval::<String>("getComputedStyle(document.body).backgroundColor"),
        "rgb(255, 255, 255)"
    );
    assert_eq!(page.eval::<Vec<String>>(FAINT), [""; 0]);
    assert_eq!(page.complaints(), [""; 0]);
}
