//! docs/costs.md from the lines of results.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{
    BURST, DEFAULT, EXECS, LINKED, PLAIN, Row, SEEDS, TUNED,
    cell::{Cell, Line},
};
use anyhow::{Context, Result};

/// Backend, variant, kernel.
type Key<'a> = (&'a str, &'a str, &'a str);

fn cells<'a>(lines: &[&'a Line], rows: &[Row]) -> BTreeMap<Key<'a>, Cell<'a>> {
    let mut cells: BTreeMap<Key<'_>, Cell<'_>> = BTreeMap::new();
    for line in lines {
        let row = rows.iter().find(|row| row.name == line.backend.name);
        let meant = row.is_some_and(|row| row.scenario() == line.workload.scenario);
        if meant && line.status == "completed" {
            let key: Key<'_> = (&line.backend.name, &line.backend.variant, &line.kernel.name);
            cells.entry(key).or_default().0.push(line);
        }
    }
    cells
}

/// The whole page.
pub fn page(rows: &[Row], lines: &[Line]) -> Result<String> {
    let (bursts, closed): (Vec<&Line>, Vec<&Line>) = lines
        .iter()
        .partition(|line| line.workload.load.starts_with("burst"));
    let first = closed.first().context("the runs have no results")?;
    let releases: BTreeSet<&str> = closed
        .iter()
        .filter_map(|line| line.kernel.release.as_deref())
        .collect();
    let releases: Vec<&str> = releases.into_iter().collect();
    let qemu = first.provenance.qemu.as_deref().unwrap_or("unknown");
    let mut text = format!(
        "# Costs\n\n\
         <!-- Written by `cargo xtask costs`. -->\n\n\
         What each backend adds to an exec, in guest instructions, against the baseline of the same kernel, workload and \
         seed: scenario `{PLAIN}` (libc: `{LINKED}`), load `closed`, {EXECS} execs, {SEEDS} seeds, lab `exact` (QEMU {qemu}, TCG, one \
         `qemu64` CPU). Kernels: {}.\n\n\
         - A number is the median of the seeds; behind `±` stands half of their range.\n\
         - In brackets stands what it is not to be read without, where not all were seen (`saw`), or not all of those that were seen came \
         with the right path: what sees little, or looks when the process has gone, is cheap.\n\
         - In bold is the cheapest of its family there of those that saw every exec.\n\
         - `dearer` marks where the tuned variant costs more than the default one by more than both ranges; `fewer`, where it saw fewer \
         execs, or told something right of a part of them that is smaller by over a tenth.\n\
         - `-` is a kernel on which it does not attach.\n\n\
         [Backends](backends.md) has the settings of both variants; *Cost* in the description of each says what is bought for what it \
         costs more than the cheapest of its family, and for what tuned costs more than default.\n\n",
        releases.join(", ")
    );
    closed_table(&mut text, &closed, rows);
    burst_table(&mut text, &bursts, rows);
    Ok(text)
}

/// Execs one after the other.
fn closed_table(text: &mut String, lines: &[&Line], rows: &[Row]) {
    let cells = cells(lines, rows);
    let kernels = kernels_of(lines);
    let least = cheapest(rows, &cells);
    let _ = writeln!(
        text,
        "| family | backend | variant | {} |\n|---|---|---|{}",
        kernels.join(" | "),
        "---:|".repeat(kernels.len())
    );
    for Row { name, family } in rows {
        for variant in [DEFAULT, TUNED] {
            let cell = |kernel: &&str| {
                let of = |variant| {
                    let cell = cells.get(&(name.as_str(), variant, *kernel))?;
                    Some((cell, cell.added()?))
                };
                let Some((cell, (middle, spread))) = of(variant) else {
                    return "-".to_owned();
                };
                let dearer = variant == TUNED
                    && of(DEFAULT).is_some_and(|(_, (other, wide))| middle - other > spread + wide);
                let dearer = if dearer { " dearer" } else { "" };
                let default = if variant == TUNED { of(DEFAULT) } else { None };
                let fewer = cell.fewer_than(default.map(|(cell, _)| cell));
                let cost = format!("{} ± {}", grouped(middle), grouped(spread));
                let is_least =
                    cell.saw_all() && least.get(&(family.as_str(), *kernel)) == Some(&middle);
                let bold = if is_least { "**" } else { "" };
                format!("{bold}{cost}{bold}{dearer}{fewer}{}", cell.shortfall())
            };
            let row: Vec<String> = kernels.iter().map(cell).collect();
            let _ = writeln!(
                text,
                "| {family} | `{name}` | {variant} | {} |",
                row.join(" | ")
            );
        }
    }
}

/// What bursts make of both variants: what was seen, and whether the rest is known.
fn burst_table(text: &mut String, lines: &[&Line], rows: &[Row]) {
    let cells = cells(lines, rows);
    let kernels = kernels_of(lines);
    let _ = writeln!(
        text,
        "\n## Under a burst\n\nThe same scenarios, {BURST} execs at once, one seed: how many were seen, how many the backend itself \
         says that it lost (`?`: it does not know, or not the number), and what it adds to an exec. `dearer` marks where the \
         tuned variant cost more than the default one by over a hundredth; `fewer` is as above.\n\n\
         | backend | variant | {} |\n|---|---|{}",
        kernels.join(" | "),
        "---|".repeat(kernels.len())
    );
    for Row { name, .. } in rows {
        for variant in [DEFAULT, TUNED] {
            let cell = |kernel: &&str| {
                let of = |variant| cells.get(&(name.as_str(), variant, *kernel));
                let Some(cell) = of(variant) else {
                    return "-".to_owned();
                };
                let other = if variant == TUNED { of(DEFAULT) } else { None };
                let (_, seen, _) = cell.seen();
                let fewer = cell.fewer_than(other);
                let said = cell.self_reported().map_or_else(|| "?".to_owned(), grouped);
                let cost = cell.added().map(|(cost, _)| cost);
                let dearer = cost
                    .zip(other.and_then(Cell::added))
                    .is_some_and(|(tuned, (default, _))| tuned - default > default.abs() / 100.0);
                let dearer = if dearer { " dearer" } else { "" };
                let cost = cost.map_or_else(String::new, grouped);
                format!(
                    "{}{fewer}; says {said}; {cost}{dearer}",
                    grouped(seen.into())
                )
            };
            let row: Vec<String> = kernels.iter().map(cell).collect();
            let _ = writeln!(text, "| `{name}` | {variant} | {} |", row.join(" | "));
        }
    }
}

/// By family and kernel, the least median of what saw every exec, whatever the variant.
fn cheapest<'a>(
    rows: &'a [Row],
    cells: &BTreeMap<Key<'a>, Cell<'_>>,
) -> BTreeMap<(&'a str, &'a str), f64> {
    let mut least = BTreeMap::new();
    for ((name, _, kernel), cell) in cells {
        let row = rows.iter().find(|row| row.name == *name);
        if let (Some(row), Some((middle, _))) = (row, cell.added())
            && cell.saw_all()
        {
            let known = least
                .entry((row.family.as_str(), *kernel))
                .or_insert(middle);
            *known = f64::min(*known, middle);
        }
    }
    least
}

/// Oldest first: results come as trials end, and series order by their numbers.
fn kernels_of<'a>(lines: &[&'a Line]) -> Vec<&'a str> {
    let kernels: BTreeSet<&str> = lines.iter().map(|line| line.kernel.name.as_str()).collect();
    let mut kernels: Vec<&str> = kernels.into_iter().collect();
    kernels.sort_by_key(|name| {
        name.split('.')
            .map(|part| part.parse::<u32>().unwrap_or(u32::MAX))
            .collect::<Vec<_>>()
    });
    kernels
}

/// A whole number with commas between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    let negative = value < 0.0 && out != "0";
    if negative { format!("-{out}") } else { out }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EVERY: (u32, u32) = (9, 9);

    fn line(load: &str, kernel: &str, variant: &str, added: f64, (seen, best): (u32, u32)) -> Line {
        let line = json!({
            "trial": "",
            "status": "completed",
            "backend": {"name": "x", "variant": variant},
            "kernel": {"name": kernel, "release": format!("{kernel}.0")},
            "workload": {"scenario": "absolute", "load": load},
            "provenance": {"qemu": "7"},
            "cost": {"added_per_exec": added},
            "completeness": {"seen": seen, "missed": 9 - seen},
            "path": {"best": best},
            "argv": {"exact": best},
            "parent": {"right": seen},
            "loss": {"self_reported": null},
        });
        serde_json::from_value(line).unwrap()
    }

    fn table(lines: &[Line]) -> Vec<String> {
        let rows = [Row {
            name: "x".into(),
            family: "letters".into(),
        }];
        let page = page(&rows, lines).unwrap();
        let rows = page.lines().filter(|line| line.contains("| `x`"));
        rows.map(str::to_owned).collect()
    }

    #[test]
    fn numbers_have_commas_and_signs() {
        let all = [0.2, -0.4, 999.0, 1000.0, -1_234_567.4].map(grouped);
        assert_eq!(all, ["0", "0", "999", "1,000", "-1,234,567"]);
    }

    #[test]
    fn medians_stand_with_half_of_their_range_and_what_is_dearer_is_marked() {
        let mut lines = vec![
            line("closed", "6.12", "tuned", 3000.0, EVERY),
            line("closed", "5.10", "default", 7.0, EVERY),
            line("burst:9", "5.10", "default", 100.0, EVERY),
            line("burst:9", "5.10", "tuned", 102.0, (8, 8)),
            line("burst:9", "7.3", "tuned", 2.0, EVERY),
        ];
        lines.extend([100.0, 120.0, 110.0].map(|a| line("closed", "6.12", "default", a, EVERY)));
        assert_eq!(
            table(&lines),
            [
                "| letters | `x` | default | **7 ± 0** | **110 ± 10** |",
                "| letters | `x` | tuned | - | 3,000 ± 0 dearer |",
                "| `x` | default | 9; says ?; 100 | - |",
                "| `x` | tuned | 8 fewer execs; says ?; 102 dearer | 9; says ?; 2 |",
            ]
        );
    }

    #[test]
    fn what_did_not_see_all_is_not_the_cheapest_and_says_so() {
        let mut lines = vec![
            line("closed", "6.12", "default", 1.0, (0, 0)),
            line("closed", "6.12", "tuned", 5.0, (9, 1)),
            line("closed", "7.3", "default", 1.0, (3, 3)),
            line("closed", "7.3", "tuned", 2.0, (8, 0)),
        ];
        let mut other = line("closed", "7.3", "tuned", 0.0, EVERY);
        other.workload.scenario = "dynamic".into();
        lines.push(other);
        assert_eq!(
            table(&lines)[..2],
            [
                "| letters | `x` | default | 1 ± 0 (saw none) | 1 ± 0 (saw 33 %) |",
                "| letters | `x` | tuned | **5 ± 0** dearer (11 % right paths) | 2 ± 0 dearer fewer right paths, arguments (saw 89 %, 0 % right paths) |",
            ]
        );
    }
}
