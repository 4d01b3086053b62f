//! What readers of each format, which are not ours, find in a document.

use pulldown_cmark::{Event, Options, Parser};
use quick_xml::{Reader, events};
use scraper::{Html, Node};

/// Every element with the names of its attributes, and the values of those that do something; scripts
/// and style sheets whole.
pub fn html_shape(page: &str) -> Vec<String> {
    let document = Html::parse_document(page);
    let mut shape = Vec::new();
    for node in document.tree.nodes() {
        let depth = node.ancestors().count();
        match node.value() {
            Node::Element(element) => {
                let mut attributes: Vec<String> = element
                    .attrs()
                    .map(|(name, value)| match name {
                        // These are for people.
                        "aria-label" | "title" => name.to_owned(),
                        _ => format!("{name}={value}"),
                    })
                    .collect();
                attributes.sort();
                shape.push(format!(
                    "{depth} {} {}",
                    element.name(),
                    attributes.join(" ")
                ));
                if ["script", "style"].contains(&element.name()) {
                    let texts = node
                        .children()
                        .filter_map(|c| c.value().as_text().map(|t| t.to_string()));
                    let text: String = texts.collect();
                    shape.push(match element.attr("type") {
                        // Data: whatever is in it, it is one value.
                        Some("application/json") => {
                            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                            let keys = value.as_object().unwrap().keys().cloned();
                            keys.collect::<Vec<_>>().join(" ")
                        }
                        _ => text,
                    });
                }
            }
            Node::Comment(comment) => shape.push(format!("{depth} comment {}", &**comment)),
            Node::ProcessingInstruction(_) => shape.push(format!("{depth} instruction")),
            _ => {}
        }
    }
    shape
}

/// Every event but texts, whose number depends on what stands in them.
pub fn markdown_shape(text: &str) -> Vec<String> {
    Parser::new_ext(text, Options::all())
        .filter_map(|event| match event {
            Event::Text(_) => None,
            Event::Html(_) | Event::InlineHtml(_) => panic!("HTML in {text}"),
            event => Some(format!("{event:?}")),
        })
        .collect()
}

/// Every element with the names of its attributes; and all values and texts, unescaped.
pub fn xml_shape(text: &str) -> (Vec<String>, Vec<String>) {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    let (mut shape, mut values) = (Vec::new(), Vec::new());
    let mut element = |tag: &events::BytesStart<'_>| {
        let mut names = vec![String::from_utf8(tag.name().as_ref().to_vec()).unwrap()];
        for attribute in tag.attributes() {
            let attribute = attribute.unwrap();
            names.push(String::from_utf8(attribute.key.as_ref().to_vec()).unwrap());
            values.push(
                attribute
                    .normalized_value(quick_xml::XmlVersion::Implicit1_0)
                    .unwrap()
                    .into_owned(),
            );
        }
        shape.push(names.join(" "));
    };
    loop {
        match reader.read_event().unwrap() {
            events::Event::Start(tag) | events::Event::Empty(tag) => element(&tag),
            events::Event::Eof => break,
            events::Event::Comment(_) | events::Event::PI(_) | events::Event::DocType(_) => {
                panic!("{text}")
            }
            _ => {}
        }
    }
    (shape, values)
}

/// Fields of each row. Panics where one would be a formula.
pub fn csv_shape(text: &str) -> Vec<usize> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(text.as_bytes());
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            for field in &record {
                let formula = field
                    .trim_start()
                    .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
                assert!(!formula || field.parse::<f64>().is_ok(), "{field:?}");
            }
            record.len()
        })
        .collect()
}
