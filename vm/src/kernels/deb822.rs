//! Reads the stanzas of Debian's control files: `Packages`, `Release`, `*.sources`.

/// One stanza: its fields in the order in which they stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stanza<'a> {
    fields: Vec<(&'a str, String)>,
}

impl Stanza<'_> {
    /// The value of a field, whose name is compared without regard to case. The lines of a folded value are joined with newlines.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The stanzas of a text, one after another. Comments (`#`) are left out, and so are lines that are no field.
pub fn stanzas(text: &str) -> impl Iterator<Item = Stanza<'_>> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        let mut stanza = Stanza::default();
        for line in lines.by_ref() {
            if line.trim().is_empty() {
                if stanza.fields.is_empty() {
                    continue;
                }
                break;
            }
            if line.starts_with('#') {
                continue;
            }
            if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = stanza.fields.last_mut() {
                    value.push('\n');
                    value.push_str(line.trim());
                }
                continue;
            }
            if let Some((name, value)) = line.split_once(':') {
                stanza.fields.push((name, value.trim().to_owned()));
            }
        }
        (!stanza.fields.is_empty()).then_some(stanza)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_fields_folds_and_comments() {
        let text = "\n\n# a comment\nPackage: a\nDepends: b,\n c (= 1)\n# in between\nsize:  3\n\n \nPackage: d\n";
        let all: Vec<_> = stanzas(text).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("Package"), Some("a"));
        assert_eq!(all[0].get("depends"), Some("b,\nc (= 1)"));
        assert_eq!(all[0].get("Size"), Some("3"));
        assert_eq!(all[0].get("SHA256"), None);
        assert_eq!(all[1].get("Package"), Some("d"));
    }

    fn value() -> impl Strategy<Value = String> {
        "[!-~]([ -~]{0,20}[!-~])?"
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            written in proptest::collection::vec(
                proptest::collection::btree_map("[A-Z][A-Za-z0-9-]{0,10}", proptest::collection::vec(value(), 1..4), 1..6),
                0..6,
            )
        ) {
            let mut text = String::new();
            for stanza in &written {
                for (name, lines) in stanza {
                    text.extend([name, ": ", &lines.join("\n "), "\n"]);
                }
                text.push('\n');
            }
            let read: Vec<_> = stanzas(&text).collect();
            prop_assert_eq!(read.len(), written.len());
            for (read, written) in read.iter().zip(&written) {
                prop_assert_eq!(read.fields.len(), written.len());
                for ((name, value), (wanted_name, lines)) in read.fields.iter().zip(written) {
                    prop_assert_eq!(name, wanted_name);
                    prop_assert_eq!(value, &lines.join("\n"));
                }
            }
        }

        #[test]
        fn any_text_is_read_without_a_panic(text: String) {
            for stanza in stanzas(&text) {
                prop_assert!(!stanza.fields.is_empty());
            }
        }
    }
}
