//! `topics create`.

use super::Site;
use super::plan::Compared;
use crate::cli::talk::Talk;
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use fermata_kafka::inspect::{Made, Wanted};
use fermata_runtime::topics::Standing;
use serde_json::{Value, json};

pub fn run(talk: &Talk, site: &Site, dry: bool) -> Result<Exit, Failure> {
    let compared = Compared::of(site)?;
    let standings = compared.standings();
    let missing = standings.iter().filter(|(_, s)| *s == Standing::Missing);
    let wanted: Vec<Wanted> = missing
        .map(|(t, _)| (t.name.clone(), t.partitions, t.settings()))
        .collect();
    let inspector = site.inspector()?;
    let made = inspector
        .create(&wanted, compared.plan.replication_factor, dry)
        .map_err(|e| site.failure(&e))?;
    if talk.json() {
        let all = made
            .iter()
            .map(|(name, made)| json!({ "topic": name, "made": word(made) }));
        talk.print_json(&json!({
            "schema": "fermata.topics-create/1", "dry_run": dry, "topics": all.collect::<Vec<Value>>(),
        }));
    } else {
        for (name, made) in &made {
            talk.print(match made {
                Made::Yes if dry => format!("✓ {name} can be made"),
                Made::Yes => format!("✓ {name}"),
                Made::Existed => format!("✓ {name} was made by somebody else meanwhile"),
                Made::Denied => format!("✗ {name}: the right to make it is missing"),
                Made::Refused(found) => format!("✗ {name}: {found}"),
            });
        }
    }
    let differ = standings
        .iter()
        .filter(|(_, s)| matches!(s, Standing::Differs(_)))
        .count();
    if made.values().any(|made| *made == Made::Denied) {
        let denied = Failure::new(
            codes::LOG_KAFKA_RIGHTS,
            Exit::Refused,
            "topics are missing that may not be made",
        );
        return Err(denied.help(
            "have `fermata topics acls` granted, or let those who may run what `fermata topics plan -o kafka-topics` prints",
        ));
    }
    if let Some(Made::Refused(found)) = made.values().find(|made| matches!(made, Made::Refused(_))) {
        let refused = format!("the brokers refuse to make topics: {found}");
        return Err(Failure::new(codes::LOG_KAFKA_TOPICS, Exit::Refused, refused)
            .help("see topics.replication-factor in fermata.toml, and the policy of the cluster"));
    }
    if differ > 0 {
        talk.say(format!(
            "{differ} topics are there and differ: `fermata topics plan` says how"
        ));
        return Ok(Exit::Differences);
    }
    talk.say(match (made.len(), dry) {
        (0, _) => "every topic is there".to_owned(),
        (count, true) => format!("{count} topics can be made"),
        (count, false) => format!("{count} topics made"),
    });
    Ok(Exit::Ok)
}

fn word(made: &Made) -> &'static str {
    match made {
        Made::Yes => "yes",
        Made::Existed => "existed",
        Made::Denied => "denied",
        Made::Refused(_) => "refused",
    }
}
