//! Whether we may read topics, see how they are kept, and know that they exist.

use super::Report;
use crate::cli::topics::Site;
use fermata_core::{TopicName, names};
use fermata_kafka::inspect::{Inspector, Seen, Verdict};

pub const GRANT: &str = "grant what `fermata topics acls` prints";

pub fn look(report: &mut Report<'_>, inspector: &Inspector, site: &Site, seen: &Seen) {
    let listed = |topics: &[&TopicName]| topics.iter().map(|t| t.as_str()).collect::<Vec<_>>().join(", ");
    let hidden: Vec<_> = seen.hidden.iter().collect();
    if !hidden.is_empty() {
        report.bad("right to describe", format!("denied: {}", listed(&hidden)), GRANT);
    }
    if seen.found.is_empty() {
        report.skipped("right to read", "no topic yet");
        return;
    }
    let closed = seen.found.iter().filter(|(_, found)| found.settings.is_none());
    let closed: Vec<_> = closed.map(|(name, _)| name).collect();
    if closed.is_empty() {
        report.ok("right to see settings", format!("{} topics", seen.found.len()));
    } else {
        report.bad("right to see settings", format!("denied: {}", listed(&closed)), GRANT);
    }
    let topics: Vec<TopicName> = seen.found.keys().cloned().collect();
    match inspector.may_read(&topics, &names::group(&site.plan.pipeline)) {
        Ok(verdicts) => told(report, "right to read", topics.iter().zip(verdicts)),
        Err(error) => report.bad(
            "right to read",
            site.installation.mask(&error.to_string()),
            error.remedy(),
        ),
    }
}

/// One line for all that are granted, one for all that are denied, one for each that is neither.
pub fn told<'a>(report: &mut Report<'_>, what: &str, verdicts: impl Iterator<Item = (&'a TopicName, Verdict)>) {
    let (mut granted, mut denied) = (0, Vec::new());
    for (topic, verdict) in verdicts {
        match verdict {
            Verdict::Granted => granted += 1,
            Verdict::Denied => denied.push(topic.as_str()),
            Verdict::Unknown(found) => {
                report.bad(what, format!("{topic}: {found}"), "the broker's log says more");
            }
        }
    }
    if !denied.is_empty() {
        report.bad(what, format!("denied: {}", denied.join(", ")), GRANT);
    } else if granted > 0 {
        report.ok(what, format!("{granted} topics"));
    }
}
