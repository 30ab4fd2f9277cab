//! The load as it goes, drawn where stderr is a terminal and nowhere else.

use super::tally::Tally;
use crate::cli::talk::Talk;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

const KNOWN_END: &str = "{prefix} {wide_bar} {human_pos}/{human_len}  {per_sec}  eta {eta}{msg}";
const OPEN_END: &str = "{prefix} {spinner} {human_pos}  {per_sec}  {elapsed}{msg}";

pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// `count`: how many there will be, where that is known.
    pub fn new(talk: &Talk, count: Option<u64>, what: &'static str) -> Self {
        if talk.quiet() || !std::io::stderr().is_terminal() {
            return Self(None);
        }
        let (bar, template) = match count {
            Some(count) => (ProgressBar::new(count), KNOWN_END),
            None => (ProgressBar::new_spinner(), OPEN_END),
        };
        let style = ProgressStyle::with_template(template).expect("a constant template");
        Self(Some(bar.with_style(style).with_prefix(what)))
    }

    pub fn show(&self, tally: &Tally) {
        let Some(bar) = &self.0 else { return };
        bar.set_position(tally.sent);
        if tally.refused + tally.bad > 0 {
            bar.set_message(format!("  {} refused, {} bad lines", tally.refused, tally.bad));
        }
    }

    /// Leaves the line to what is printed next.
    pub fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
