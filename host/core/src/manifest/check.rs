//! The wiring: who reads and writes which topic, and whether every name fits where it must travel.

use super::problem::Problem;
use super::raw::Checked;
use super::{Generator, Stage, Topic};
use crate::identity::Identity;
use crate::limits::MAX_CODE;
use crate::names::{Purpose, headers};
use crate::{PipelineName, TopicName, codes};
use std::collections::BTreeMap;
use std::ops::Range;

/// An entry of `topics`.
pub(super) struct Declared {
    pub name: TopicName,
    pub head: Option<bool>,
    pub topic: Topic,
    pub span: Range<usize>,
}

/// A stage or generator with the places where it names topics.
pub(super) struct Wired<T> {
    pub what: T,
    pub span: Range<usize>,
    pub reads: Vec<(TopicName, Range<usize>)>,
    pub writes: Vec<(TopicName, Range<usize>)>,
}

pub(super) struct Wiring {
    pub topics: BTreeMap<TopicName, Topic>,
    pub stages: Vec<Stage>,
    pub generators: Vec<Generator>,
}

pub(super) fn wire(
    pipeline: &PipelineName,
    declared: Vec<Declared>,
    stages: Vec<Wired<Stage>>,
    generators: Vec<Wired<Generator>>,
) -> Checked<Wiring> {
    let mut topics: BTreeMap<TopicName, Topic> = BTreeMap::new();
    for (name, _) in stages.iter().flat_map(|s| &s.writes) {
        topics.entry(name.clone()).or_default();
    }
    let written = topics.clone();
    for one in &declared {
        let head = !written.contains_key(&one.name);
        if one.head.is_some_and(|said| said != head) {
            let found = if head {
                "no stage writes it"
            } else {
                "a stage writes it"
            };
            return Err(Problem::new(
                codes::MANIFEST_REFERENCE,
                one.span.clone(),
                format!("topic {}: head = {} but {found}", one.name, !head),
            )
            .help("a head is a topic that no stage writes"));
        }
        topics.insert(
            one.name.clone(),
            Topic {
                head,
                ..one.topic.clone()
            },
        );
    }
    for (name, span) in stages.iter().flat_map(|s| &s.reads) {
        if topics.contains_key(name) {
            continue;
        }
        return Err(unknown_topic(name, span, &topics, "no stage writes topic"));
    }
    for one in &declared {
        if topics[&one.name].head && !stages.iter().any(|s| s.reads.iter().any(|(t, _)| *t == one.name)) {
            let read = stages.iter().flat_map(|s| &s.reads).map(|(t, _)| t.as_str());
            return Err(Problem::new(
                codes::MANIFEST_REFERENCE,
                one.span.clone(),
                format!("no stage reads or writes topic {}", one.name),
            )
            .nearest(one.name.as_str(), read));
        }
    }
    for (name, span) in generators.iter().flat_map(|g| &g.writes) {
        if !topics.get(name).is_some_and(|t| t.head) {
            let heads = topics.iter().filter(|(_, t)| t.head).map(|(n, _)| n.as_str());
            return Err(Problem::new(
                codes::MANIFEST_REFERENCE,
                span.clone(),
                format!("a generator writes to heads only, and topic {name} is none"),
            )
            .nearest(name.as_str(), heads));
        }
    }
    reserved(pipeline, &stages, &declared)?;
    for stage in &stages {
        twice(stage)?;
        fits(stage, &stages)?;
    }
    Ok(Wiring {
        topics,
        stages: stages.into_iter().map(|s| s.what).collect(),
        generators: generators.into_iter().map(|g| g.what).collect(),
    })
}

fn unknown_topic(name: &TopicName, span: &Range<usize>, topics: &BTreeMap<TopicName, Topic>, found: &str) -> Problem {
    let problem = Problem::new(codes::MANIFEST_REFERENCE, span.clone(), format!("{found} {name}"));
    match super::problem::nearest(name.as_str(), topics.keys().map(TopicName::as_str)) {
        Some(near) => problem.help(format!("did you mean {near:?}?")),
        None => problem.help(format!(
            "a head must be declared: topics.\"{name}\" = {{ head = true }}"
        )),
    }
}

/// Names that the host keeps for itself.
fn reserved(pipeline: &PipelineName, stages: &[Wired<Stage>], declared: &[Declared]) -> Checked<()> {
    let own: Vec<TopicName> = Purpose::ALL.iter().map(|p| p.topic(pipeline)).collect();
    let used = stages.iter().flat_map(|s| s.reads.iter().chain(&s.writes));
    let used = used
        .map(|(t, span)| (t, span))
        .chain(declared.iter().map(|d| (&d.name, &d.span)));
    for (name, span) in used {
        if own.contains(name) {
            return Err(Problem::new(
                codes::MANIFEST_REFERENCE,
                span.clone(),
                format!("topic {name} belongs to the host"),
            )
            .help("choose another name"));
        }
    }
    Ok(())
}

/// One topic on two input ports could not be told apart.
fn twice(stage: &Wired<Stage>) -> Checked<()> {
    for (i, (topic, span)) in stage.reads.iter().enumerate() {
        if stage.reads[..i].iter().any(|(earlier, _)| earlier == topic) {
            return Err(Problem::new(
                codes::MANIFEST_REFERENCE,
                span.clone(),
                format!("stage {} reads topic {topic} twice", stage.what.name),
            ));
        }
    }
    Ok(())
}

/// Digits of a partition, an offset or a generation that are counted on.
const DIGITS: usize = 10;
/// Microseconds since the Unix epoch.
const ROOT_TIME: usize = 16;
const SHORT_DIGEST: usize = 12;
/// Digits of any journal sequence.
const SEQUENCE: usize = 20;

/// The values of the host's headers on what a stage emits must fit [`headers::MAX_HOST_BYTES`], at an identity of
/// full length: a record that could not carry its lineage is refused here and not on the night it is met.
fn fits(stage: &Wired<Stage>, all: &[Wired<Stage>]) -> Checked<()> {
    let name = stage.what.name.as_str().len();
    let longest_in = stage.reads.iter().map(|(t, _)| t.as_str().len()).max().unwrap_or(0);
    let longest_port = stage.what.inputs.iter().map(|(p, _)| p.len()).max().unwrap_or(0);
    let cause = longest_in + 2 + 2 * DIGITS;
    let released = if stage.what.quarantine.in_use() { SEQUENCE } else { 0 };
    let common = Identity::MAX + cause + ROOT_TIME + name + SHORT_DIGEST + released;
    let dead_letter = common + longest_port + MAX_CODE;
    let done = |topic: &TopicName| -> usize {
        let readers = all.iter().filter(|s| s.reads.iter().any(|(t, _)| t == topic));
        readers.map(|s| s.what.name.as_str().len() + 2 + DIGITS).sum()
    };
    let emission = common + stage.writes.iter().map(|(t, _)| done(t)).max().unwrap_or(0);
    let need = dead_letter.max(emission);
    if need <= headers::MAX_HOST_BYTES {
        return Ok(());
    }
    Err(Problem::new(
        codes::MANIFEST_VALUE,
        stage.span.clone(),
        format!(
            "stage {}: the headers of its records would hold {need} bytes, more than {}",
            stage.what.name,
            headers::MAX_HOST_BYTES
        ),
    )
    .help("shorten the names of the stage, of its input topics, or of the stages that read its outputs"))
}
