//! The table that is printed at the end.

use crate::measure::milliseconds;
use std::time::Duration;

/// The table.
#[derive(Debug, Default)]
pub struct Table(Vec<[String; 6]>);

impl Table {
    /// A duration beside another; `goal` is the largest good ratio.
    pub fn compare(&mut self, what: &str, own: Duration, other: &str, theirs: Duration, goal: Option<f64>) {
        let ratio = own.as_secs_f64() / theirs.as_secs_f64();
        self.ratio(what, milliseconds(own), format!("{other}: {}", milliseconds(theirs)), ratio, goal);
    }

    /// A figure beside another; `goal` is the largest good ratio.
    pub fn compare_figures(&mut self, what: &str, own: f64, other: &str, theirs: f64, goal: Option<f64>) {
        let ratio = own / theirs;
        self.ratio(what, format!("{own:.2}"), format!("{other}: {theirs:.2}"), ratio, goal);
    }

    fn ratio(&mut self, what: &str, own: String, other: String, ratio: f64, goal: Option<f64>) {
        let wanted = goal.map_or_else(|| "-".into(), |goal| format!("<= {goal:.2}"));
        let verdict = goal.map_or("", |goal| if ratio <= goal { "ok" } else { "NOT" });
        self.0.push([what.into(), own, other, format!("{ratio:.2}"), wanted, verdict.into()]);
    }

    /// A figure that has a limit.
    pub fn limit(&mut self, what: &str, own: f64, limit: f64) {
        let verdict = if own <= limit { "ok" } else { "NOT" };
        let wanted = format!("<= {limit:.2}");
        self.0.push([what.into(), format!("{own:.2}"), "-".into(), "-".into(), wanted, verdict.into()]);
    }

    /// A figure to know.
    pub fn note(&mut self, what: &str, own: &str) {
        self.0.push([what.into(), own.into(), "-".into(), "-".into(), "-".into(), String::new()]);
    }

    /// Prints it.
    pub fn print(&self) {
        let head = ["what", "measured", "compared with", "ratio", "goal", ""].map(str::to_owned);
        let lines = || std::iter::once(&head).chain(&self.0);
        let width =
            |column: usize| lines().map(|line| line[column].chars().count()).max().unwrap_or_default();
        let widths: Vec<_> = (0..head.len()).map(width).collect();
        for line in lines() {
            let cells: Vec<_> =
                line.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            println!("{}", cells.join("  ").trim_end());
        }
    }
}
