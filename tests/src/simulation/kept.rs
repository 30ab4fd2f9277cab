//! Runs that failed once, kept in `tests/seeds/*.txt` and run before all others.
//!
//! A line is a seed, or a shrunken plan as JSON: a seed's meaning changes with the simulation, a plan's does not. Lines
//! that begin with `#` say what was wrong.

use super::plan::Plan;
use std::fs;
use std::path::PathBuf;

/// One line of one file.
#[derive(Debug, Clone)]
pub struct Case {
    /// File and line.
    pub place: String,
    pub plan: Plan,
}

/// All of them, by file and line.
pub fn kept() -> Vec<Case> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/seeds"));
    let listed = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    let mut cases = Vec::new();
    for file in files.iter().filter(|f| f.extension().is_some_and(|e| e == "txt")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        for (number, line) in text.lines().enumerate() {
            let (line, place) = (line.trim(), format!("{name}:{}", number + 1));
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let plan = match line.parse() {
                Ok(seed) => Plan::of(seed),
                Err(_) => serde_json::from_str(line).unwrap_or_else(|e| panic!("{place}: {e}")),
            };
            cases.push(Case { place, plan });
        }
    }
    cases
}
