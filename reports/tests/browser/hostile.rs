//! Whatever a guest or a monitor wrote is read and never run.

use crate::{fixture, open};

const TEXTS: [&str; 5] = [
    "</script><script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    "<!--<script>",
    "\" onfocus=\"window.owned = 1\" autofocus x='",
    "javascript:window.owned = 1 {{ x }} ${window.owned = 1} \u{2028}",
];

#[test]
fn no_text_does_anything() {
    for text in TEXTS {
        let page = open(&fixture::everything_with(text), "");
        let names: Vec<String> = page.eval("(() => { const all = JSON.parse(document.querySelector('#trials-data').textContent); return all.trials.map((t) => all.texts[t.name]); })()");
        assert_eq!(names.len(), 17);
        for name in names {
            page.eval::<()>(&format!(
                "void (location.hash = '#trial=' + encodeURIComponent({name:?}))"
            ));
            page.until(&format!(
                "document.querySelector('#trial h1')?.textContent === {name:?}"
            ));
            let foreign: u32 = page.eval("document.querySelectorAll('#trial script, #trial img, #trial [onfocus], #trial [onerror]').length");
            assert_eq!(foreign, 0);
            let links: Vec<String> = page.eval("[...document.querySelectorAll('#trial a')].map((a) => a.getAttribute('href')).filter((h) => !/^(#|logs\\/)/.test(h))");
            assert_eq!(links, [""; 0]);
        }
        assert!(page.eval::<bool>("window.owned === undefined"), "{text}");
        assert_eq!(page.complaints(), [""; 0], "{text}");
    }
}
