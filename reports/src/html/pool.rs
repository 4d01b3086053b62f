//! Texts of the embedded data, each once: most of ten thousand trials say the same.

use std::collections::HashMap;

use serde::Serialize;

/// Number of a text in a [`Pool`]; 0 is the empty one.
pub(super) type Text = usize;

/// All texts of one block of data.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Pool {
    all: Vec<String>,
    #[serde(skip)]
    known: HashMap<String, Text>,
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            all: vec![String::new()],
            known: HashMap::from([(String::new(), 0)]),
        }
    }

    /// The number of a text.
    pub(super) fn add(&mut self, text: impl Into<String>) -> Text {
        let text = text.into();
        if let Some(&at) = self.known.get(&text) {
            return at;
        }
        self.all.push(text.clone());
        self.known.insert(text, self.all.len() - 1);
        self.all.len() - 1
    }
}

/// A number to sort by. Six digits are enough for that, and a third of the size.
pub(super) fn key(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let mut pool = Pool::new();
        let numbers = ["a", "", "b", "a"].map(|text| pool.add(text));
        assert_eq!(numbers, [1, 0, 2, 1]);
        assert_eq!(serde_json::to_string(&pool).unwrap(), r#"["","a","b"]"#);
    }

    #[test]
    fn keys_are_short_and_near() {
        let shown = [0.0, 1.0, -42.25, 182_345.678_9, 1e9].map(|n| key(n).to_string());
        assert_eq!(shown, ["0", "1", "-42.25", "182346", "1000000000"]);
    }
}
