//! The pages of `docs/errors`, as this binary carries them.

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// One page: its code, and what is written there (Markdown).
pub struct Page {
    pub code: &'static str,
    pub text: &'static str,
}

impl Page {
    /// The first line, without the code.
    pub fn title(&self) -> &str {
        let line = self.text.lines().next().unwrap_or_default();
        let line = line.trim_start_matches("# ").trim_start_matches(self.code);
        line.trim_start_matches(": ")
    }
}

/// The page of a code, in whatever case it is written.
pub fn page(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code.eq_ignore_ascii_case(code))
}

/// Where the API has the page of a code.
pub fn url(code: &str) -> String {
    format!("/api/v1/errors/{code}")
}
