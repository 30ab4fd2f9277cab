//! A plan as commands of Kafka's own tools, for those who may make topics where Fermata may not.

use super::Site;
use super::plan::Compared;
use fermata_runtime::topics::{Planned, Standing};
use std::fmt::Write;

/// Makes what is missing and mends what can be mended; the rest is said in comments.
pub fn text(site: &Site, compared: &Compared, standings: &[(&Planned, Standing)]) -> String {
    let bootstrap = site.bootstrap();
    let mut text = format!(
        "# topics of pipeline {}, from `fermata topics plan`\n",
        compared.plan.pipeline
    );
    for (topic, standing) in standings {
        match standing {
            Standing::Same => {}
            Standing::Missing => {
                let copies = compared.plan.replication_factor;
                let copies = copies.map_or(String::new(), |n| format!(" --replication-factor {n}"));
                let _ = write!(
                    text,
                    "kafka-topics.sh --bootstrap-server {bootstrap} --create --if-not-exists --topic {} --partitions {}{copies}",
                    topic.name, topic.partitions
                );
                for setting in &topic.settings {
                    let _ = write!(text, " --config {}={}", setting.name, setting.value);
                }
                text.push('\n');
            }
            Standing::Differs(all) => {
                for one in all {
                    let remedy = one.remedy(topic, bootstrap);
                    let mark = if remedy.starts_with("kafka-configs.sh") {
                        ""
                    } else {
                        "# "
                    };
                    let _ = writeln!(text, "# {}: {} is {}", topic.name, one.what, one.found);
                    let _ = writeln!(text, "{mark}{remedy}");
                }
            }
        }
    }
    text
}
