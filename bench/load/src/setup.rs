//! What must be there before the first payment: one record for each account, and the system's answer to each.

use crate::{Args, System, client, producer, send};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::{Offset, TopicPartitionList};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Sends `--setup-template` once for each account to `--setup-topic` and waits until `--setup-out` holds records of as
/// many keys. Without `--setup-topic` there is nothing to do. Seconds.
pub fn run(a: &Args, sys: &mut System) -> f64 {
    let Some(topic) = a.opt("setup-topic") else { return 0.0 };
    let accounts: u64 = a.num("setup-accounts", a.num("accounts", 10_000));
    if accounts == 0 {
        return 0.0;
    }
    let template = a.opt("setup-template").expect("--setup-template");
    let key = a.get("setup-key", "{account}");
    let answers = a.opt("setup-out").map(|out| reader(a, &out));
    let began = Instant::now();
    let p = producer(a, "20");
    let mut answered = HashSet::new();
    for n in 0..accounts {
        let name = format!("acc-{n}");
        send(
            &p,
            &topic,
            &key.replace("{account}", &name),
            &template.replace("{account}", &name),
        );
        if n % 1_000 == 0 {
            if let Some(c) = &answers {
                hear(c, Duration::ZERO, &mut answered);
            }
        }
    }
    rdkafka::producer::Producer::flush(&p, Duration::from_secs(120)).expect("the set-up is sent");
    let timeout: f64 = a.num("setup-timeout", 600.0);
    while let Some(c) = answers.as_ref().filter(|_| (answered.len() as u64) < accounts) {
        hear(c, Duration::from_millis(50), &mut answered);
        sys.check();
        if began.elapsed().as_secs_f64() > timeout {
            eprintln!("set-up incomplete: {} of {accounts} answered", answered.len());
            std::process::exit(4);
        }
    }
    began.elapsed().as_secs_f64()
}

fn reader(a: &Args, topic: &str) -> BaseConsumer {
    let c: BaseConsumer = client(a)
        .set("group.id", format!("payload.setup.{}", crate::now_us()))
        .set("isolation.level", "read_committed")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "earliest")
        .set("fetch.queue.backoff.ms", "10")
        .create()
        .expect("consumer");
    let md = c
        .fetch_metadata(Some(topic), Duration::from_secs(10))
        .expect("metadata");
    let mut tpl = TopicPartitionList::new();
    for p in 0..md.topics()[0].partitions().len() as i32 {
        tpl.add_partition_offset(topic, p, Offset::Beginning)
            .expect("a partition of this topic");
    }
    c.assign(&tpl).expect("assign");
    c
}

/// Takes what has come, waiting at most so long for the first. An account that is answered twice counts once.
fn hear(c: &BaseConsumer, mut wait: Duration, answered: &mut HashSet<Vec<u8>>) {
    while let Some(m) = c.poll(wait) {
        match m {
            Ok(m) => {
                answered.insert(m.key().unwrap_or_default().to_vec());
            }
            Err(e) => eprintln!("set-up: {e}"),
        }
        wait = Duration::ZERO;
    }
}
