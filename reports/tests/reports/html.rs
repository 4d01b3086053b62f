//! `report.html`: its structure, what it must not reach out for, and a few of its parts.

use std::collections::BTreeSet;

use execlab_reports::{Summary, html};

use crate::fixture;

/// The tags of a page, in order, without what stands in quotes.
pub fn skeleton(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        let mut tag = String::new();
        let mut quoted = false;
        let mut end = rest.len();
        for (at, c) in rest[start..].char_indices() {
            match c {
                '"' => quoted = !quoted,
                _ if quoted => continue,
                _ => {}
            }
            tag.push(c);
            if c == '>' {
                end = start + at + 1;
                break;
            }
        }
        let name = tag.trim_start_matches('<').trim_end_matches('>').to_owned();
        rest = &rest[end..];
        // What is in these is not markup.
        for raw in ["style", "script"] {
            if name == raw {
                rest = &rest[rest.find(&format!("</{raw}>")).unwrap()..];
            }
        }
        tags.push(tag);
    }
    tags
}

fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let pattern = format!(" {name}=\"");
    page.split(&pattern)
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect()
}

fn pages() -> [String; 3] {
    [fixture::everything(), fixture::realistic(), vec![]].map(|results| html(&results, &[]))
}

#[test]
fn every_tag_is_closed_in_order() {
    const VOID: [&str; 4] = ["meta", "link", "br", "!DOCTYPE"];
    for page in pages() {
        let mut open: Vec<String> = Vec::new();
        for tag in skeleton(&page) {
            let inner = tag.trim_start_matches('<').trim_end_matches('>');
            let name = inner.split([' ', '\n']).next().unwrap().to_owned();
            if let Some(closed) = name.strip_prefix('/') {
                assert_eq!(open.pop().as_deref(), Some(closed));
            } else if !inner.ends_with('/') && !VOID.contains(&name.as_str()) {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<String>::new());
    }
}

#[test]
fn ids_are_unique_and_every_link_leads_somewhere_in_the_page() {
    for page in pages() {
        let all = attributes(&page, "id");
        let ids: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(ids.len(), all.len());
        for target in attributes(&page, "href")
            .into_iter()
            .filter(|h| *h != "data:,")
        {
            let id = target
                .strip_prefix('#')
                .unwrap_or_else(|| panic!("{target} leaves the page"));
            assert!(ids.contains(id), "{target}");
        }
        for id in attributes(&page, "aria-labelledby") {
            assert!(ids.contains(id), "{id}");
        }
    }
}

#[test]
fn nothing_is_fetched() {
    for page in pages() {
        assert!(attributes(&page, "src").is_empty());
        assert!(!page.contains("@import") && !page.contains("url("));
        let addresses = page.matches("://").count();
        assert_eq!(
            addresses,
            page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count()
        );
    }
}

#[test]
fn tables_have_captions_and_headers_have_scopes() {
    for page in pages() {
        let tags = skeleton(&page);
        for (at, tag) in tags.iter().enumerate() {
            if tag.starts_with("<table") {
                assert_eq!(tags[at + 1], "<caption>");
            }
            if tag.starts_with("<th ") || tag == "<th>" {
                assert!(tag.contains("scope="), "{tag}");
            }
        }
    }
}

#[test]
fn the_plot_takes_its_colors_from_the_style_sheet() {
    let page = html(&fixture::everything(), &[]);
    let svg = &page[page.find("<svg aria-hidden").unwrap()..];
    let svg = &svg[..svg.find("</svg>").unwrap()];
    assert!(svg.contains("var(--series-0)") && svg.contains("currentColor"));
    assert!(!svg.contains("\"#0"), "a colour was left as it is");
}

#[test]
fn every_heat_map_has_its_button() {
    let page = html(&fixture::realistic(), &[]);
    let buttons = attributes(&page, "data-heat");
    assert_eq!(buttons, ["completeness", "path_accuracy", "added_percent"]);
    for button in buttons {
        assert!(page.contains(&format!("id=\"heat-{button}\"")));
    }
}

#[test]
fn all_seeds_of_a_trial_share_a_row() {
    let results = fixture::everything();
    let cells = Summary::new(&results, &[]).cells;
    assert!(cells.len() < results.len());
    let page = html(&results, &[]);
    let table = part(&page, "<table class=\"trials\"", "</table>");
    assert_eq!(table.matches("<th scope=\"row\">").count(), cells.len());
    let row = table.split("<tr>").find(|row| row.contains("3 seeds:"));
    insta::assert_snapshot!(row.unwrap());
}

#[test]
fn every_trial_has_a_link_and_a_page() {
    let results = fixture::everything();
    let page = html(&results, &[]);
    assert_eq!(page.matches("<details id=\"trial-").count(), results.len());
    assert_eq!(page.matches("<a href=\"#trial-").count(), results.len());
}

pub fn part<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
    let start = page.find(from).unwrap();
    &page[start..start + page[start..].find(to).unwrap() + to.len()]
}

#[test]
fn part_heat_map() {
    let page = html(&fixture::everything(), &[]);
    insta::assert_snapshot!(part(
        &page,
        "<div class=\"heat\" id=\"heat-completeness\"",
        "</table>"
    ));
}

#[test]
fn part_reasons() {
    let page = html(&fixture::everything(), &[]);
    insta::assert_snapshot!(part(&page, "<h2 id=\"reasons\"", "</ol>"));
}

#[test]
fn part_page_of_a_trial() {
    let page = html(&fixture::everything(), &[]);
    let pages: Vec<&str> = page.split("<details ").collect();
    let failed = pages
        .iter()
        .find(|p| p.contains("SIGSEGV") && p.starts_with("id"))
        .unwrap();
    insta::assert_snapshot!(part(failed, "id=", "</details>"));
}

#[test]
fn part_plot() {
    let page = html(&fixture::everything(), &[]);
    insta::assert_snapshot!(part(&page, "<h2 id=\"plot\"", "</figure>"));
}
