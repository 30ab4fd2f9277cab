//! A plan beside what is there.

use super::plan::{Planned, TopicPlan};
use fermata_core::topics::{Found, Inventory, fits};

/// How a topic is, beside how it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is not there, or we may not see it.
    Missing,
    /// As planned, as far as we may look.
    Same,
    Differs(Vec<Difference>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// `partitions`, `replicas` or the name of a setting.
    pub what: &'static str,
    pub wanted: String,
    pub found: String,
}

pub const PARTITIONS: &str = "partitions";
pub const REPLICAS: &str = "replicas";

impl TopicPlan {
    /// Each topic in the plan's order. A plan that was [`TopicPlan::fitted`] to `found` asks only what binds.
    pub fn compare<'a>(&'a self, found: &Inventory) -> Vec<(&'a Planned, Standing)> {
        let standing = |topic| (topic, self.standing(topic, found.get(&topic.name)));
        self.topics.iter().map(standing).collect()
    }

    fn standing(&self, topic: &Planned, found: Option<&Found>) -> Standing {
        let Some(found) = found else { return Standing::Missing };
        let mut all = Vec::new();
        let mut differs = |what, wanted: String, found: String| all.push(Difference { what, wanted, found });
        if found.partitions != topic.partitions {
            differs(PARTITIONS, topic.partitions.to_string(), found.partitions.to_string());
        }
        // How often somebody else's topic is copied is for them to say.
        if let Some(copies) = self.replication_factor.filter(|_| topic.kind.ours())
            && found.replicas < u32::from(copies)
        {
            differs(REPLICAS, copies.to_string(), found.replicas.to_string());
        }
        if let Some(settings) = &found.settings {
            for asked in &topic.settings {
                // A broker that does not know a setting does not keep to it.
                let has = settings.get(asked.name).map_or("", String::as_str);
                if !fits(asked.name, &asked.value, has) {
                    differs(asked.name, asked.value.clone(), has.to_owned());
                }
            }
        }
        if all.is_empty() {
            Standing::Same
        } else {
            Standing::Differs(all)
        }
    }
}

impl Difference {
    /// What to do about it. `bootstrap`: how the cluster is reached.
    pub fn remedy(&self, topic: &Planned, bootstrap: &str) -> String {
        let name = &topic.name;
        match self.what {
            PARTITIONS => format!(
                "set `partitions` in the manifest to what {name} has, or let it stand under another pipeline name: keys would \
                 part from their state"
            ),
            REPLICAS => format!(
                "kafka-reassign-partitions.sh gives {name} {} copies; or lower topics.replication-factor",
                self.wanted
            ),
            setting => format!(
                "kafka-configs.sh --bootstrap-server {bootstrap} --alter --entity-type topics --entity-name {name} \
                 --add-config {setting}={}",
                self.wanted
            ),
        }
    }
}
