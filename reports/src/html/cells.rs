//! The cells: for the script, which makes the heat map and the table of them, and for readers without
//! one, who get a table for each workload.

use serde::Serialize;

use super::{MOST_REASONS, pool::key, status_class};
use crate::{
    matrix::{Apart, Cell, Matrix, Role, Setup},
    metric::{Heat, Metric, Polarity, Unit},
    reasons::Reasons,
    text::clean,
};

/// The block of data that is read when the page opens.
#[derive(Serialize)]
pub(super) struct Board {
    pub kernels: Vec<String>,
    pub backends: Vec<BackendHead>,
    pub setups: Vec<SetupHead>,
    pub columns: Vec<Column>,
    pub heats: Vec<HeatHead>,
    pub cells: Vec<CellData>,
    /// What all workloads have in common.
    pub common: String,
    /// How many trials there are in all.
    pub trials: usize,
}

#[derive(Serialize)]
pub(super) struct BackendHead {
    pub name: String,
    /// What it is there for, where it does not watch.
    pub role: &'static str,
}

#[derive(Serialize)]
pub(super) struct SetupHead {
    pub label: String,
    pub scenario: String,
    /// All of the label but the scenario.
    pub rest: String,
    /// The label without what all have in common.
    pub short: String,
}

#[derive(Serialize)]
pub(super) struct Column {
    pub id: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    /// 1 where more is better, -1 where less is, else 0.
    pub polarity: i8,
}

/// A metric that has a heat map.
#[derive(Serialize)]
pub(super) struct HeatHead {
    pub id: &'static str,
    pub title: &'static str,
    pub help: &'static str,
    pub polarity: &'static str,
    /// Its column, and that of what stands small below it.
    pub column: usize,
    pub beside: Option<usize>,
    /// Level and meaning.
    pub legend: Vec<(u8, &'static str)>,
}

#[derive(Serialize)]
pub(super) struct CellData {
    /// Setup, kernel and backend.
    pub at: [usize; 3],
    /// The name of its trial; of several seeds, what their names have in common.
    pub name: String,
    pub status: String,
    pub class: &'static str,
    /// Numbers of its reasons.
    pub reasons: Vec<usize>,
    /// Its trials: the first of them, and how many.
    pub first: usize,
    pub count: usize,
    /// For each heat map its level, or `x` where there is nothing to judge.
    pub levels: String,
    /// For each column the figure and its spread.
    pub fields: Vec<(String, String)>,
    /// For each column what it is sorted by.
    pub keys: Vec<Option<f64>>,
}

/// What each column is, with those that only the heat map shows.
pub(super) fn columns(matrix: &Matrix<'_>) -> Vec<&'static Metric> {
    let mut columns = matrix.columns();
    for (metric, _) in Metric::heats() {
        if !columns.iter().any(|column| column.id == metric.id) {
            columns.push(metric);
        }
    }
    columns
}

impl Board {
    /// Of a matrix.
    pub(super) fn new(matrix: &Matrix<'_>, reasons: &Reasons, columns: &[&'static Metric]) -> Self {
        let heats: Vec<(&Metric, Heat)> = Metric::heats().collect();
        let column_of = |id: &str| columns.iter().position(|column| column.id == id);
        let mut first = 0;
        let cells: Vec<CellData> = matrix
            .cells()
            .map(|cell| {
                let data = cell_data(matrix, reasons, columns, &heats, cell, first);
                first += data.count;
                data
            })
            .collect();
        let common = common(matrix);
        Self {
            kernels: matrix.kernels.iter().map(|k| k.label.clone()).collect(),
            backends: matrix
                .backends
                .iter()
                .map(|backend| BackendHead {
                    name: backend.brief.clone(),
                    role: role(backend.role),
                })
                .collect(),
            setups: matrix
                .setups
                .iter()
                .map(|setup| setup_head(setup, &common))
                .collect(),
            columns: columns
                .iter()
                .map(|metric| Column {
                    id: metric.id,
                    title: metric.title,
                    help: metric.help,
                    polarity: match metric.polarity {
                        Polarity::Higher => 1,
                        Polarity::Lower => -1,
                        Polarity::Neutral => 0,
                    },
                })
                .collect(),
            heats: heats
                .iter()
                .filter_map(|(metric, heat)| {
                    Some(HeatHead {
                        id: metric.id,
                        title: metric.title,
                        help: metric.help,
                        polarity: match metric.polarity {
                            Polarity::Neutral => "",
                            polarity => polarity.as_str(),
                        },
                        column: column_of(metric.id)?,
                        beside: heat.beside.and_then(column_of),
                        legend: (0..)
                            .zip(heat.legend)
                            .filter(|(_, words)| !words.is_empty())
                            .collect(),
                    })
                })
                .collect(),
            cells,
            common: common.join(", "),
            trials: first,
        }
    }

    /// Whether anything watched.
    pub fn is_watched(&self) -> bool {
        self.cells.iter().any(|cell| self.watches(cell))
    }

    fn watches(&self, cell: &CellData) -> bool {
        self.backends[cell.at[2]].role.is_empty()
    }

    /// The cells of one setup, for a table.
    pub fn of_setup(&self, setup: usize) -> impl Iterator<Item = &CellData> {
        self.cells.iter().filter(move |cell| cell.at[0] == setup)
    }

    /// Class of a field in a table: its heat where it has one.
    pub fn class(&self, cell: &CellData, column: usize) -> String {
        let heat = self.heats.iter().position(|heat| heat.column == column);
        match heat.and_then(|heat| cell.levels.as_bytes().get(heat)) {
            Some(level) if *level != b'x' => format!("h{}", char::from(*level)),
            _ => String::new(),
        }
    }
}

/// What stands in the label of every setup, where there are several.
fn common(matrix: &Matrix<'_>) -> Vec<String> {
    let (Some(first), true) = (matrix.setups.first(), matrix.setups.len() > 1) else {
        return Vec::new();
    };
    let is_common = |part: &&str| {
        let all = &mut matrix.setups.iter();
        all.all(|setup| setup.label.split(", ").skip(1).any(|other| other == *part))
    };
    let parts = first.label.split(", ").skip(1);
    parts.filter(is_common).map(str::to_owned).collect()
}

fn setup_head(setup: &Setup<'_>, common: &[String]) -> SetupHead {
    let scenario = clean(&setup.workload.scenario);
    let rest = setup.label.strip_prefix(&scenario).unwrap_or_default();
    let mut short = vec![scenario.clone()];
    let parts = rest.split(", ").filter(|part| !part.is_empty());
    short.extend(
        parts
            .filter(|part| !common.iter().any(|c| c == part))
            .map(str::to_owned),
    );
    SetupHead {
        label: setup.label.clone(),
        rest: rest.trim_start_matches(", ").to_owned(),
        short: short.join(", "),
        scenario,
    }
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Baseline => "baseline",
        Role::Control => "control",
        Role::Witness => "witness",
        Role::Watcher => "",
    }
}

fn cell_data(
    matrix: &Matrix<'_>,
    reasons: &Reasons,
    columns: &[&'static Metric],
    heats: &[(&Metric, Heat)],
    cell: &Cell<'_>,
    first: usize,
) -> CellData {
    let status = cell.status();
    let figures: Vec<_> = columns.iter().map(|metric| cell.figure(metric)).collect();
    CellData {
        at: [cell.at.setup, cell.at.kernel, cell.at.backend],
        name: name(cell),
        status: cell.status_label(),
        class: status_class(status),
        reasons: reasons
            .numbers(cell)
            .into_iter()
            .filter(|&n| n <= MOST_REASONS)
            .collect(),
        first,
        count: cell.trials.len(),
        levels: heats
            .iter()
            .map(|(metric, heat)| level(cell, metric, heat).map_or('x', |n| char::from(b'0' + n)))
            .collect(),
        fields: columns
            .iter()
            .zip(&figures)
            .map(|(metric, figure)| {
                if figure.is_empty() {
                    return (String::new(), String::new());
                }
                let caveat = matrix.apart(cell, metric).and_then(Apart::caveat);
                let below: Vec<String> = figure
                    .print_spread(metric)
                    .into_iter()
                    .chain(caveat.map(str::to_owned))
                    .collect();
                (figure.print(metric), below.join(", "))
            })
            .collect(),
        keys: columns
            .iter()
            .zip(&figures)
            .map(|(metric, figure)| {
                let number = figure.numbers.map(|n| n.median);
                number.or_else(|| word_key(metric, figure)).map(key)
            })
            .collect(),
    }
}

/// Words are sorted as they are coloured.
fn word_key(metric: &Metric, figure: &crate::matrix::Figure) -> Option<f64> {
    let heat = metric.heat?;
    let levels = figure.words.keys().filter_map(|word| (heat.word)(word));
    levels.max().map(f64::from)
}

/// A seed that lost colours its cell: a share is as good as its worst seed, and so is a word.
fn level(cell: &Cell<'_>, metric: &Metric, heat: &Heat) -> Option<u8> {
    let figure = cell.figure(metric);
    let words = figure.words.keys().filter_map(|word| (heat.word)(word));
    let number = figure.numbers.map(|numbers| {
        (heat.level)(match metric.unit {
            Unit::Share => numbers.worst(metric),
            _ => numbers.median,
        })
    });
    words.chain(number).max()
}

fn name(cell: &Cell<'_>) -> String {
    let name = &cell.any().trial;
    match name.rsplit_once('/').filter(|_| cell.trials.len() > 1) {
        Some((common, _)) => clean(common),
        None => clean(name),
    }
}
