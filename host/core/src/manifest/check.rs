//! The wiring: who reads and writes which topic, and whether every name fits where it must travel.

use super::problem::Problem;
use super::raw::{Checked, Problems};
use super::{Generator, Stage, Topic};
use crate::identity::Identity;
use crate::limits::MAX_CODE;
use crate::names::{self, Purpose, headers};
use crate::{PipelineName, TopicName, codes};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// An entry of `topics`.
pub(super) struct Declared {
    pub name: TopicName,
    pub head: Option<bool>,
    pub topic: Topic,
    /// It says what becomes of misplaced records.
    pub misplaced: bool,
    pub span: Range<usize>,
}

/// A stage or generator with the places where it names topics.
pub(super) struct Wired<T> {
    pub what: T,
    pub span: Range<usize>,
    pub reads: Vec<(TopicName, Range<usize>)>,
    pub writes: Vec<(TopicName, Range<usize>)>,
    /// Every topic that it names could be read.
    pub whole: bool,
}

pub(super) struct Wiring {
    pub topics: BTreeMap<TopicName, Topic>,
    pub stages: Vec<Stage>,
    pub generators: Vec<Generator>,
    /// Nothing was wrong before: a topic that is not in `topics` is nowhere in the manifest.
    pub whole: bool,
}

pub(super) fn wire(
    problems: &Problems,
    pipeline: Option<&PipelineName>,
    declared: Vec<Declared>,
    stages: Vec<Wired<Stage>>,
    generators: Vec<Wired<Generator>>,
    whole: bool,
) -> Wiring {
    let mut topics: BTreeMap<TopicName, Topic> = BTreeMap::new();
    for (name, _) in stages.iter().flat_map(|s| &s.writes) {
        topics.entry(name.clone()).or_default();
    }
    let written = topics.clone();
    for one in &declared {
        let head = !written.contains_key(&one.name);
        topics.insert(
            one.name.clone(),
            Topic {
                head,
                ..one.topic.clone()
            },
        );
    }
    // What could not be read would be missed here too: one fault is not told twice.
    let whole = whole && stages.iter().all(|s| s.whole) && generators.iter().all(|g| g.whole);
    if whole {
        heads(problems, &declared, &topics);
        references(problems, &declared, &stages, &topics);
        // What is meant to be a head and is written has been told as such: here it may be one.
        let meant = declared.iter().filter(|d| d.head == Some(true)).map(|d| &d.name);
        let heads = topics.iter().filter(|(_, t)| t.head).map(|(n, _)| n);
        let heads: BTreeSet<&TopicName> = heads.chain(meant).collect();
        generated(problems, &generators, &heads);
        reached(problems, &stages, &topics, heads);
    }
    if let Some(pipeline) = pipeline {
        reserved(problems, pipeline, &stages, &declared);
        on_kafka(problems, pipeline, &stages, &declared);
    }
    for stage in &stages {
        twice(problems, stage);
        problems.keep(fits(stage, &stages));
    }
    Wiring {
        topics,
        stages: stages.into_iter().map(|s| s.what).collect(),
        generators: generators.into_iter().map(|g| g.what).collect(),
        whole,
    }
}

/// What is said of heads is so.
fn heads(problems: &Problems, declared: &[Declared], topics: &BTreeMap<TopicName, Topic>) {
    for one in declared {
        let head = topics[&one.name].head;
        if one.head.is_some_and(|said| said != head) {
            let found = if head {
                "no stage writes it"
            } else {
                "a stage writes it"
            };
            let message = format!("topic {}: head = {} but {found}", one.name, !head);
            let problem = Problem::new(codes::MANIFEST_REFERENCE, one.span.clone(), message);
            problems.note(problem.help("a head is a topic that no stage writes"));
        } else if !head && one.topic.key.is_some() {
            let message = format!("topic {}: `key` is for heads, and a stage writes this topic", one.name);
            let problem = Problem::new(codes::MANIFEST_REFERENCE, one.span.clone(), message);
            problems.note(problem.help("a stage gives its records their keys itself: leave `key` out"));
        } else if !head && one.misplaced {
            let message = format!(
                "topic {}: `on-misplaced` is for heads, and a stage writes this topic",
                one.name
            );
            let problem = Problem::new(codes::MANIFEST_REFERENCE, one.span.clone(), message);
            problems.note(problem.help("the host puts what stages write where it belongs: leave `on-misplaced` out"));
        }
    }
}

/// Every topic that is read has a source, and every head a reader.
fn references(
    problems: &Problems,
    declared: &[Declared],
    stages: &[Wired<Stage>],
    topics: &BTreeMap<TopicName, Topic>,
) {
    let mut meant: BTreeSet<&str> = stages.iter().flat_map(|s| &s.reads).map(|(t, _)| t.as_str()).collect();
    for (name, span) in stages.iter().flat_map(|s| &s.reads) {
        if !topics.contains_key(name) {
            problems.note(unknown_topic(name, span, topics, "no stage writes topic"));
            meant.extend(super::problem::nearest(
                name.as_str(),
                topics.keys().map(TopicName::as_str),
            ));
        }
    }
    for one in declared {
        if topics[&one.name].head && !meant.contains(one.name.as_str()) {
            let message = format!("no stage reads or writes topic {}", one.name);
            let problem = Problem::new(codes::MANIFEST_REFERENCE, one.span.clone(), message);
            problems.note(problem.nearest(one.name.as_str(), meant.iter().copied()));
        }
    }
}

fn generated(problems: &Problems, generators: &[Wired<Generator>], heads: &BTreeSet<&TopicName>) {
    for (name, span) in generators.iter().flat_map(|g| &g.writes) {
        if !heads.contains(name) {
            let message = format!("a generator writes to heads only, and topic {name} is none");
            let problem = Problem::new(codes::MANIFEST_REFERENCE, span.clone(), message);
            problems.note(problem.nearest(name.as_str(), heads.iter().map(|head| head.as_str())));
        }
    }
}

/// From some head a way leads to every stage: a circle of stages that only feed each other never gets a record.
fn reached<'a>(
    problems: &Problems,
    stages: &'a [Wired<Stage>],
    topics: &BTreeMap<TopicName, Topic>,
    heads: BTreeSet<&'a TopicName>,
) {
    let reads = stages.iter().flat_map(|s| &s.reads).map(|(t, _)| t);
    let mut fed = heads;
    // What is nowhere has been told as such: here it may be a head.
    fed.extend(reads.filter(|t| !topics.contains_key(*t)));
    let mut waiting: Vec<&Wired<Stage>> = stages.iter().collect();
    loop {
        let (reached, rest): (Vec<_>, Vec<_>) = waiting
            .iter()
            .partition(|s| s.reads.iter().any(|(t, _)| fed.contains(t)));
        waiting = rest;
        if reached.is_empty() {
            break;
        }
        fed.extend(reached.iter().flat_map(|s| &s.writes).map(|(t, _)| t));
    }
    for stage in waiting {
        let name = &stage.what.name;
        let message = format!("no way leads from a head to stage {name}: it would never get a record");
        let problem = Problem::new(codes::MANIFEST_REFERENCE, stage.span.clone(), message);
        problems.note(problem.help("let one of its stages read a head, declared as topics.\"name\" = { head = true }"));
    }
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
fn reserved(problems: &Problems, pipeline: &PipelineName, stages: &[Wired<Stage>], declared: &[Declared]) {
    let own: Vec<TopicName> = Purpose::ALL
        .iter()
        .chain(&Purpose::SHARED)
        .map(|p| p.topic(pipeline))
        .collect();
    let used = stages.iter().flat_map(|s| s.reads.iter().chain(&s.writes));
    let used = used
        .map(|(t, span)| (t, span))
        .chain(declared.iter().map(|d| (&d.name, &d.span)));
    for (name, span) in used.filter(|(name, _)| own.contains(name)) {
        let message = format!("topic {name} belongs to the host");
        let problem = Problem::new(codes::MANIFEST_REFERENCE, span.clone(), message);
        problems.note(problem.help("choose another name"));
    }
}

/// Where a log keeps the state of stages, and where the doctor tries its rights.
fn on_kafka(problems: &Problems, pipeline: &PipelineName, stages: &[Wired<Stage>], declared: &[Declared]) {
    let own = [names::changelog(pipeline), names::probe(pipeline)];
    let used = stages.iter().flat_map(|s| s.reads.iter().chain(&s.writes));
    let used = used
        .map(|(t, span)| (t, span))
        .chain(declared.iter().map(|d| (&d.name, &d.span)));
    for (name, span) in used.filter(|(name, _)| own.contains(name)) {
        let message = format!("topic {name} belongs to the host, where the log is Kafka");
        let problem = Problem::new(codes::MANIFEST_REFERENCE, span.clone(), message);
        problems.note(problem.help("choose another name"));
    }
}

/// One topic on two input ports could not be told apart.
fn twice(problems: &Problems, stage: &Wired<Stage>) {
    for (i, (topic, span)) in stage.reads.iter().enumerate() {
        if stage.reads[..i].iter().any(|(earlier, _)| earlier == topic) {
            let message = format!("stage {} reads topic {topic} twice", stage.what.name);
            problems.note(Problem::new(codes::MANIFEST_REFERENCE, span.clone(), message));
        }
    }
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
