//! What sessions on Kafka promise beyond the suite: commits whose answer is lost, holders that are no more, and those
//! that come after somebody else's open transaction.

use fermata_core::ports::{Committed, LogError, Polled, Session};
use fermata_core::{Offset, Shard, TopicName};
use fermata_tests::conformance::kit::{self, GROUP, assigned, at, commit, join, make, reader, record, wait_for};
use fermata_tests::conformance::{Fixture, KafkaFixture, Subject};
use fermata_tests::kafka::proxy::{Api, Fault, Rule};
use fermata_tests::kafka::{self, Client, Cluster, ClusterOptions};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{BaseProducer, Producer};
use rdkafka::{ClientConfig, TopicPartitionList};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A broker behind two proxies: one for each test that has rules of its own.
fn proxied() -> &'static Cluster {
    static PROXIED: OnceLock<Cluster> = OnceLock::new();
    PROXIED.get_or_init(|| Cluster::start_with(&ClusterOptions::new(1).proxies(2)))
}

/// A transaction of one record whose commit met a fault, and is unknown.
struct Unknown {
    log: Arc<dyn Subject>,
    session: Box<dyn Session>,
    input: TopicName,
    output: TopicName,
}

impl Unknown {
    fn make(slot: usize, fault: Fault) -> Self {
        let proxy = proxied().proxy(slot);
        let mut fixture = KafkaFixture::new(proxy.bootstrap(), &kafka::unique("unknown"));
        fixture.options().commit_within = Duration::from_secs(2);
        let log = fixture.open();
        let (input, output) = (make(&*log, "a", 1), make(&*log, "out", 1));
        let mut session = reader(&*log, "m", &[&input], 1);
        session.append(record(&output, 0, "known")).expect("a record is taken");
        commit(&mut *session, at(&input, 0, 1));
        session
            .append(record(&output, 0, "unknown"))
            .expect("a record is taken");
        let rule = proxy.add(Rule::next(Api::EndTxn, fault).always());
        let answer = session.commit(at(&input, 0, 2)).expect("a commit answers");
        assert!(proxy.struck(rule) > 0);
        assert_eq!(answer, Committed::Unknown);
        proxy.clear();
        Self {
            log,
            session,
            input,
            output,
        }
    }

    fn resolve(&mut self) -> Committed {
        wait_for("what became of the commit", || {
            let answer = self.session.resolve().expect("the group tells");
            (answer != Committed::Unknown).then_some(answer)
        })
    }

    /// The output, once another transaction has followed.
    fn then(mut self) -> Vec<String> {
        self.session
            .append(record(&self.output, 0, "after"))
            .expect("a record is taken");
        commit(&mut *self.session, at(&self.input, 0, 3));
        kit::values(&kit::read_now(&*self.log, &self.output, 0))
    }
}

#[test]
fn the_group_tells_what_became_of_a_commit_whose_answer_was_lost() {
    let mut happened = Unknown::make(0, Fault::Swallow);
    let answer = happened.resolve();
    assert!(
        matches!(answer, Committed::Yes(_)),
        "the broker committed it: {answer:?}"
    );
    assert_eq!(happened.session.resolve().expect("again"), answer);
    assert_eq!(happened.then(), ["known", "unknown", "after"]);

    let mut never = Unknown::make(0, Fault::CutBefore);
    let answer = never.resolve();
    assert!(
        matches!(answer, Committed::No { .. }),
        "the broker never saw it: {answer:?}"
    );
    assert_eq!(never.then(), ["known", "after"]);
}

#[test]
fn nothing_overtakes_a_commit_that_is_unknown() {
    let mut unknown = Unknown::make(1, Fault::CutBefore);
    let Unknown {
        session, input, output, ..
    } = &mut unknown;
    let refused = |result: Result<(), LogError>| assert!(matches!(result, Err(LogError::Fatal(_))), "{result:?}");
    refused(session.append(record(output, 0, "overtakes")).map(drop));
    refused(session.commit(at(input, 0, 9)).map(drop));
    refused(session.poll(Duration::ZERO, 1).map(drop));
    refused(session.seek(input, Shard(0), Offset(0)));
    refused(session.abort());
    unknown.resolve();
    assert_eq!(unknown.then(), ["known", "after"]);
}

fn refused(result: Result<Committed, LogError>) {
    assert!(
        matches!(result, Ok(Committed::No { .. }) | Err(LogError::Fenced(_))),
        "it must be refused: {result:?}"
    );
}

/// The coordinator checks the right to write only with the positions: a transaction that moved none sends them too.
#[test]
fn who_lost_its_shard_cannot_write_even_when_no_position_moved() {
    let mut fixture = KafkaFixture::new(kafka::shared().bootstrap(), &kafka::unique("unmoved"));
    let short = "max.poll.interval.ms".to_owned();
    fixture.options().settings.insert(short, "6000".to_owned());
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 1), make(&*log, "out", 1));
    commit(&mut *reader(&*log, "m", &[&a], 1), at(&a, 0, 5));
    let mut old = join(&*log, "old", &[&a], 1);
    assert_eq!(assigned(&mut *old), [Shard(0)]);
    old.append(record(&out, 0, "of one that is no more"))
        .expect("a record is taken");
    // It polls no more; the group gives its shard away.
    let mut new = join(&*log, "new", &[&a], 1);
    assert_eq!(assigned(&mut *new), [Shard(0)]);
    refused(old.commit(at(&a, 0, 5)));
    drop(old);
    new.append(record(&out, 0, "kept")).expect("a record is taken");
    commit(&mut *new, at(&a, 0, 5));
    assert_eq!(kit::values(&kit::read(&*log, &out, 0, 1)), ["kept"]);
}

/// Under the name that a member has by now, the coordinator would accept positions of shards that have gone.
#[test]
fn a_batch_is_committed_under_the_name_its_shards_were_held_by() {
    let fixture = KafkaFixture::new(kafka::shared().bootstrap(), &kafka::unique("name"));
    let log = fixture.open();
    let (a, out) = (make(&*log, "a", 2), make(&*log, "out", 2));
    let mut second = join(&*log, "second", &[&a], 2);
    assert_eq!(assigned(&mut *second), [Shard(0), Shard(1)]);
    second
        .append(record(&out, 0, "of a shard that went"))
        .expect("a record is taken");
    let mut first = join(&*log, "first", &[&a], 2);
    let mut heard = Vec::new();
    wait_for("a shard each", || {
        let polled = kit::poll(&mut *second);
        if polled != Polled::Idle {
            heard.push(polled);
        }
        let firsts = kit::poll(&mut *first);
        assert!(
            firsts == Polled::Idle || firsts == Polled::Assigned(vec![Shard(0)]),
            "{firsts:?}"
        );
        heard.contains(&Polled::Assigned(vec![Shard(1)])).then_some(())
    });
    refused(second.commit(at(&a, 0, 7)));
    second.append(record(&out, 1, "of its own")).expect("a record is taken");
    commit(&mut *second, at(&a, 1, 7));
    assert_eq!(kit::values(&kit::read(&*log, &out, 1, 1)), ["of its own"]);
    assert!(kit::read_now(&*log, &out, 0).is_empty());
    assert_eq!(second.committed(&a, Shard(0)).expect("the group tells"), None);
}

/// An earlier holder's commit may still be under way: its journal is not to be read before it is over.
#[test]
fn a_shard_is_not_told_of_while_its_positions_are_part_of_an_open_transaction() {
    let bootstrap = kafka::shared().bootstrap();
    let pipeline = kafka::unique("stable");
    let fixture = KafkaFixture::new(bootstrap, &pipeline);
    let log = fixture.open();
    let a = make(&*log, "a", 1);
    let group = format!("{pipeline}_{GROUP}");
    let client = |name: &str, value: &str| {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", bootstrap).set(name, value);
        config
    };
    let before: BaseProducer = client("transactional.id", &group).create().expect("a producer");
    let member: BaseConsumer = client("group.id", &group).create().expect("a consumer");
    before.init_transactions(PATIENCE).expect("a producer's id is given");
    before.begin_transaction().expect("a transaction begins");
    let mut positions = TopicPartitionList::new();
    let topic = format!("{pipeline}_{a}");
    positions
        .add_partition_offset(&topic, 0, rdkafka::Offset::Offset(9))
        .expect("an offset");
    let name = member.group_metadata().expect("a name");
    before
        .send_offsets_to_transaction(&positions, &name, PATIENCE)
        .expect("positions are taken");

    let mut session = join(&*log, "m", &[&a], 1);
    let told = Client::new(bootstrap);
    wait_for("a group that has divided its shards", || {
        assert_eq!(kit::poll(&mut *session), Polled::Idle);
        told.group(&group).filter(|found| *found == ("Stable".to_owned(), 1))
    });
    for _ in 0..3 {
        assert_eq!(kit::poll(&mut *session), Polled::Idle, "a transaction is open");
    }
    before.commit_transaction(PATIENCE).expect("it commits");
    assert_eq!(assigned(&mut *session), [Shard(0)]);
    assert_eq!(
        session.committed(&a, Shard(0)).expect("the group tells"),
        Some(Offset(9))
    );
}
