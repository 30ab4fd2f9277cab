//! `topics plan`.

use super::{Site, script};
use crate::cli::args::Output;
use crate::cli::talk::{Talk, table};
use crate::failure::{Exit, Failure};
use fermata_kafka::inspect::Seen;
use fermata_runtime::topics::{Binding, Planned, Standing, TopicPlan};
use serde_json::{Map, Value, json};

/// A plan beside what the cluster has.
pub struct Compared {
    pub plan: TopicPlan,
    pub seen: Seen,
}

impl Compared {
    pub fn of(site: &Site) -> Result<Self, Failure> {
        let inspector = site.inspector()?;
        inspector.cluster().map_err(|e| site.failure(&e))?;
        let seen = inspector.topics(site.plan.names()).map_err(|e| site.failure(&e))?;
        Ok(Self {
            plan: site.plan.clone().fitted(&seen.found),
            seen,
        })
    }

    pub fn standings(&self) -> Vec<(&Planned, Standing)> {
        self.plan.compare(&self.seen.found)
    }

    /// Missing, as far as we may know.
    pub fn hidden(&self, topic: &Planned) -> bool {
        self.seen.hidden.contains(&topic.name)
    }
}

pub fn run(talk: &Talk, site: &Site, offline: bool) -> Result<Exit, Failure> {
    let compared = if offline {
        Compared {
            plan: site.plan.clone(),
            seen: Seen::default(),
        }
    } else {
        Compared::of(site)?
    };
    let standings = compared.standings();
    let differs = standings.iter().any(|(_, s)| matches!(s, Standing::Differs(_)));
    match talk.output {
        Output::Json => talk.print_json(&shape(&compared, &standings)),
        Output::KafkaTopics => talk.print(script::text(site, &compared, &standings).trim_end()),
        Output::Table => {
            talk.print(text(site, &compared, &standings));
            let count = |wanted: fn(&Standing) -> bool| standings.iter().filter(|(_, s)| wanted(s)).count();
            talk.say(format!(
                "{} topics: {} as planned, {} missing, {} differ",
                standings.len(),
                count(|s| *s == Standing::Same),
                count(|s| *s == Standing::Missing),
                count(|s| matches!(s, Standing::Differs(_))),
            ));
        }
    }
    Ok(if differs { Exit::Differences } else { Exit::Ok })
}

fn state(compared: &Compared, topic: &Planned, standing: &Standing) -> &'static str {
    match standing {
        Standing::Missing if compared.hidden(topic) => "hidden",
        Standing::Missing => "missing",
        Standing::Same => "same",
        Standing::Differs(_) => "differs",
    }
}

fn text(site: &Site, compared: &Compared, standings: &[(&Planned, Standing)]) -> String {
    let rows = standings.iter().map(|(topic, standing)| {
        let settings = topic.settings.iter().map(|s| format!("{}={}", s.name, s.value));
        vec![
            topic.name.to_string(),
            topic.kind.to_string(),
            topic.partitions.to_string(),
            state(compared, topic, standing).to_owned(),
            settings.collect::<Vec<_>>().join(" "),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let mut text = table(&["TOPIC", "KIND", "PARTITIONS", "STATE", "SETTINGS"], &rows);
    for (topic, standing) in standings {
        if let Standing::Differs(all) = standing {
            for one in all {
                let found = if one.found.is_empty() { "nothing" } else { &one.found };
                text.push_str(&format!(
                    "\n✗ {}: {} is {found}, wanted {}\n  {}",
                    topic.name,
                    one.what,
                    one.wanted,
                    one.remedy(topic, site.bootstrap())
                ));
            }
        }
    }
    text
}

fn shape(compared: &Compared, standings: &[(&Planned, Standing)]) -> Value {
    let topics = standings.iter().map(|(topic, standing)| {
        let settings = topic.settings.iter().map(|s| {
            let always = s.binding == Binding::Always;
            (s.name.to_owned(), json!({ "value": s.value, "binding": always }))
        });
        let differences = match standing {
            Standing::Differs(all) => all
                .iter()
                .map(|d| json!({ "what": d.what, "wanted": d.wanted, "found": d.found }))
                .collect(),
            _ => Vec::new(),
        };
        json!({
            "topic": topic.name,
            "kind": topic.kind.to_string(),
            "partitions": topic.partitions,
            "state": state(compared, topic, standing),
            "settings": settings.collect::<Map<_, _>>(),
            "differences": differences,
        })
    });
    json!({
        "schema": "fermata.topics-plan/1",
        "pipeline": compared.plan.pipeline,
        "replication_factor": compared.plan.replication_factor,
        "topics": topics.collect::<Vec<_>>(),
    })
}
