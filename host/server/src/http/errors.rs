//! The page that a problem's `type` leads to.

use super::problem::{Answer, Problem};
use super::request::Segments;
use crate::pages;
use axum::http::header;
use axum::response::IntoResponse;

/// Markdown, as `fermata explain` prints it.
pub async fn page(segments: Segments) -> Answer {
    let code = segments.get("code");
    let page = pages::page(code)
        .ok_or_else(|| Problem::missing("error code", code, pages::PAGES.iter().map(|page| page.code)))?;
    Ok(([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], page.text).into_response())
}
