//! `execlab baseline`.

use execlab_harness::{
    baselines::{Baselines, Head, Source},
    store::read_plan,
};

use super::{
    super::{
        args::{Baseline, ListFormat},
        errors::ExpectedError,
        output::{self, Stderr},
    },
    report,
};

/// Saves, lists, shows and removes.
pub fn run(what: Baseline, stderr: Stderr) -> Result<(), ExpectedError> {
    match what {
        Baseline::Save {
            name,
            run,
            force,
            incomplete,
            place,
            list,
        } => {
            let (results, repeats) = report::whole(&run, stderr)?;
            let source = Source {
                results: &results,
                repeats: &repeats,
                matrix: read_plan(&run).ok().map(|plan| plan.matrix),
            };
            let baselines = Baselines::in_dir(&place.dir);
            let head = baselines.save(&name, &source, force, incomplete)?;
            stderr.say("saved", &baselines.path(&name).display().to_string());
            print(&head, list.format)
        }
        Baseline::List { place, list } => {
            let baselines = Baselines::in_dir(&place.dir);
            let names = baselines.names()?;
            let heads: Result<Vec<Head>, _> = names.iter().map(|n| baselines.head(n)).collect();
            let heads = heads?;
            output::print(&match list.format {
                ListFormat::Json => output::json(&heads),
                ListFormat::Terminal => table(&heads),
            })
        }
        Baseline::Show { name, place, list } => {
            let (head, _) = Baselines::in_dir(&place.dir).read(&name)?;
            print(&head, list.format)
        }
        Baseline::Rm { name, place } => {
            Baselines::in_dir(&place.dir).remove(&name)?;
            stderr.say("removed", &name);
            Ok(())
        }
    }
}

fn print(head: &Head, format: ListFormat) -> Result<(), ExpectedError> {
    output::print(&match format {
        ListFormat::Json => output::json(head),
        ListFormat::Terminal => {
            let lines = lines(head);
            output::lines(lines.iter().map(String::as_str))
        }
    })
}

fn table(heads: &[Head]) -> String {
    let row = |head: &Head| {
        let kernels: Vec<&str> = head.kernels.iter().map(|k| k.0.as_str()).collect();
        let row = [
            head.name.clone(),
            head.saved.clone(),
            head.labs.join(", "),
            kernels.join(", "),
            head.backends.len().to_string(),
            head.seeds.len().to_string(),
            head.trials.values().sum::<usize>().to_string(),
        ];
        row.map(|field| execlab_reports::text::clean(&field))
            .to_vec()
    };
    let rows: Vec<Vec<String>> = heads.iter().map(row).collect();
    let heads = [
        "NAME", "SAVED", "LAB", "KERNELS", "BACKENDS", "SEEDS", "TRIALS",
    ];
    output::table(&heads, &rows)
}

fn lines(head: &Head) -> Vec<String> {
    let trials: Vec<String> = head
        .trials
        .iter()
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    let kernels: Vec<String> = head
        .kernels
        .iter()
        .map(|(name, release, hash)| {
            let start: String = hash.chars().take(12).collect();
            format!("{name} ({release}, {start})")
        })
        .collect();
    let seeds: Vec<String> = head.seeds.iter().map(u64::to_string).collect();
    [
        ("name", head.name.clone()),
        (
            "saved",
            format!("{} by execlab {}", head.saved, head.execlab),
        ),
        ("run by", format!("execlab {}", head.ran_by.join(", "))),
        ("lab", head.labs.join(", ")),
        ("kernels", kernels.join(", ")),
        ("QEMU", head.qemu.join(", ")),
        ("backends", head.backends.join(", ")),
        ("workloads", head.workloads.join("; ")),
        ("seeds", seeds.join(", ")),
        ("trials", trials.join(", ")),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(what, value)| format!("{what:<10} {value}"))
    .collect()
}
