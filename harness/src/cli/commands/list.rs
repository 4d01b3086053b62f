//! `execlab list`.

use execlab_harness::registry::{self, Registry};
use execlab_vm::kernels::Store;
use serde_json::{Value, json};

use super::super::{
    args::{KernelStoreArgs, List, ListFormat},
    errors::ExpectedError,
    output, selection,
};

/// Lists what can be named.
pub fn run(what: List) -> Result<(), ExpectedError> {
    match what {
        List::Backends(list) => backends(list.format),
        List::Workloads(list) => workloads(list.format),
        List::Kernels { store, list } => kernels(store, list.format),
        List::Trials { selection, list } => {
            let registry = Registry::of_this_build();
            let plan = selection::plan(selection.read()?, &registry)?;
            output::print(&match list.format {
                ListFormat::Json => output::json(&plan.trials),
                ListFormat::Terminal => output::lines(plan.trials.iter().map(|t| t.id.as_str())),
            })
        }
    }
}

fn show(
    format: ListFormat,
    heads: &[&str],
    rows: &[Vec<String>],
    json: &Value,
) -> Result<(), ExpectedError> {
    output::print(&match format {
        ListFormat::Terminal => output::table(heads, rows),
        ListFormat::Json => output::json(json),
    })
}

fn backends(format: ListFormat) -> Result<(), ExpectedError> {
    let all = registry::backends();
    let json: Vec<Value> = all
        .iter()
        .map(|b| {
            json!({
                "name": b.name, "summary": b.summary, "default": b.default,
                "tuned": b.tuned, "boot": b.boot, "offers": b.offers,
                "settings": b.setting_names().collect::<Vec<_>>(),
            })
        })
        .collect();
    if format == ListFormat::Json {
        return output::print(&output::json(&json));
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|b| {
            let (boot, offers) = (b.boot.join(" "), b.offers.join(" "));
            vec![b.name.clone(), boot, offers, b.summary.clone()]
        })
        .collect();
    let common = |(name, default): (String, String)| {
        vec!["(each)".to_owned(), name, default.clone(), default]
    };
    let settings: Vec<Vec<String>> = all
        .iter()
        .flat_map(|b| {
            let row = |(name, default): (&String, &String)| {
                let tuned = b.tuned.get(name).cloned().unwrap_or_default();
                vec![b.name.clone(), name.clone(), default.clone(), tuned]
            };
            b.default.iter().map(row)
        })
        .chain(registry::common_settings().into_iter().map(common))
        .collect();
    output::print(&format!(
        "{}\n{}",
        output::table(&["NAME", "BOOT OPTIONS", "REPORTS", "WATCHES BY"], &rows),
        output::table(&["BACKEND", "SETTING", "DEFAULT", "TUNED"], &settings),
    ))
}

fn workloads(format: ListFormat) -> Result<(), ExpectedError> {
    let all = registry::scenarios();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|s| {
            let best: Vec<&str> = s.best.iter().map(|c| c.as_str()).collect();
            vec![
                s.name.clone(),
                s.family.about().to_owned(),
                s.since
                    .map_or_else(String::new, |first| format!("from {first}")),
                best.join(" "),
                s.summary.clone(),
            ]
        })
        .collect();
    let json: Vec<Value> = all
        .iter()
        .map(|s| {
            json!({
                "name": s.name,
                "family": s.family.about(),
                "summary": s.summary,
                "best": s.best,
                "since": s.since,
                "only_in_guests": s.only_in_guests,
                "load": s.load,
                "least_execs": s.least_execs,
                "most_execs": (s.most_execs < u32::MAX).then_some(s.most_execs),
            })
        })
        .collect();
    show(
        format,
        &["NAME", "FAMILY", "KERNELS", "BEST PATHS", "EXECS ARE MADE"],
        &rows,
        &json.into(),
    )
}

fn kernels(args: KernelStoreArgs, format: ListFormat) -> Result<(), ExpectedError> {
    let all = Store::open(args.cache, args.mirror)?.list();
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|k| {
            vec![
                k.name.clone(),
                k.release.clone(),
                k.version.clone(),
                k.suite.clone(),
                if k.cached { "yes" } else { "no" }.to_owned(),
                format!("{} MB", k.size.div_ceil(1_000_000)),
            ]
        })
        .collect();
    let heads = ["NAME", "RELEASE", "VERSION", "SUITE", "CACHED", "DOWNLOAD"];
    show(
        format,
        &heads,
        &rows,
        &serde_json::to_value(&all).expect("plain data always encodes"),
    )
}
