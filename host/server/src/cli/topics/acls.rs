//! `topics acls`: exactly the rights that a pipeline needs on Kafka, and why.

use super::Site;
use crate::cli::talk::Talk;
use crate::failure::{Exit, Failure};
use fermata_core::names;
use serde_json::{Value, json};

/// Operations on resources of one kind.
pub struct Right {
    pub resource: Resource,
    pub names: Vec<String>,
    pub operations: Vec<&'static str>,
    pub why: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Topic,
    Group,
    /// All that begin with the name.
    TransactionalIds,
}

impl Resource {
    fn option(self) -> &'static str {
        match self {
            Self::Topic => "--topic",
            Self::Group => "--group",
            Self::TransactionalIds => "--transactional-id",
        }
    }
    fn pattern(self) -> &'static str {
        match self {
            Self::TransactionalIds => "prefixed",
            _ => "literal",
        }
    }
    fn word(self) -> &'static str {
        self.option().trim_start_matches("--")
    }
}

/// What the pipeline asks for. A right to read or to write implies the one to describe.
pub fn rights(site: &Site) -> Vec<Right> {
    let mut on_topics = vec!["Read", "Write", "DescribeConfigs"];
    if site.makes_topics() {
        on_topics.push("Create");
    }
    let group = names::group(&site.plan.pipeline);
    vec![
        Right {
            resource: Resource::Topic,
            names: site.plan.names().map(ToString::to_string).collect(),
            operations: on_topics,
            why: "records, and how topics are kept",
        },
        Right {
            resource: Resource::Group,
            names: vec![group.clone()],
            operations: vec!["Read"],
            why: "shards are shared among the workers of a group, positions are committed to it",
        },
        Right {
            resource: Resource::TransactionalIds,
            names: vec![format!("{group}.")],
            operations: vec!["Write"],
            why: "each worker has some, named after its node",
        },
    ]
}

pub fn run(talk: &Talk, site: &Site, principal: Option<&str>) -> Result<Exit, Failure> {
    let user = site.installation.kafka.get("sasl.username").map(|u| u.reveal());
    let principal = principal.map_or_else(|| format!("User:{}", user.unwrap_or("fermata")), str::to_owned);
    let rights = rights(site);
    if talk.json() {
        let all = rights.iter().map(|right| {
            json!({
                "resource": right.resource.word(),
                "pattern": right.resource.pattern(),
                "names": right.names,
                "operations": right.operations,
            })
        });
        talk.print_json(&json!({
            "schema": "fermata.topics-acls/1", "principal": principal, "rights": all.collect::<Vec<Value>>(),
        }));
    } else {
        for right in &rights {
            talk.print(format!("# {}", right.why));
            talk.print(line(right, site.bootstrap(), &principal));
        }
    }
    Ok(Exit::Ok)
}

fn line(right: &Right, bootstrap: &str, principal: &str) -> String {
    let mut line = format!(
        "kafka-acls.sh --bootstrap-server {bootstrap} --add --allow-principal '{}'",
        principal.replace('\'', "'\\''")
    );
    for operation in &right.operations {
        line.push_str(&format!(" --operation {operation}"));
    }
    for name in &right.names {
        line.push_str(&format!(" {} {name}", right.resource.option()));
    }
    if right.resource == Resource::TransactionalIds {
        line.push_str(" --resource-pattern-type prefixed");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_for_the_shell() {
        let right = Right {
            resource: Resource::TransactionalIds,
            names: vec!["fermata.p.".into()],
            operations: vec!["Write", "Describe"],
            why: "",
        };
        assert_eq!(
            line(&right, "b:9092", "User:CN=o'neill,O=x"),
            "kafka-acls.sh --bootstrap-server b:9092 --add --allow-principal 'User:CN=o'\\''neill,O=x' --operation Write \
             --operation Describe --transactional-id fermata.p. --resource-pattern-type prefixed"
        );
    }
}
