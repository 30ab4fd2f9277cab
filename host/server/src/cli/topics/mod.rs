//! `topics`: what a running pipeline has on its topics, and what its topics should be on Kafka.

mod acls;
pub mod args;
mod create;
mod listed;
mod plan;
mod script;
mod site;

pub use site::{ANSWER_WITHIN, Site, inspector};

use super::args::Output;
use super::client::Client;
use super::talk::Talk;
use crate::failure::{Exit, Failure};
use args::TopicsVerb;
use std::time::Duration;

/// `client`: made only where a server is asked. `within`: how long a cluster may take for any one answer.
pub fn run(
    talk: &Talk,
    client: impl Fn() -> Result<Client, Failure>,
    within: Option<Duration>,
    verb: &TopicsVerb,
) -> Result<Exit, Failure> {
    if talk.output == Output::KafkaTopics && !matches!(verb, TopicsVerb::Plan { .. }) {
        return Err(Failure::usage("only `topics plan` is written as kafka-topics"));
    }
    match verb {
        TopicsVerb::List => listed::list(talk, client()?),
        TopicsVerb::Describe { topic } => listed::describe(talk, client()?, topic),
        TopicsVerb::Plan { site, offline } => plan::run(talk, &Site::open(site, within)?, *offline),
        TopicsVerb::Create { site, dry_run } => create::run(talk, &Site::open(site, within)?, *dry_run),
        TopicsVerb::Acls { site, principal } => acls::run(talk, &Site::open(site, within)?, principal.as_deref()),
    }
}
