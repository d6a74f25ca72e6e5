//! Charts over time, drawn by plotters as SVG on the server.
//!
//! Colours are left to the style sheets: plotters draws with marker colours, which become classes here, so that a
//! chart follows light and dark. Nothing in the drawing needs an inline style.

mod marks;

use crate::server_side::present::time;
use crate::view::amounts;
use crate::view::chart::ChartView;
use grid::UnixMillis;
use plotters::prelude::*;

/// Drawn size; the page scales it.
const WIDTH: u32 = 440;
const HEIGHT: u32 = 190;

/// No drawing is of a shorter time: seconds would look like a day's work.
const SHORTEST_MS: i64 = 10 * 60 * 1000;

/// Rows of the table behind a chart.
const ROWS: usize = 12;

/// The marker colours: what is drawn with one gets the class.
const TEXT: RGBColor = RGBColor(1, 0, 1);
const GRID: RGBColor = RGBColor(1, 0, 2);
const LINES: [RGBColor; 5] =
    [RGBColor(2, 0, 1), RGBColor(2, 0, 2), RGBColor(2, 0, 3), RGBColor(2, 0, 4), RGBColor(2, 0, 5)];
const CLASSES: [(&str, &str); 7] = [
    ("#010001", "chart-text"),
    ("#010002", "chart-grid"),
    ("#020001", "chart-line chart-line-1"),
    ("#020002", "chart-line chart-line-2"),
    ("#020003", "chart-line chart-line-3"),
    ("#020004", "chart-line chart-line-4"),
    ("#020005", "chart-line chart-line-5"),
];

/// What the numbers of a chart are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Count,
    Mib,
    Mbit,
    Permille,
    BytesPerSecond,
}

impl Unit {
    fn text(self, value: f64) -> String {
        let whole = whole(value);
        match self {
            // Half a vCPU in use is worth telling.
            Self::Count if value.fract() != 0.0 => format!("{value:.1}"),
            Self::Count => whole.to_string(),
            Self::Mib => amounts::mib(whole),
            Self::Mbit => amounts::mbit(whole),
            Self::Permille => amounts::permille(whole),
            Self::BytesPerSecond => format!("{}/s", amounts::bytes(whole)),
        }
    }

    /// What an axis that reaches to `top` is divided by, and its unit, so that its marks are round numbers.
    fn of_axis(self, top: f64) -> (f64, &'static str) {
        const KIB: f64 = 1024.0;
        match self {
            Self::Count => (1.0, ""),
            Self::Permille => (10.0, " %"),
            Self::Mib if top >= KIB * KIB => (KIB * KIB, " TiB"),
            Self::Mib if top >= KIB => (KIB, " GiB"),
            Self::Mib => (1.0, " MiB"),
            Self::Mbit => (1.0, " Mbit/s"),
            Self::BytesPerSecond if top >= KIB * KIB => (KIB * KIB, " MiB/s"),
            Self::BytesPerSecond if top >= KIB => (KIB, " KiB/s"),
            Self::BytesPerSecond => (1.0, " B/s"),
        }
    }

    /// Whether its round numbers are powers of two.
    const fn is_of_bytes(self) -> bool {
        matches!(self, Self::Mib | Self::BytesPerSecond)
    }

    /// The axis reaches at least this far, so that noise around nothing looks like nothing.
    const fn at_least(self) -> f64 {
        match self {
            Self::Count => 2.0,
            Self::Mib => 64.0,
            Self::Mbit => 10.0,
            Self::Permille => 100.0,
            Self::BytesPerSecond => 4096.0,
        }
    }
}

/// The nearest whole number that is not negative.
fn whole(value: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the conversion saturates, NaN is 0")]
    let whole = value.round() as u64;
    whole
}

/// What an axis can be made for: nothing negative, nothing beyond all measure, for which its marks are never found.
fn drawable(value: f64) -> f64 {
    const HIGHEST: f64 = 1e15;
    if value.is_nan() { 0.0 } else { value.clamp(0.0, HIGHEST) }
}

/// One line: its word and its points, oldest first.
#[derive(Clone, Debug)]
pub struct Line {
    pub name: String,
    pub points: Vec<(UnixMillis, f64)>,
}

/// Draws the lines over `range` and puts their newest numbers behind them. Empty where there is no point at all, or
/// where the drawing failed (which is logged).
pub fn chart(title: &str, unit: Unit, lines: &[Line], range: (UnixMillis, UnixMillis)) -> ChartView {
    let svg = if lines.iter().all(|line| line.points.is_empty()) {
        String::new()
    } else {
        match draw(unit, lines, range) {
            Ok(svg) => dressed(&svg, title),
            Err(error) => {
                tracing::error!(%error, title, "a chart could not be drawn");
                String::new()
            }
        }
    };
    ChartView {
        title: title.to_owned(),
        note: None,
        legend: lines.iter().map(|line| line.name.clone()).collect(),
        svg,
        rows: rows(unit, lines),
    }
}

/// Where a drawing of the range begins: of a history that is younger only what there is, and a little before.
fn begins(lines: &[Line], (from, to): (UnixMillis, UnixMillis)) -> UnixMillis {
    let first = lines.iter().filter_map(|line| line.points.first()).map(|(at, _)| *at).min().unwrap_or(from);
    first.min(UnixMillis(to.0.saturating_sub(SHORTEST_MS))).max(from)
}

fn draw(unit: Unit, lines: &[Line], range: (UnixMillis, UnixMillis)) -> Result<String, Box<dyn std::error::Error>> {
    let (from, to) = (begins(lines, range), range.1);
    let highest = lines.iter().flat_map(|line| &line.points).map(|(_, value)| drawable(*value)).fold(0.0, f64::max);
    let top = (highest * 1.08).max(unit.at_least());
    let (divisor, word) = unit.of_axis(top);
    let (right, most) = (to.0.max(from.0 + 1), top / divisor);
    let times = marks::of_times(from, UnixMillis(right));
    let values = marks::Values::new(most, unit.is_of_bytes());
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(6)
            .margin_right(20)
            .x_label_area_size(22)
            .y_label_area_size(76)
            .build_cartesian_2d((from.0..right).with_key_points(times), values)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID)
            .axis_style(GRID)
            .label_style(("sans-serif", 14).into_font().color(&TEXT))
            .x_label_formatter(&|at| time::of_day(UnixMillis(*at)))
            .y_label_formatter(&|value| mark(*value, word))
            .draw()?;
        for (line, colour) in lines.iter().zip(LINES) {
            for stretch in stretches(&line.points) {
                let points = stretch.iter().map(|(at, value)| (at.0, drawable(*value) / divisor));
                match stretch {
                    [_] => chart.draw_series(points.map(|point| Circle::new(point, 1, colour.filled()))).map(drop)?,
                    _ => chart.draw_series(LineSeries::new(points, colour.stroke_width(2))).map(drop)?,
                }
            }
        }
        root.present()?;
    }
    Ok(svg)
}

/// The points without a gap between them. A gap is longer than three times the usual distance: nothing is known of it,
/// so nothing is drawn.
fn stretches(points: &[(UnixMillis, f64)]) -> impl Iterator<Item = &[(UnixMillis, f64)]> {
    let mut distances: Vec<u64> = points.windows(2).map(|pair| distance(&pair[0], &pair[1])).collect();
    distances.sort_unstable();
    let longest = distances.get(distances.len() / 2).map_or(u64::MAX, |usual| usual.saturating_mul(3));
    points.chunk_by(move |before, after| distance(before, after) <= longest)
}

fn distance(before: &(UnixMillis, f64), after: &(UnixMillis, f64)) -> u64 {
    after.0.since(before.0)
}

/// A mark of an axis: at most two decimals, without needless zeros.
fn mark(value: f64, word: &str) -> String {
    let number = format!("{value:.2}");
    format!("{}{word}", number.trim_end_matches('0').trim_end_matches('.'))
}

/// The drawing with classes for its colours, a size that the page decides, and a name.
fn dressed(svg: &str, title: &str) -> String {
    let mut dressed = svg.to_owned();
    for (colour, class) in CLASSES {
        for attribute in ["fill", "stroke"] {
            dressed = dressed.replace(&format!("{attribute}=\"{colour}\""), &format!("class=\"{class}\""));
        }
    }
    let size = format!("width=\"{WIDTH}\" height=\"{HEIGHT}\" ");
    dressed.replacen(&size, &format!("role=\"img\" aria-label=\"{title} over the last hour\" "), 1)
}

/// The newest points at which the longest line has one, and what each line has at that time or last before it.
fn rows(unit: Unit, lines: &[Line]) -> Vec<(String, Vec<String>)> {
    let Some(longest) = lines.iter().max_by_key(|line| line.points.len()) else { return Vec::new() };
    let step = longest.points.len().div_ceil(ROWS).max(1);
    let times = longest.points.iter().rev().step_by(step).map(|(at, _)| *at);
    let at_time = |line: &Line, at: UnixMillis| {
        let before = line.points.iter().rev().find(|(time, _)| *time <= at);
        before.map_or_else(|| "–".to_owned(), |(_, value)| unit.text(*value))
    };
    times.map(|at| (time::short(at), lines.iter().map(|line| at_time(line, at)).collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(values: &[f64]) -> Line {
        let at = |index: usize| UnixMillis(1_790_000_000_000 + 60_000 * i64::try_from(index).unwrap());
        Line { name: "x".into(), points: values.iter().enumerate().map(|(index, value)| (at(index), *value)).collect() }
    }

    fn drawn(values: &[f64]) -> ChartView {
        let range = (UnixMillis(1_790_000_000_000), UnixMillis(1_790_003_600_000));
        chart("CPU", Unit::Permille, &[line(values)], range)
    }

    #[test]
    fn a_chart_has_classes_and_no_colour_or_style_of_its_own() {
        let svg = drawn(&[10.0, 500.0, 20.0]).svg;
        assert!(svg.contains("chart-line chart-line-1"), "{svg}");
        assert!(svg.contains("chart-text"), "{svg}");
        assert!(!svg.contains("style="), "{svg}");
        assert!(!svg.contains("=\"#"), "{svg}");
        assert!(svg.contains("role=\"img\""), "{svg}");
    }

    #[test]
    fn without_points_nothing_is_drawn() {
        let chart = drawn(&[]);
        assert_eq!((chart.svg.as_str(), chart.rows.len()), ("", 0));
    }

    #[test]
    fn the_table_has_the_newest_numbers_first_and_few_of_them() {
        let values: Vec<f64> = (0..100_u32).map(f64::from).collect();
        let rows = drawn(&values).rows;
        assert!(rows.len() <= ROWS);
        assert_eq!(rows[0].1, ["9.9 %"]);
    }

    #[test]
    fn an_axis_has_round_marks_in_one_unit() {
        assert_eq!((Unit::Mib.of_axis(3072.0), Unit::Mib.of_axis(600.0)), ((1024.0, " GiB"), (1.0, " MiB")));
        assert_eq!([mark(1.5, " GiB"), mark(20.0, " %"), mark(0.0, "")], ["1.5 GiB", "20 %", "0"]);
        let range = (UnixMillis(1_790_000_000_000), UnixMillis(1_790_003_600_000));
        let svg = chart("Memory", Unit::Mib, &[line(&[3072.0, 1024.0])], range).svg;
        assert!(svg.contains("GiB") && !svg.contains("MiB"), "{svg}");
    }

    #[test]
    fn the_marks_of_an_axis_are_round_in_its_unit() {
        let range = (UnixMillis(1_790_000_000_000), UnixMillis(1_790_003_600_000));
        let svg = chart("Disk", Unit::BytesPerSecond, &[line(&[0.0, 800_000.0])], range).svg;
        for mark in ["256 KiB/s", "512 KiB/s", "768 KiB/s"] {
            assert!(svg.contains(mark), "{mark}: {svg}");
        }
    }

    #[test]
    fn a_young_history_fills_its_chart() {
        let at = |minute: i64| UnixMillis(1_790_000_000_000 + minute * 60_000);
        let begins = |minutes: &[i64]| {
            let points = minutes.iter().map(|minute| (at(*minute), 1.0)).collect();
            begins(&[Line { name: "x".into(), points }, Line { name: "y".into(), points: Vec::new() }], (at(0), at(60)))
        };
        assert_eq!(begins(&[20, 40]), at(20));
        assert_eq!(begins(&[58, 59]), at(50), "no less than ten minutes");
        assert_eq!((begins(&[-5, 40]), begins(&[])), (at(0), at(0)), "no more than was asked for");
    }

    #[test]
    fn no_line_is_drawn_over_a_time_of_which_nothing_is_known() {
        let at = |minute: i64| (UnixMillis(1_790_000_000_000 + minute * 60_000), 1.0);
        let points: Vec<_> = [0, 1, 2, 5, 6, 10, 20].map(at).into();
        let lengths: Vec<usize> = stretches(&points).map(<[_]>::len).collect();
        assert_eq!(lengths, [6, 1], "the usual distance is two to three minutes here");
        let points: Vec<_> = [0, 1, 2, 3, 4, 5, 9, 10, 11].map(at).into();
        assert_eq!(stretches(&points).map(<[_]>::len).collect::<Vec<_>>(), [6, 3]);
        assert_eq!(stretches(&[]).count(), 0);
        let range = (at(0).0, at(60).0);
        let svg = chart("CPU", Unit::Permille, &[Line { name: "x".into(), points }], range).svg;
        assert_eq!(svg.matches("chart-line chart-line-1").count(), 2, "{svg}");
    }

    #[test]
    fn absurd_numbers_are_drawn_without_a_panic() {
        drawn(&[f64::NAN, f64::INFINITY, -1.0, f64::MAX]);
    }
}
