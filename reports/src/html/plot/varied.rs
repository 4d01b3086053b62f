//! Where a backend begins to lose: what it sees of ever shorter lives, of ever higher rates, of ever larger
//! bursts.

use std::collections::{BTreeMap, BTreeSet};

use execlab_model::{
    result::TrialResult,
    workload::{Load, Workload},
};

use super::{
    Group, MOST_PANELS, Panel, Section, Table,
    axis::Log,
    curve::{self, Axes, Line},
    glyph::{Key, key},
};
use crate::{
    matrix::{Cell, Matrix, Setup},
    metric::Metric,
    number,
    text::{list, plural},
};

/// What was varied.
#[derive(Clone, Copy)]
struct Varied {
    /// Its value in a workload, and the workload without it.
    of: fn(&Workload) -> Option<(u64, Workload)>,
    /// Where a point stands: what was asked for, or what really happened.
    place: fn(f64, &Cell<'_>) -> f64,
    label: fn(f64) -> String,
    name: &'static str,
    title: &'static str,
    zero: &'static str,
    /// Completeness and path accuracy, or what is lost.
    is_survival: bool,
    /// Whether what was asked for and what happened are two things.
    is_achieved: bool,
}

/// Completeness and path accuracy against payload lifetime.
pub(super) fn survival(matrix: &Matrix<'_>) -> Option<Section> {
    let varied = Varied {
        of: |w| {
            Some((
                w.lifetime_ns,
                Workload {
                    lifetime_ns: 0,
                    ..w.clone()
                },
            ))
        },
        place: |asked, _| asked,
        label: |ns| number::duration(ns.round()),
        name: "life",
        title: "life of the payload",
        zero: "none",
        is_survival: true,
        is_achieved: false,
    };
    section(matrix, varied).map(|groups| Section {
        id: "survival",
        title: "Survival",
        lead: "What is still seen of short lives. A solid line with filled signs is completeness, a dashed one with hollow signs path accuracy; a payload without a life exits at once. Of several seeds: the worst.".into(),
        groups,
    })
}

/// Loss against the rate that was achieved.
pub(super) fn rates(matrix: &Matrix<'_>) -> Option<Section> {
    let varied = Varied {
        of: |w| match w.load {
            Load::Rate(rate) => Some((
                rate.into(),
                Workload {
                    load: Load::Rate(1),
                    execs: 0,
                    ..w.clone()
                },
            )),
            _ => None,
        },
        place: |asked, cell| {
            let rates = Metric::by_id("achieved_rate").map(|metric| cell.figure(metric));
            rates
                .and_then(|figure| Some(figure.numbers?.median))
                .unwrap_or(asked)
        },
        label: |rate| number::magnitude(rate.round()),
        name: "rate asked for",
        title: "achieved execs per second",
        zero: "0",
        is_survival: false,
        is_achieved: true,
    };
    section(matrix, varied).map(|groups| Section {
        id: "rates",
        title: "Loss against rate",
        lead: "Execs missed, of all in truth, at the rate that the storm really achieved; what was asked for stands beside it in the table. Of several seeds: the worst.".into(),
        groups,
    })
}

/// Loss against the size of bursts.
pub(super) fn bursts(matrix: &Matrix<'_>) -> Option<Section> {
    let varied = Varied {
        of: |w| match w.load {
            Load::Burst(size) => Some((
                size.into(),
                Workload {
                    load: Load::Burst(1),
                    execs: 0,
                    ..w.clone()
                },
            )),
            _ => None,
        },
        place: |asked, _| asked,
        label: |size| number::magnitude(size.round()),
        name: "burst",
        title: "execs at once",
        zero: "0",
        is_survival: false,
        is_achieved: false,
    };
    section(matrix, varied).map(|groups| Section {
        id: "bursts",
        title: "Loss against burst size",
        lead: "Execs missed, of all in truth, where so many come at once. Of several seeds: the worst.".into(),
        groups,
    })
}

/// One measured point.
struct Point {
    asked: u64,
    place: f64,
    complete: f64,
    path: Option<f64>,
}

/// Setups that differ in what was varied and in nothing else.
struct Kind<'m, 'a> {
    /// Without what was varied.
    rest: Workload,
    /// One of them.
    any: &'m Setup<'a>,
    /// Each with its value.
    all: Vec<(u64, usize)>,
}

/// All points of one backend, by kernel.
type Curves = BTreeMap<usize, Vec<Point>>;

fn section(matrix: &Matrix<'_>, varied: Varied) -> Option<Vec<Group>> {
    let mut kinds: Vec<Kind<'_, '_>> = Vec::new();
    for (at, setup) in matrix.setups.iter().enumerate() {
        let Some((value, rest)) = (varied.of)(setup.workload) else {
            continue;
        };
        let same = |kind: &&mut Kind<'_, '_>| {
            kind.rest == rest && (kind.any.lab, kind.any.cpus) == (setup.lab, setup.cpus)
        };
        match kinds.iter_mut().find(same) {
            Some(kind) => kind.all.push((value, at)),
            None => kinds.push(Kind {
                rest,
                any: setup,
                all: vec![(value, at)],
            }),
        }
    }
    let mut left = MOST_PANELS;
    let groups: Vec<Group> = kinds
        .into_iter()
        .filter(|kind| kind.all.windows(2).any(|two| two[0].0 != two[1].0))
        .filter_map(|kind| {
            let title = title(&kind, matrix.is_mixed(), varied);
            let group = group(matrix, title, &kind.all, varied, left)?;
            left -= group.panels.len();
            Some(group)
        })
        .collect();
    (!groups.is_empty()).then_some(groups)
}

/// Scenario, and load where it is not what was varied.
fn title(kind: &Kind<'_, '_>, is_mixed: bool, varied: Varied) -> String {
    let (rest, setup) = (&kind.rest, kind.any);
    let mut title = crate::text::clean(&rest.scenario);
    if varied.is_survival {
        title += &format!(", {}", rest.load);
    } else if rest.lifetime_ns > 0 {
        title += &format!(
            ", each living {}",
            number::duration(rest.lifetime_ns as f64)
        );
    }
    if is_mixed {
        title += &format!(
            ", lab {}, {}",
            setup.lab,
            plural(setup.cpus as usize, "CPU")
        );
    }
    title
}

fn group(
    matrix: &Matrix<'_>,
    title: String,
    values: &[(u64, usize)],
    varied: Varied,
    most: usize,
) -> Option<Group> {
    let mut backends: BTreeMap<usize, Curves> = BTreeMap::new();
    for cell in matrix.watched() {
        let Some(&(asked, _)) = values.iter().find(|(_, setup)| *setup == cell.at.setup) else {
            continue;
        };
        let Some(complete) = worst(cell, TrialResult::completeness_share) else {
            continue;
        };
        let curves = backends.entry(cell.at.backend).or_default();
        curves.entry(cell.at.kernel).or_default().push(Point {
            asked,
            place: (varied.place)(asked as f64, cell),
            complete,
            path: worst(cell, TrialResult::path_share),
        });
    }
    for points in backends.values_mut().flat_map(BTreeMap::values_mut) {
        points.sort_by(|a, b| a.place.total_cmp(&b.place));
    }
    let whole = |points: &[Point]| {
        points
            .iter()
            .all(|p| p.complete >= 1.0 && (!varied.is_survival || p.path.is_none_or(|s| s >= 1.0)))
    };
    // A straight line at the top is no picture.
    let (flat, drawn): (Vec<_>, Vec<_>) = backends
        .iter()
        .partition(|(_, curves)| curves.values().all(|points| whole(points)));
    let all = || backends.values().flat_map(BTreeMap::values).flatten();
    all().next()?;
    let axis = Log::of(&all().map(|p| p.place).collect::<Vec<_>>());
    let loss = all().map(|p| 1.0 - p.complete).fold(0.0, f64::max);
    let top = if varied.is_survival {
        1.0
    } else {
        [0.01, 0.05, 0.1, 0.25, 0.5]
            .into_iter()
            .find(|&top| loss <= top)
            .unwrap_or(1.0)
    };
    let axes = Axes {
        x: &axis,
        x_title: varied.title,
        zero: varied.zero,
        x_label: varied.label,
        top,
    };
    let name = |backend: usize| matrix.backends[backend].brief.clone();
    let panels: Vec<Panel> = drawn
        .iter()
        .take(most)
        .map(|(backend, curves)| panel(&name(**backend), curves, &axes, varied))
        .collect();
    let mut notes = Vec::new();
    if !flat.is_empty() {
        let names: Vec<String> = flat.iter().map(|(backend, _)| name(**backend)).collect();
        let what = if varied.is_survival {
            "Everything seen, with the best path, at every life"
        } else {
            "Nothing lost at any"
        };
        notes.push(format!("{what}: {}.", list(&names)));
    }
    let left_out = drawn.len() - panels.len();
    if left_out > 0 {
        notes.push(format!(
            "Not drawn, and in the table below: {}.",
            plural(left_out, "backend")
        ));
    }
    let kernels: BTreeSet<usize> = backends
        .values()
        .flat_map(BTreeMap::keys)
        .copied()
        .collect();
    let keys: Vec<Key> = kernels
        .iter()
        .map(|&k| key(k, &matrix.kernels[k].label))
        .collect();
    Some(Group {
        title,
        keys: if panels.is_empty() { Vec::new() } else { keys },
        panels,
        notes,
        table: table(matrix, &backends, varied),
    })
}

fn worst(cell: &Cell<'_>, share: fn(&TrialResult) -> Option<f64>) -> Option<f64> {
    cell.trials.iter().filter_map(|t| share(t)).reduce(f64::min)
}

fn panel(backend: &str, curves: &Curves, axes: &Axes<'_>, varied: Varied) -> Panel {
    let mut lines = Vec::new();
    for (&kernel, points) in curves {
        let line = |is_dashed, share: &dyn Fn(&Point) -> Option<f64>| Line {
            series: kernel,
            is_dashed,
            points: points
                .iter()
                .filter_map(|p| Some((p.place, share(p)?)))
                .collect(),
        };
        if varied.is_survival {
            lines.push(line(true, &|p| p.path));
            lines.push(line(false, &|p| Some(p.complete)));
        } else {
            lines.push(line(false, &|p| Some(1.0 - p.complete)));
        }
    }
    Panel {
        title: backend.to_owned(),
        svg: curve::panel(&lines, axes),
        label: format!(
            "{} of {backend} against {}, on {}",
            if varied.is_survival {
                "Completeness and path accuracy"
            } else {
                "Loss"
            },
            varied.title,
            plural(curves.len(), "kernel")
        ),
        numbered: Vec::new(),
    }
}

fn table(matrix: &Matrix<'_>, backends: &BTreeMap<usize, Curves>, varied: Varied) -> Table {
    let mut head = vec!["backend", "kernel", varied.name];
    if varied.is_survival {
        head.extend(["completeness", "path accuracy"]);
    } else {
        head.extend(varied.is_achieved.then_some("achieved"));
        head.push("lost");
    }
    let mut rows = Vec::new();
    for (&backend, curves) in backends {
        for (&kernel, points) in curves {
            for point in points {
                let mut row = vec![
                    matrix.backends[backend].brief.clone(),
                    matrix.kernels[kernel].label.clone(),
                    (varied.label)(point.asked as f64),
                ];
                if varied.is_survival {
                    row.push(number::share(point.complete));
                    row.push(point.path.map_or_else(|| "n/a".into(), number::share));
                } else {
                    if varied.is_achieved {
                        row.push((varied.label)(point.place));
                    }
                    row.push(number::share(1.0 - point.complete));
                }
                rows.push(row);
            }
        }
    }
    Table {
        caption: "All points".into(),
        head: head.into_iter().map(str::to_owned).collect(),
        rows,
    }
}
