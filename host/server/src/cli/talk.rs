//! Where words go: data on stdout, talk on stderr.

use super::args::{Global, Output};
use serde_json::Value;
use std::io::{IsTerminal, Write};

#[derive(Clone, Debug)]
pub struct Talk {
    quiet: bool,
    pub color: bool,
    pub output: Output,
}

impl Talk {
    pub fn new(global: &Global) -> Self {
        let plain = global.no_color || std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            quiet: global.quiet,
            color: !plain && std::io::stderr().is_terminal(),
            output: global.output,
        }
    }

    /// A line for people.
    pub fn say(&self, line: impl AsRef<str>) {
        if !self.quiet {
            // A closed stderr is no reason to stop the work.
            let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
        }
    }

    /// A piece of a line that others follow.
    pub fn part(&self, text: impl AsRef<str>) {
        if !self.quiet {
            let mut stderr = std::io::stderr();
            let _ = write!(stderr, "{}", text.as_ref());
            let _ = stderr.flush();
        }
    }

    pub fn json(&self) -> bool {
        self.output == Output::Json
    }

    /// A line of data.
    pub fn print(&self, line: impl AsRef<str>) {
        // A reader that has seen enough (`| head`) closes the pipe.
        if writeln!(std::io::stdout(), "{}", line.as_ref()).is_err() {
            std::process::exit(0);
        }
    }

    /// One JSON document on one line.
    pub fn print_json(&self, value: &Value) {
        self.print(value.to_string());
    }

    pub fn quiet(&self) -> bool {
        self.quiet
    }
}

/// Columns wide enough for their longest cell; numbers are not aligned apart, so that a line can be cut by spaces.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|h| h.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut head.iter().copied())];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// Microseconds for people.
pub fn micros(value: u64) -> String {
    match value {
        0..1_000 => format!("{value} µs"),
        1_000..10_000 => format!("{:.1} ms", value as f64 / 1_000.0),
        10_000..10_000_000 => format!("{:.0} ms", value as f64 / 1_000.0),
        _ => format!("{:.1} s", value as f64 / 1_000_000.0),
    }
}

/// A JSON value in a cell or a sentence: no quotes, numbers grouped, objects as `EUR 0, USD 5`.
pub fn plain(value: &Value) -> String {
    match value {
        // A guest's or a producer's words do not steer the terminal.
        Value::String(s) => s.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"),
        Value::Null => "-".to_owned(),
        Value::Number(n) => n.as_u64().map_or_else(|| n.to_string(), grouped),
        Value::Object(map) => {
            let parts: Vec<String> = map.iter().map(|(k, v)| format!("{k} {}", plain(v))).collect();
            parts.join(", ")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_readable() {
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
        assert_eq!(micros(999), "999 µs");
        assert_eq!(micros(2_340), "2.3 ms");
        assert_eq!(plain(&serde_json::json!({"EUR": 0, "USD": -5})), "EUR 0, USD -5");
        assert_eq!(plain(&"red \u{1b}[31m\ntwo".into()), "red \u{fffd}[31m\ntwo");
    }

    #[test]
    fn columns_line_up() {
        let text = table(
            &["A", "LONG"],
            &[vec!["xyz".into(), "1".into()], vec!["é".into(), "2".into()]],
        );
        assert_eq!(text, "A    LONG\nxyz  1\né    2");
    }
}
