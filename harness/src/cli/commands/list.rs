//! `execlab list`.

use execlab_harness::registry::{self, Registry};
use execlab_vm::kernels::Store;
use serde_json::{Value, json};

use super::super::{
    args::{KernelStoreArgs, List, ListFormat},
    errors::ExpectedError,
    output, selection,
};
use super::backends;

/// Lists what can be named.
pub fn run(what: List) -> Result<(), ExpectedError> {
    match what {
        List::Backends(list) => backends::list(list.format),
        List::Workloads(list) => workloads(list.format),
        List::Kernels { store, list } => kernels(store, list.format),
        List::Trials {
            selection,
            partition,
            list,
        } => {
            let registry = Registry::of_this_build();
            let mut plan = selection::plan(selection.read()?, &registry)?;
            if let Some(partition) = partition {
                plan = plan.part(partition);
            }
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
