//! Whether each topic is there and kept as it must be.

use super::Report;
use crate::cli::topics::Site;
use fermata_core::topics::MAX_MESSAGE;
use fermata_kafka::inspect::{Inspector, Made, Seen, Wanted};
use fermata_runtime::topics::{Kind, Standing};

pub fn look(report: &mut Report<'_>, inspector: &Inspector, site: &Site) -> Option<Seen> {
    let seen = match inspector.topics(site.plan.names()) {
        Ok(seen) => seen,
        Err(error) => {
            report.bad("topics", site.installation.mask(&error.to_string()), error.remedy());
            return None;
        }
    };
    let plan = site.plan.clone().fitted(&seen.found);
    let standings = plan.compare(&seen.found);
    let mut missing: Vec<Wanted> = Vec::new();
    for (topic, standing) in &standings {
        let what = format!("topic {}", topic.name);
        match standing {
            Standing::Missing if seen.hidden.contains(&topic.name) => {}
            Standing::Missing => missing.push((topic.name.clone(), topic.partitions, topic.settings())),
            Standing::Same => {
                let found = &seen.found[&topic.name];
                report.ok(
                    &what,
                    format!(
                        "{}, {} partitions, {} copies",
                        topic.kind, found.partitions, found.replicas
                    ),
                );
            }
            Standing::Differs(all) => {
                for one in all {
                    let found = if one.found.is_empty() { "nothing" } else { &one.found };
                    report.bad(
                        &what,
                        format!("{}: {} is {found}, wanted {}", topic.kind, one.what, one.wanted),
                        one.remedy(topic, site.bootstrap()),
                    );
                }
            }
        }
    }
    absent(report, inspector, site, &missing);
    let takes = |kind: Kind| {
        let of = standings.iter().filter(|(t, _)| t.kind == kind);
        of.filter_map(|(t, _)| seen.found.get(&t.name)?.number(MAX_MESSAGE))
            .max()
    };
    let inputs = takes(Kind::Source).max(takes(Kind::Internal));
    let letters = takes(Kind::Own(fermata_core::names::Purpose::DeadLetters));
    if let (Some(input), Some(letter)) = (inputs, letters.filter(|letter| Some(*letter) > inputs)) {
        let found = format!("inputs take batches of {input} bytes, dead letters of {letter}");
        report.ok("sizes", found);
    }
    Some(seen)
}

/// What is missing is made at the start, where that is allowed and the brokers would.
fn absent(report: &mut Report<'_>, inspector: &Inspector, site: &Site, missing: &[Wanted]) {
    if missing.is_empty() {
        return;
    }
    let names = |of: &[&Wanted]| of.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>().join(", ");
    let (probe, needed): (Vec<_>, Vec<_>) = missing.iter().partition(|(name, ..)| {
        site.plan
            .topics
            .iter()
            .any(|t| t.name == *name && t.kind == Kind::Probe)
    });
    if !site.makes_topics() {
        let remedy = "`fermata topics create` makes them, or `fermata topics plan -o kafka-topics` says how";
        if !needed.is_empty() {
            report.bad(
                "missing topics",
                format!("{}; topics.create allows to make none", names(&needed)),
                remedy,
            );
        } else if !probe.is_empty() {
            report.warning(
                "missing topics",
                format!("{}, which only the doctor uses", names(&probe)),
                remedy,
            );
        }
        return;
    }
    match inspector.create(missing, site.plan.replication_factor, true) {
        Err(error) => report.bad(
            "missing topics",
            site.installation.mask(&error.to_string()),
            error.remedy(),
        ),
        Ok(made) => {
            let could = made.values().filter(|made| **made == Made::Yes).count();
            if could > 0 {
                report.ok("missing topics", format!("{could}, which are made at the start"));
            }
            for (name, made) in made {
                match made {
                    Made::Yes | Made::Existed => {}
                    Made::Denied => report.bad(
                        "missing topics",
                        format!("the right to make {name} is missing"),
                        "grant what `fermata topics acls` prints, or have `fermata topics plan -o kafka-topics` run",
                    ),
                    Made::Refused(found) => report.bad(
                        "missing topics",
                        format!("{name} cannot be made: {found}"),
                        "see topics.replication-factor in fermata.toml, and the policy of the cluster",
                    ),
                }
            }
        }
    }
}
