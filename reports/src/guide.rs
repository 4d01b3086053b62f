//! The table of metrics for the documentation.

use crate::{
    metric::{METRICS, Polarity},
    text::markdown,
};

/// A Markdown table of every metric.
pub fn metrics_guide() -> String {
    let mut out =
        String::from("| id | metric | unit | better | what it is |\n|---|---|---|---|---|\n");
    for metric in METRICS {
        let better = match metric.polarity {
            Polarity::Higher => "higher",
            Polarity::Lower => "lower",
            Polarity::Neutral => "",
        };
        out += &format!(
            "| `{}` | {} | {} | {better} | {} |\n",
            metric.id,
            markdown(metric.title),
            markdown(&metric.unit.name("unit of cost")),
            metric.help
        );
    }
    out
}
