//! A report for machines. The layout is [`crate::verdict::RunReport`], described by
//! `fixtures/schema/report.schema.json`.

use crate::verdict::RunReport;

/// The report as indented JSON with a newline at the end.
pub fn report(report: &RunReport) -> String {
    let mut text = serde_json::to_string_pretty(report).expect("strings, numbers and lists are always JSON");
    text.push('\n');
    text
}
