//! A small pipeline's log, written by hand as a worker would; then one thing of it is changed at a time.

mod corrupt;
mod live;
mod memory;
mod replay;
pub(crate) mod stages;
pub(crate) mod story;
mod views;

use super::{Report, VerifySpec, ViewSource, verify};
use story::Story;

fn check(story: &Story) -> Report {
    check_with(story, None)
}

fn check_with(story: &Story, views: Option<&dyn ViewSource>) -> Report {
    verify(&VerifySpec {
        manifest: &story.manifest,
        log: &story.log,
        views,
        replay: None,
    })
    .unwrap()
}
