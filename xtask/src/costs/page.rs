//! docs/costs.md from the lines of results.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use anyhow::{Context, Result, bail};

use super::{
    BURST, DEFAULT, EXECS, LINKED, PLAIN, Row, SEEDS, TUNED,
    cell::{Cell, Line},
};

/// Backend, variant, kernel.
type Key<'a> = (&'a str, &'a str, &'a str);

/// What a page is made of, checked: each row in both variants, all of one lab, one QEMU and one build of each monitor.
fn checked<'a>(lines: &'a [Line], rows: &[Row]) -> Result<Vec<&'a Line>> {
    let mut chosen = Vec::new();
    let mut qemu = BTreeSet::new();
    let mut builds: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in lines {
        let Some(row) = rows.iter().find(|row| row.name == line.backend.name) else {
            continue;
        };
        let is_meant = row.scenario() == line.workload.scenario
            && [DEFAULT, TUNED].contains(&line.backend.variant.as_str());
        if !is_meant {
            continue;
        }
        let name = &line.trial;
        let burst = format!("burst:{BURST}");
        match (line.workload.load.as_str(), line.workload.execs) {
            ("closed", EXECS) => {}
            (load, BURST) if load == burst => {}
            (load, execs) => bail!("{name} has {execs} execs under `{load}`: not of this page"),
        }
        if line.lab != "exact" {
            bail!("{name} is of the lab {}: not of this page", line.lab);
        }
        match line.status.as_str() {
            "completed" if line.is_whole() => {}
            "unsupported" => {}
            other => bail!("{name} is {other}: measure it again"),
        }
        qemu.extend(line.provenance.qemu.as_deref());
        let build = line.provenance.monitor.as_deref();
        builds.entry(&line.backend.name).or_default().extend(build);
        chosen.push(line);
    }
    if qemu.len() > 1 {
        bail!("the runs are of different QEMUs: {qemu:?}");
    }
    for (backend, builds) in builds {
        if builds.len() > 1 {
            bail!(
                "the runs have `{backend}` in {} builds: measure it again",
                builds.len()
            );
        }
    }
    Ok(chosen)
}

/// Every place of a table; what a kernel does not support is an empty one.
fn cells<'a>(
    lines: &[&'a Line],
    rows: &'a [Row],
    seeds: u32,
) -> Result<BTreeMap<Key<'a>, Cell<'a>>> {
    let mut cells: BTreeMap<Key<'_>, (u32, Cell<'_>)> = BTreeMap::new();
    for line in lines {
        let key: Key<'_> = (&line.backend.name, &line.backend.variant, &line.kernel.name);
        let (trials, cell) = cells.entry(key).or_default();
        *trials += 1;
        if line.status == "completed" {
            cell.0.push(line);
        }
    }
    for kernel in kernels_of(lines) {
        for row in rows {
            for variant in [DEFAULT, TUNED] {
                let known = cells.get(&(row.name.as_str(), variant, kernel));
                let (trials, completed) = known.map_or((0, 0), |(all, cell)| (*all, cell.0.len()));
                if trials != seeds || ![0, trials as usize].contains(&completed) {
                    bail!(
                        "`{}`, {variant}, has {completed} completed of {trials} trials on {kernel}, and {seeds} are wanted: \
                         measure it again",
                        row.name
                    );
                }
            }
        }
    }
    let cells = cells.into_iter().map(|(key, (_, cell))| (key, cell));
    Ok(cells.filter(|(_, cell)| !cell.0.is_empty()).collect())
}

/// The whole page.
pub fn page(rows: &[Row], lines: &[Line]) -> Result<String> {
    let (bursts, closed): (Vec<&Line>, Vec<&Line>) = checked(lines, rows)?
        .into_iter()
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
         One below zero is no gain: \
         beside a monitor that does nearly nothing the storm takes another course (ticks, reused memory), by more than it costs.\n\
         - In brackets stands what it is not to be read without, where not all were seen (`saw`), or not all of those that were seen came \
         with the right path (0 %: it offers none): what sees little, or looks when the process has gone, is cheap.\n\
         - In bold is the cheapest of its family there of those that saw every exec.\n\
         - `dearer` marks where the tuned variant costs more than the default one by more than both `±` together; `fewer`, where it saw \
         fewer execs, or told something right of a part of them that is smaller by over a tenth.\n\
         - `?` behind a number: the lab itself doubts it, since the kernel's meter and the clock do not agree on how long the storm was \
         busy. It is neither bold nor `dearer`.\n\
         - `-` is a kernel on which it is `unsupported`.\n\n\
         [Backends](backends.md) has the settings of both variants. *Cost* in the description of each, at the top of its file below \
         [`backends/src/`](../backends/src), says what is bought for what it costs more than the cheapest of its family, and for what \
         tuned costs more than default.\n\n",
        releases.join(", ")
    );
    closed_table(&mut text, &closed, rows)?;
    burst_table(&mut text, &bursts, rows)?;
    Ok(text)
}

/// Execs one after the other.
fn closed_table(text: &mut String, lines: &[&Line], rows: &[Row]) -> Result<()> {
    let cells = cells(lines, rows, SEEDS)?;
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
                let default = if variant == TUNED { of(DEFAULT) } else { None };
                let dearer = default.is_some_and(|(other, (less, wide))| {
                    middle - less > spread + wide && !cell.is_doubted() && !other.is_doubted()
                });
                let dearer = if dearer { " dearer" } else { "" };
                let fewer = cell.fewer_than(default.map(|(cell, _)| cell));
                let doubt = if cell.is_doubted() { " ?" } else { "" };
                let cost = format!("{} ± {}{doubt}", grouped(middle), grouped(spread));
                let is_least = cell.may_be_cheapest()
                    && least.get(&(family.as_str(), *kernel)) == Some(&middle);
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
    Ok(())
}

/// What bursts make of both variants: what was seen, and whether the rest is known.
fn burst_table(text: &mut String, lines: &[&Line], rows: &[Row]) -> Result<()> {
    let cells = cells(lines, rows, 1)?;
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
                let dearer = !cell.is_doubted()
                    && cost
                        .zip(other.and_then(Cell::added))
                        .is_some_and(|(tuned, (less, _))| tuned - less > less.abs() / 100.0);
                let dearer = if dearer { " dearer" } else { "" };
                let doubt = if cell.is_doubted() { " ?" } else { "" };
                let cost = cost.map_or_else(String::new, grouped);
                format!(
                    "{}{fewer}; says {said}; {cost}{doubt}{dearer}",
                    grouped(seen.into())
                )
            };
            let row: Vec<String> = kernels.iter().map(cell).collect();
            let _ = writeln!(text, "| `{name}` | {variant} | {} |", row.join(" | "));
        }
    }
    Ok(())
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
            && cell.may_be_cheapest()
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
mod tests;
