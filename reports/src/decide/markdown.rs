//! The decision as Markdown, in the form of an architecture decision record.

use super::{Decision, words::Table};
use crate::text::{clean, markdown as escape};

impl Decision {
    /// For a page or a repository; ends with a newline.
    pub fn markdown(&self) -> String {
        let mut out = format!(
            "# {}\n\n{}\n",
            escape(&self.verdict()),
            escape(&self.counts())
        );
        section(&mut out, "Context");
        out += "| | |\n|---|---|\n";
        for (name, value) in self.facts() {
            out += &format!("| {} | {} |\n", escape(&name), escape(&value));
        }
        for caution in &self.context.cautions {
            out += &format!("\n**Mind:** {}.\n", escape(caution));
        }
        section(&mut out, "Decision");
        out += &format!("**{}**\n\n", escape(&self.verdict()));
        for why in self.recommendation.iter().flat_map(|r| &r.why) {
            out += &format!("{}\n", escape(why));
        }
        out += "\nThe rule:\n\n";
        items(&mut out, &self.rule);
        if let Some(table) = self.trade_offs() {
            let title = if self.remain.is_empty() {
                "What the undecided show"
            } else {
                "Trade-offs among those that remain"
            };
            section(&mut out, title);
            out += "Each figure is of the worst trial in scope.\n\n";
            piped(&mut out, &table);
        }
        if !self.fallen.is_empty() {
            section(&mut out, "Those that fall");
            piped(&mut out, &Self::objections(&self.fallen));
        }
        if !self.undecided.is_empty() {
            section(&mut out, "Undecided");
            piped(&mut out, &Self::objections(&self.undecided));
        }
        section(&mut out, "What would change it");
        items(&mut out, &self.changes());
        section(&mut out, "How to run it again");
        for command in &self.commands {
            // Four signs more than any line holds would do; a command has no newline, and so an indented block never ends.
            out += &format!(
                "{}:\n\n    {}\n\n",
                escape(&command.what),
                clean(&command.command)
            );
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
        out
    }
}

fn section(out: &mut String, title: &str) {
    *out += &format!("\n## {title}\n\n");
}

fn items(out: &mut String, lines: &[String]) {
    for line in lines {
        *out += &format!("- {}\n", escape(line));
    }
}

fn piped(out: &mut String, table: &Table) {
    let line = |fields: &[String]| {
        let fields: Vec<String> = fields.iter().map(|field| escape(field)).collect();
        format!("| {} |\n", fields.join(" | "))
    };
    *out += &line(&table.head);
    *out += &format!("|{}\n", "---|".repeat(table.head.len()));
    for row in &table.rows {
        *out += &line(row);
    }
}
