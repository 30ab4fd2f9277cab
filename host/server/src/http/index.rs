//! The page that a browser finds first.

use super::Shared;
use axum::extract::State;
use axum::response::Html;

const PAGE: &str = include_str!("index.html");

pub async fn page(State(app): Shared) -> Html<String> {
    // Both are words of `[a-z0-9.-]`: nothing to escape.
    Html(
        PAGE.replace("{pipeline}", app.manifest.name.as_str())
            .replace("{version}", crate::VERSION),
    )
}
