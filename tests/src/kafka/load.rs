//! Payments from outside: a plain producer that knows Kafka and JSON, and remembers what was acknowledged.

use crate::harness::{PATIENCE, payment, until};
use parking_lot::Mutex;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer, ProducerContext, ThreadedProducer};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// So few that every shard's accounts meet again and again.
pub const ACCOUNTS: usize = 20;
/// What each account is given first, minor units.
const FUNDS: i64 = 10_000_000;

/// One payment that was sent.
#[derive(Clone, Debug)]
pub struct Payment {
    pub id: String,
    pub from: String,
    pub to: String,
    pub amount: i64,
}

/// Sends payments at a rate until it is told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<usize>>>,
    thread: JoinHandle<Vec<Payment>>,
}

impl Load {
    /// `prefix`: of the ids, so that several loads of one pipeline do not meet.
    pub fn start(bootstrap: &str, topic: &str, prefix: &str, rate: u32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::default();
        let sender = Sender {
            producer: producer(bootstrap, &acknowledged),
            topic: topic.to_owned(),
            prefix: prefix.to_owned(),
            random: ChaCha8Rng::seed_from_u64(u64::from(rate)),
            sent: Vec::new(),
        };
        let told = stop.clone();
        let thread = thread::spawn(move || sender.run(rate, &told));
        Self {
            stop,
            acknowledged,
            thread,
        }
    }

    /// How many were acknowledged so far.
    pub fn acknowledged(&self) -> usize {
        self.acknowledged.lock().len()
    }

    /// Waits until so many more are acknowledged.
    pub fn more(&self, count: usize) {
        let goal = self.acknowledged() + count;
        until("the broker acknowledges payments", PATIENCE, || {
            let now = self.acknowledged();
            if now >= goal { Ok(()) } else { Err(now) }
        });
    }

    /// Sends no more, and waits until each payment is acknowledged.
    pub fn stop(self) -> Vec<Payment> {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.thread.join().expect("the sender does not panic");
        until("the broker has acknowledged all that was sent", PATIENCE, || {
            let acknowledged = self.acknowledged.lock().len();
            if acknowledged == sent.len() {
                Ok(())
            } else {
                Err((acknowledged, sent.len()))
            }
        });
        sent
    }
}

struct Sender {
    producer: ThreadedProducer<Acknowledged>,
    topic: String,
    prefix: String,
    random: ChaCha8Rng,
    sent: Vec<Payment>,
}

impl Sender {
    fn run(mut self, rate: u32, stop: &AtomicBool) -> Vec<Payment> {
        // One look at the clock for all: what is older than a few days would be refused.
        let template = payment("", "");
        let began = Instant::now();
        while !stop.load(Ordering::Relaxed) {
            let due = (began.elapsed().as_secs_f64() * f64::from(rate)) as usize;
            while self.sent.len() < due {
                let payment = self.next();
                self.send(&template, &payment);
                self.sent.push(payment);
            }
            thread::park_timeout(Duration::from_millis(2));
        }
        // What is on its way is acknowledged while this waits, or the caller says that it was not.
        let _ = self.producer.flush(PATIENCE);
        self.sent
    }

    /// Each account is funded first; then they pay each other, now and then more than they have.
    fn next(&mut self) -> Payment {
        let number = self.sent.len();
        let account = |n: usize| format!("{}-acct-{n}", self.prefix);
        let (from, to, amount) = if number < ACCOUNTS {
            ("funding-EUR".to_owned(), account(number), FUNDS)
        } else {
            let from = self.random.random_range(0..ACCOUNTS);
            let to = (from + self.random.random_range(1..ACCOUNTS)) % ACCOUNTS;
            let much = self.random.random_range(0..200) == 0;
            let amount = if much {
                FUNDS
            } else {
                self.random.random_range(1..1_000)
            };
            (account(from), account(to), amount)
        };
        Payment {
            id: format!("{}-{number}", self.prefix),
            from,
            to,
            amount,
        }
    }

    fn send(&self, template: &Value, payment: &Payment) {
        let mut value = template.clone();
        value["id"] = payment.id.clone().into();
        value["from"] = payment.from.clone().into();
        value["to"] = payment.to.clone().into();
        value["amount"] = payment.amount.into();
        let value = value.to_string();
        let mut record = BaseRecord::with_opaque_to(&self.topic, self.sent.len())
            .key(&payment.id)
            .payload(&value);
        loop {
            match self.producer.send(record) {
                Ok(()) => return,
                // Its queue is full while the broker is away.
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), refused)) => record = refused,
                Err((error, _)) => panic!("{} cannot be sent: {error}", payment.id),
            }
            thread::park_timeout(Duration::from_millis(5));
        }
    }
}

fn producer(bootstrap: &str, acknowledged: &Arc<Mutex<Vec<usize>>>) -> ThreadedProducer<Acknowledged> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("enable.idempotence", "true")
        // As every Java client does it, and as the host expects it of keyed records.
        .set("partitioner", "murmur2_random")
        .set("linger.ms", "2")
        .set("reconnect.backoff.max.ms", "500")
        // Never given up: a payment is lost only where Fermata loses it.
        .set("message.timeout.ms", "0");
    config
        .create_with_context(Acknowledged(acknowledged.clone()))
        .expect("the settings are librdkafka's")
}

struct Acknowledged(Arc<Mutex<Vec<usize>>>);

impl ClientContext for Acknowledged {
    // Brokers go and come in these tests: what librdkafka says of it is no news.
    fn error(&self, _: KafkaError, _: &str) {}
    fn log(&self, _: rdkafka::config::RDKafkaLogLevel, _: &str, _: &str) {}
}

impl ProducerContext for Acknowledged {
    type DeliveryOpaque = usize;
    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        if result.is_ok() {
            self.0.lock().push(number);
        }
    }
}
