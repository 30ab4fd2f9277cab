//! Whether transactions work: their id, positions in them, records in them, and how long one takes.

use super::Report;
use super::rights::{GRANT, told};
use crate::cli::topics::Site;
use fermata_core::names;
use fermata_core::topics::MAX_MESSAGE;
use fermata_kafka::inspect::{Inspector, Made, NoTransactions, Seen, Transactor, Verdict};
use fermata_runtime::topics::Kind;

/// Behind the node's name, where workers have their number.
const ID: &str = "doctor";
/// Where the node has no name yet.
const NAMELESS: &str = "node";
/// Larger ones are not sent for a question.
const MOST_BYTES: i64 = 64 << 20;
/// Milliseconds: below, clocks are as good as one; above the second, records' times mislead, and timers wait.
const CLOCK_WARNS: i64 = 1_000;
const CLOCK_BAD: i64 = 60_000;

pub fn look(report: &mut Report<'_>, inspector: &Inspector, site: &Site, mut seen: Seen) {
    let group = names::group(&site.plan.pipeline);
    match inspector.group(&group) {
        Ok(Some(found)) => report.ok(
            "group",
            format!("{group}: {}, {} members", found.state, found.members.len()),
        ),
        Ok(None) => report.ok("group", format!("{group}: nobody has joined yet, as far as is seen")),
        Err(error) => report.warning("group", site.installation.mask(&error.to_string()), error.remedy()),
    }
    let node = site.installation.node.id.as_deref().unwrap_or(NAMELESS);
    let id = format!("{group}.{node}.{ID}");
    let transactor = match inspector.transactor(&id) {
        Ok(transactor) => transactor,
        Err(NoTransactions::Denied) => {
            report.bad("transactions", format!("denied: the transactional id {id}"), GRANT);
            report.skipped("right to write, transactions, clock", "no transactions");
            return;
        }
        Err(NoTransactions::Failed(found)) => {
            report.bad(
                "transactions",
                format!("{id}: {}", site.installation.mask(&found)),
                "the coordinator's broker must run: __transaction_state needs transaction.state.log.min.isr copies in sync",
            );
            report.skipped("right to write, transactions, clock", "no transactions");
            return;
        }
    };
    report.ok("transactional ids", format!("{group}.*"));
    make_probe(inspector, site, &mut seen);
    concluded(report, &transactor, site, &group, &seen);
    // Last: behind a record that a partition refused, a producer cannot write to that partition any more.
    written(report, &transactor, &seen);
}

/// Where the host makes topics, the doctor makes its own.
fn make_probe(inspector: &Inspector, site: &Site, seen: &mut Seen) {
    let probe = site.plan.topics.iter().find(|t| t.kind == Kind::Probe);
    let missing = probe.filter(|t| site.makes_topics() && !seen.found.contains_key(&t.name));
    let Some(topic) = missing else { return };
    let wanted = [(topic.name.clone(), topic.partitions, topic.settings())];
    let made = inspector.create(&wanted, site.plan.replication_factor, false);
    let there = made.is_ok_and(|made| made.values().all(|m| matches!(m, Made::Yes | Made::Existed)));
    // Why it could not be made was told among the missing topics.
    if let (true, Ok(now)) = (there, inspector.topics([&topic.name])) {
        seen.found.extend(now.found);
    }
}

fn written(report: &mut Report<'_>, transactor: &Transactor<'_>, seen: &Seen) {
    let asked = seen.found.iter().filter_map(|(name, found)| {
        let takes = found
            .number(MAX_MESSAGE)
            .filter(|takes| (0..=MOST_BYTES).contains(takes))?;
        Some((name, transactor.may_write(name, usize::try_from(takes).ok()?)))
    });
    let asked: Vec<_> = asked.collect();
    let left = seen.found.len() - asked.len();
    told(report, "right to write", asked.into_iter());
    if left > 0 {
        let because =
            format!("{left} topics: how large records they take is not known, or more than is sent for a question");
        report.skipped("right to write", because);
    }
}

fn concluded(report: &mut Report<'_>, transactor: &Transactor<'_>, site: &Site, group: &str, seen: &Seen) {
    let probe = names::probe(&site.plan.pipeline);
    if !seen.found.contains_key(&probe) {
        let because = format!("there is no topic {probe} to write to: `fermata topics create` makes it");
        report.skipped("right to the group, transactions, clock", because);
        return;
    }
    match transactor.may_position(group, &probe) {
        Verdict::Granted => report.ok("right to the group", group),
        Verdict::Denied => report.bad("right to the group", format!("denied: {group}"), GRANT),
        Verdict::Unknown(found) => report.bad("right to the group", found, "the broker's log says more"),
    }
    let done = match transactor.conclude(&probe, group) {
        Ok(done) => done,
        Err(error) => {
            report.bad(
                "transactions",
                site.installation.mask(&error.to_string()),
                error.remedy(),
            );
            return;
        }
    };
    report.ok(
        "transactions",
        format!("committed and read back in {} ms", done.took.as_millis()),
    );
    match done.clock_ahead {
        None => report.skipped("clock", format!("{probe} does not carry the broker's time")),
        Some(ahead) if ahead.abs() < CLOCK_WARNS => {
            report.ok("clock", format!("within {CLOCK_WARNS} ms of the broker's"))
        }
        Some(ahead) => {
            let word = if ahead > 0 { "ahead of" } else { "behind" };
            let found = format!("the broker's clock is {} ms {word} this machine's", ahead.abs());
            let remedy = "let NTP or chrony set the clocks of brokers and instances";
            if ahead.abs() < CLOCK_BAD {
                report.warning("clock", found, remedy);
            } else {
                report.bad("clock", found, remedy);
            }
        }
    }
}
