//! `execlab list backends`.

use execlab_harness::registry::{self, BASELINE, BackendInfo};
use serde_json::{Value, json};

use super::super::{args::BackendsFormat, errors::ExpectedError, output};

/// Prints every way to watch.
pub fn list(format: BackendsFormat) -> Result<(), ExpectedError> {
    let all = registry::backends();
    output::print(&match format {
        BackendsFormat::Terminal => terminal(&all),
        BackendsFormat::Json => output::json(&all.iter().map(value).collect::<Vec<_>>()),
        BackendsFormat::Markdown => registry::markdown(),
    })
}

fn value(b: &BackendInfo) -> Value {
    let portrait = &b.portrait;
    json!({
        "name": b.name,
        "family": portrait.family.about(),
        "summary": b.summary,
        "mechanism": portrait.mechanism,
        "needs": portrait.needs,
        "since": portrait.since.release,
        "first_locked_kernel": portrait.since.series,
        "last_locked_kernel": until(b),
        "loss_signals": portrait.loss_signals,
        "watches": portrait.reach.about(),
        "offers": b.offers,
        "boot": b.boot,
        "settings": b.setting_names().collect::<Vec<_>>(),
        "default": b.default,
        "tuned": b.tuned,
    })
}

fn terminal(all: &[BackendInfo]) -> String {
    let blocks = all.iter().map(|b| {
        let portrait = &b.portrait;
        let or = |list: &[&str], none: &str| match list {
            [] => none.to_owned(),
            list => list.join("; "),
        };
        let since = match portrait.since.series {
            Some(series) => format!(
                "Linux {}; of the locked kernels {series}",
                portrait.since.release
            ),
            None => format!("Linux {}; every locked kernel", portrait.since.release),
        };
        let mut lines = vec![
            format!("{} ({})", b.name, portrait.family.about()),
            format!("  {}", b.summary),
        ];
        if b.name != BASELINE {
            lines.push(format!("  how:      {}", portrait.mechanism));
            lines.push(format!("  needs:    {}", or(portrait.needs, "nothing")));
            lines.push(format!("  since:    {since}"));
            lines.extend(until(b).map(|last| format!("  until:    {last}, of the locked kernels")));
            let losses = or(portrait.loss_signals, "cannot know");
            lines.push(format!("  losses:   {losses}"));
            lines.push(format!("  watches:  {}", portrait.reach.about()));
            lines.push(format!("  reports:  {}", b.offers.join(" ")));
        }
        if !b.boot.is_empty() {
            lines.push(format!("  boot:     {}", b.boot.join(" ")));
        }
        lines.extend(settings(b));
        lines.join("\n")
    });
    let common = registry::common_settings();
    let common = common
        .iter()
        .map(|(name, value)| format!("  set:      {name}={value}"));
    let each = ["(each of them)".to_owned()].into_iter().chain(common);
    let each: Vec<_> = each.collect();
    let blocks: Vec<_> = blocks.chain([each.join("\n")]).collect();
    blocks.join("\n\n") + "\n"
}

/// The last locked series on which it attaches, where newer ones took away what it needs.
fn until(b: &BackendInfo) -> Option<&'static str> {
    execlab_backends::find(&b.name)?.until()
}

/// One line for each setting, with the tuned value where that is another.
fn settings(b: &BackendInfo) -> impl Iterator<Item = String> {
    b.default.iter().map(|(name, default)| {
        let tuned = b.tuned.get(name).filter(|tuned| *tuned != default);
        let tuned = tuned.map_or_else(String::new, |tuned| format!(" (tuned: {tuned})"));
        format!("  set:      {name}={default}{tuned}")
    })
}
