//! A chart: drawn on the server, with the table of its numbers behind it.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChartView {
    pub title: String,
    /// What one has to know to read it, where that isn't plain.
    pub note: Option<String>,
    /// One word for each line, in the order of their colours.
    pub legend: Vec<String>,
    /// The drawing, made by `charts`; empty where there is nothing to draw yet.
    pub svg: String,
    /// Time, then one text for each line; newest first.
    pub rows: Vec<(String, Vec<String>)>,
}
