//! Whatever stands in the texts of guests and monitors, it stays text.

use execlab_reports::{Summary, TerminalOptions, html, junit, markdown, terminal};
use proptest::prelude::*;

use crate::{fixture, html::skeleton, terminal::without_color};

/// Texts in which what means something somewhere is likely.
fn text() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "<",
        ">",
        "&",
        "\"",
        "'",
        "|",
        "`",
        "]]>",
        "<!--",
        "-->",
        "</script>",
        "</style>",
        "</td>",
        "\u{1b}[2J",
        "\u{1b}]0;x\u{7}",
        "\r",
        "\n",
        "\0",
        "\u{85}",
        "\u{9b}31m",
        "\u{202e}",
        "\u{feff}",
        "\\",
        "{{ x }}",
        "{% x %}",
        "ä",
        "日本",
        "&lt;",
    ]);
    let piece = prop_oneof![
        odd.prop_map(str::to_owned),
        any::<char>().prop_map(String::from)
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn steers(text: &str) -> Option<char> {
    text.chars()
        .find(|&c| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_document_is_steered_by_what_is_in_it(text in text()) {
        let results = fixture::everything_with(&text);
        let plain = fixture::everything_with("plain");

        let page = html(&results, &[]);
        prop_assert_eq!(steers(&page), None);
        prop_assert_eq!(skeleton(&page), skeleton(&html(&plain, &[])));

        for color in [false, true] {
            let shown = terminal(&results, &[], &TerminalOptions { width: 100, color });
            prop_assert_eq!(steers(&without_color(&shown)), None);
        }

        let paper = markdown(&results, &[]);
        prop_assert_eq!(steers(&paper), None);
        prop_assert!(!paper.contains('<'));
        prop_assert_eq!(paper.lines().count(), markdown(&plain, &[]).lines().count());
        prop_assert_eq!(paper.matches('|').count(), markdown(&plain, &[]).matches('|').count());

        let cases = junit(&results, &[]);
        prop_assert_eq!(steers(&cases), None);
        prop_assert_eq!(skeleton(&cases), skeleton(&junit(&plain, &[])));

        prop_assert_eq!(steers(&Summary::new(&results, &[]).conclusions.concat()), None);
    }
}
