//! The guide: each of its commands, in its order.

use std::{fs, path::Path};

use crate::support::Bench;

/// What the guide has the reader do.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A file of this name and contents.
    Write(String, String),
    /// Arguments of execlab, and the code it ends with.
    Run(Vec<String>, i32),
}

/// The steps of a page: `console` blocks hold commands behind `$`, and a `toml` block whose first line is a comment with a
/// file's name is that file. Of what a command needs that the page does not make, nothing can be run here.
fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let block = |lines: &mut std::str::Lines<'_>| -> Vec<String> {
            let block = lines.by_ref().take_while(|line| *line != "```");
            block.map(str::to_owned).collect()
        };
        match line {
            "```console" => steps.extend(block(&mut lines).iter().filter_map(|line| command(line))),
            "```toml" => {
                let text = block(&mut lines);
                let name = text[0]
                    .strip_prefix("# ")
                    .expect("a file begins with its name");
                steps.push(Step::Write(name.to_owned(), text.join("\n")));
            }
            _ => {}
        }
    }
    steps
}

fn command(line: &str) -> Option<Step> {
    let line = line
        .strip_prefix("$ ")
        .expect("commands stand behind a `$`");
    let (line, about) = line.split_once(" # ").unwrap_or((line, ""));
    let code = about
        .strip_prefix("ends with ")
        .map_or(0, |code| code.parse().unwrap());
    if about.starts_with("needs ") {
        return None;
    }
    // What a shell takes for something else has to stand between quotation marks.
    let bare: String = line.split('\'').step_by(2).collect();
    assert!(
        !bare.contains(['<', '>', '&', '|', ';', '*', '$']),
        "{line}"
    );
    let mut words = shlex::split(line).unwrap().into_iter();
    assert_eq!(words.next().as_deref(), Some("execlab"), "{line}");
    Some(Step::Run(words.collect(), code))
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide.md");
    let steps = steps(&fs::read_to_string(page).unwrap());
    let bench = Bench::new();
    bench.set("EXECLAB_NO_CACHE", "0").set("PATH", "/nowhere");
    for step in &steps {
        match step {
            Step::Write(name, text) => bench.write(name, text),
            Step::Run(words, code) => {
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                eprintln!("$ execlab {}", words.join(" "));
                bench.command(&words).code(*code);
            }
        }
    }
    // A page that lost its marks would be run in a moment.
    assert!(steps.len() > 25, "{steps:?}");
}
