//! Whether what is acknowledged outlives a broker.

use super::Report;
use crate::cli::topics::Site;
use fermata_core::topics::{Inventory, MIN_IN_SYNC};
use fermata_kafka::inspect::Inspector;
use fermata_runtime::topics::Kind;
use std::collections::BTreeMap;

/// Elects a copy that has not everything.
const UNCLEAN: &str = "unclean.leader.election.enable";
/// Where Kafka keeps what groups and transactions come to.
const KAFKAS_OWN: [&str; 2] = ["__consumer_offsets", "__transaction_state"];
/// So many copies outlive a broker while another is away for maintenance.
const ENOUGH: u32 = 3;

pub fn look(report: &mut Report<'_>, inspector: &Inspector, site: &Site, found: &Inventory, brokers: usize) {
    // Topics that are copied alike are told in one line.
    let mut alike: BTreeMap<(u32, i64), Vec<&str>> = BTreeMap::new();
    for topic in site.plan.topics.iter().filter(|t| t.kind != Kind::Probe) {
        let Some(has) = found.get(&topic.name) else { continue };
        let Some(least) = has.number(MIN_IN_SYNC) else { continue };
        alike
            .entry((has.replicas, least))
            .or_default()
            .push(topic.name.as_str());
        if has.setting(UNCLEAN) == Some("true") {
            report.bad(
                "copies",
                format!("{}: {UNCLEAN} is true: what was acknowledged can be lost", topic.name),
                format!(
                    "kafka-configs.sh --bootstrap-server {} --alter --entity-type topics --entity-name {} --add-config \
                     {UNCLEAN}=false",
                    site.bootstrap(),
                    topic.name
                ),
            );
        }
    }
    for ((copies, least), topics) in alike {
        judge(report, &topics, copies, least, brokers);
    }
    for own in KAFKAS_OWN {
        // Made when the first group or transaction comes; unseen where we may not look.
        if let Ok(Some(copies)) = inspector.copies(own)
            && (copies as usize) < brokers.min(ENOUGH as usize)
        {
            report.warning(
                "copies",
                format!(
                    "{own} has {copies} on {brokers} brokers: with its broker, every group or transaction stands still"
                ),
                "kafka-reassign-partitions.sh gives it more",
            );
        }
    }
}

fn judge(report: &mut Report<'_>, topics: &[&str], copies: u32, least: i64, brokers: usize) {
    let names = topics.join(", ");
    let has = format!("{copies} copies, of which {least} must be in sync");
    let settings = "set topics.replication-factor and topics.min-insync-replicas before topics are made; kafka-configs.sh and \
                    kafka-reassign-partitions.sh change those that are there";
    if least > i64::from(copies) {
        report.bad("copies", format!("{names}: {has}: no record can be written"), settings);
    } else if copies == 1 && brokers > 1 {
        report.warning(
            "copies",
            format!("{names}: 1 copy: with its broker, everything is lost"),
            settings,
        );
    } else if copies == 1 {
        report.warning("copies", "1 of everything, on 1 broker: good for trying out", settings);
    } else if least < 2 {
        report.bad(
            "copies",
            format!("{names}: {has}: what was acknowledged can be lost with one broker"),
            settings,
        );
    } else if least == i64::from(copies) {
        report.warning(
            "copies",
            format!("{names}: {has}: without any one broker, nothing can be written"),
            settings,
        );
    } else {
        report.ok("copies", format!("{} topics with {has}", topics.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Line, Standing};
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn copies_are_judged_by_what_is_lost_with_a_broker() {
        for (copies, least, brokers, expected) in [
            (3, 2, 3, Standing::Ok),
            (3, 1, 3, Standing::Bad),
            (2, 1, 3, Standing::Bad),
            (3, 3, 3, Standing::Warning),
            (2, 2, 3, Standing::Warning),
            (1, 1, 3, Standing::Warning),
            (1, 1, 1, Standing::Warning),
            (1, 2, 1, Standing::Bad),
            (3, 4, 3, Standing::Bad),
        ] {
            let found = RefCell::new(Vec::new());
            let mut report = Report::new(|line: &Line| found.borrow_mut().push(line.clone()));
            judge(&mut report, &["a", "b"], copies, least, brokers);
            drop(report);
            let found = found.into_inner();
            assert_eq!(found.len(), 1);
            assert_eq!(
                found[0].standing, expected,
                "{copies} copies, {least} in sync, {brokers} brokers"
            );
        }
    }
}
