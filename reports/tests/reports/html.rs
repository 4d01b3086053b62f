//! `report.html`: its structure, what it must not reach out for, and a few of its parts.

use std::collections::BTreeSet;

use execlab_reports::html;
use serde_json::Value;

use crate::fixture;

/// A block of data of a page.
fn block(page: &str, id: &str) -> Value {
    let start = format!("<script type=\"application/json\" id=\"{id}\">");
    let text = part(page, &start, "</script>");
    serde_json::from_str(&text[start.len()..text.len() - "</script>".len()]).unwrap()
}

/// The place that a number in such a block stands for.
fn place(number: &Value) -> usize {
    usize::try_from(number.as_u64().unwrap()).unwrap()
}

/// A page as a browser without a script has it.
pub fn without_script(page: &str) -> String {
    page.replace("<noscript>", "").replace("</noscript>", "")
}

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
            if name.split(' ').next() == Some(raw) {
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
    let results = [fixture::everything(), fixture::realistic(), vec![]];
    results.map(|results| without_script(&html(&results, &[])))
}

#[test]
fn every_tag_is_closed_in_order() {
    const VOID: [&str; 5] = ["meta", "link", "br", "input", "!DOCTYPE"];
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
fn every_metric_with_levels_has_a_heat_map() {
    let page = html(&fixture::realistic(), &[]);
    let switch = part(&page, "<fieldset class=\"switch\">", "</fieldset>");
    let titles: Vec<&str> = switch
        .split("<span>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap())
        .collect();
    insta::assert_snapshot!(titles.join(", "), @"Completeness, Path accuracy, Honesty, Added cost, Container, Latency, 99th percentile");
    let data = block(&page, "cells-data");
    let heats = data["heats"].as_array().unwrap();
    assert_eq!(heats.len(), titles.len());
    for cell in data["cells"].as_array().unwrap() {
        let levels = cell["levels"].as_str().unwrap();
        let is_watched = data["backends"][place(&cell["at"][2])]["role"] == "";
        assert_eq!(levels.len(), heats.len());
        assert_eq!(levels.contains(char::is_numeric), is_watched, "{cell}");
    }
}

#[test]
fn a_cell_is_as_bad_as_its_worst_seed() {
    let page = html(&fixture::everything(), &[]);
    let data = block(&page, "cells-data");
    let cell = data["cells"]
        .as_array()
        .unwrap()
        .iter()
        .find(|cell| cell["name"] == "6.1/netlink+default/relative/closed/exact")
        .unwrap();
    insta::assert_json_snapshot!(cell);
}

#[test]
fn every_trial_has_its_page() {
    let results = fixture::everything();
    let page = html(&results, &[]);
    let data = block(&page, "trials-data");
    let texts = data["texts"].as_array().unwrap();
    let cells = block(&page, "cells-data");
    let trials = data["trials"].as_array().unwrap();
    assert_eq!(trials.len(), results.len());
    assert_eq!(cells["trials"], results.len());
    for (at, cell) in cells["cells"].as_array().unwrap().iter().enumerate() {
        let [first, count] = ["first", "count"].map(|key| place(&cell[key]));
        for trial in &trials[first..first + count] {
            assert_eq!(trial["cell"], at);
            let name = texts[place(&trial["name"])].as_str().unwrap();
            assert!(name.starts_with(cell["name"].as_str().unwrap()), "{name}");
        }
    }
}

#[test]
fn a_log_has_its_address_and_a_trial_its_command() {
    let results = fixture::everything();
    let data = block(&html(&results, &[]), "trials-data");
    let text = |trial: &Value, key: &str| {
        data["texts"][place(&trial[key])]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let all: Vec<String> = data["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| format!("{} | {}", text(trial, "replay"), text(trial, "log")))
        .collect();
    for trial in data["trials"].as_array().unwrap() {
        let words = shlex::split(&text(trial, "replay")).expect("a shell takes it");
        assert_eq!(words[..3], ["execlab", "replay", "."]);
        assert_eq!(words[3..], [text(trial, "name")]);
    }
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn counts_of_a_trial_add_up() {
    let data = block(&html(&fixture::realistic(), &[]), "trials-data");
    for trial in data["trials"].as_array().unwrap() {
        let sum = |group: usize| -> Option<u64> {
            let counts = trial["counts"][group].as_array()?;
            Some(counts.iter().filter_map(Value::as_u64).sum())
        };
        let seen = trial["counts"][0][0].as_u64();
        for (group, about) in data["groups"].as_array().unwrap().iter().enumerate() {
            if about[1]
                .as_str()
                .unwrap()
                .starts_with("each exec that was seen")
            {
                assert!(
                    sum(group).is_none() || sum(group) == seen,
                    "{about}: {trial}"
                );
            }
        }
    }
}

#[test]
fn reasons_that_are_all_different_do_not_fill_the_page() {
    let results: Vec<_> = (0..300)
        .map(|seed| {
            let mut trial = fixture::bare("6.1", "ebpf", "relative", 10, seed);
            trial.status = execlab_model::result::Status::Lost;
            trial.reason = Some(format!("reason {seed}"));
            trial
        })
        .collect();
    let page = html(&results, &[]);
    let listed = part(&page, "<ol class=\"reasons\">", "</ol>");
    assert_eq!(listed.matches("<li ").count(), 100);
    assert!(page.contains("And 200 more, each on the page of its trial."));
    // No link to a reason that is not listed.
    let numbers = block(&page, "cells-data")["cells"][0]["reasons"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(numbers, 100);
}

pub fn part<'p>(page: &'p str, from: &str, to: &str) -> &'p str {
    let start = page.find(from).unwrap();
    &page[start..start + page[start..].find(to).unwrap() + to.len()]
}

#[test]
fn part_table_without_a_script() {
    let page = html(&fixture::everything(), &[]);
    let tables = part(&page, "<h2 id=\"cells\"", "</noscript>");
    insta::assert_snapshot!(part(tables, "<noscript>", "</table>"));
}

#[test]
fn part_reasons() {
    let page = html(&fixture::everything(), &[]);
    insta::assert_snapshot!(part(&page, "<h2 id=\"reasons\"", "</ol>"));
}

#[test]
fn part_data_of_a_trial() {
    let data = block(&html(&fixture::everything(), &[]), "trials-data");
    let texts = data["texts"].as_array().unwrap();
    let failed = data["trials"].as_array().unwrap().iter().find(|trial| {
        texts[place(&trial["reason"])]
            .as_str()
            .unwrap()
            .contains("SIGSEGV")
    });
    // With the texts in the place of their numbers.
    let mut failed = failed.unwrap().clone();
    for (key, value) in failed.as_object_mut().unwrap() {
        if !["cell", "seed", "keys", "counts", "labels"].contains(&key.as_str()) {
            spell(value, texts);
        }
    }
    insta::assert_snapshot!(serde_json::to_string_pretty(&failed).unwrap());
}

fn spell(value: &mut Value, texts: &[Value]) {
    match value {
        Value::Number(at) => *value = texts[place(&Value::from(at.clone()))].clone(),
        Value::Array(all) => all.iter_mut().for_each(|value| spell(value, texts)),
        _ => {}
    }
}

#[test]
fn part_plot() {
    let page = html(&fixture::everything(), &[]);
    insta::assert_snapshot!(part(&page, "<h2 id=\"plot\"", "</figure>"));
}
