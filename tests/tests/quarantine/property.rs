//! Whatever happens in whatever order: each record ends once (treated, skipped to the dead letters, or still parked),
//! and records of a key never overtake one another.

use super::bench::{Bench, QUARANTINE, shown};
use fermata_core::control::RecordKey;
use fermata_core::{Shard, names};
use fermata_runtime::parked::{Wanted, queues};
use fermata_runtime::worker::Progress;
use fermata_tests::harness::number;
use fermata_tests::simulated::Faults;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::time::Duration;

const KEYS: u64 = 7;
const WORDS: [&str; 8] = [
    "ok",
    "ok",
    "ok",
    "ok",
    "first-fault",
    "first-reject",
    "second-fault",
    "second-reject",
];

/// What a run met, so that a sum over all runs shows that each was met.
#[derive(Default, Debug)]
struct Met {
    parked: u64,
    released: u64,
    dead: u64,
    kills: u64,
    left: u64,
}

struct Storm {
    bench: Bench,
    rng: ChaCha8Rng,
    /// Numbers sent, by key, in order.
    sent: BTreeMap<String, Vec<u64>>,
    kills: u64,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let policy = match seed % 3 {
            0 => QUARANTINE.to_owned(),
            1 => format!("{QUARANTINE}\nparked = {{ max-records = 6 }}"),
            _ => format!("{QUARANTINE}\nparked = {{ max-records = 6, max-age = \"20s\", at-limit = \"dead-letter\" }}"),
        };
        let mut bench = Bench::wide(seed, 2, 1 + (seed % 2) as usize, &policy);
        bench.batches_of(rng.random_range(1..9));
        for index in 0..bench.workers.len() {
            bench.start(index);
        }
        bench.log.set_faults(Faults::HARSH);
        Self {
            bench,
            rng,
            sent: BTreeMap::new(),
            kills: 0,
        }
    }

    fn act(&mut self) {
        let group = names::group(&self.bench.manifest.name);
        let index = self.rng.random_range(0..self.bench.workers.len());
        let key = format!("k{}", self.rng.random_range(0..KEYS));
        let shard = Shard(self.rng.random_range(0..2));
        match self.rng.random_range(0..100) {
            0..=1 => {
                self.bench.kill(index);
                self.kills += 1;
            }
            2..=3 => {
                self.bench.log.move_shard(&group, shard, &format!("test.{index}"));
            }
            4 => {
                self.bench.log.make_zombie(&group, shard);
            }
            5 => {
                self.bench.log.lose_shard(&group, shard);
            }
            6..=8 => {
                let stage = ["first", "second"][self.rng.random_range(0..2)];
                self.bench.deploy(stage, self.rng.random_range(0..2));
            }
            9..=14 if self.bench.order_done() => {
                let stage = [None, Some("first"), Some("second")][self.rng.random_range(0..3)];
                match self.rng.random_range(0..3) {
                    0 => self.bench.unpark(stage, Some(&key), true),
                    1 => self.bench.unpark(stage, Some(&key), false),
                    _ => self.bench.unpark(stage, None, false),
                }
            }
            15..=39 => {
                let word = WORDS[self.rng.random_range(0..WORDS.len())];
                self.bench.send(&key, word);
                self.sent.entry(key).or_default().push(self.bench.sent);
            }
            40..=46 => {
                let millis = self.rng.random_range(1..2_000);
                self.bench.log.clock().advance(Duration::from_millis(millis));
            }
            47..=52 if self.bench.workers[index].is_none() => self.bench.start(index),
            _ => {
                self.bench.step(index);
            }
        }
    }

    /// Everybody lives and time goes on until nobody has anything to do; where quarantines are full, records are left.
    fn calm(&mut self) {
        self.bench.log.set_faults(Faults::NONE);
        let mut quiet = 0;
        for _ in 0..3_000 {
            let mut worked = false;
            for index in 0..self.bench.workers.len() {
                if self.bench.workers[index].is_none() {
                    self.bench.start(index);
                }
                worked |= self.bench.step(index) == Progress::Worked;
            }
            quiet = if worked { 0 } else { quiet + 1 };
            if quiet > 5 && self.bench.order_done() {
                return;
            }
            self.bench.log.clock().advance(Duration::from_millis(50));
        }
        panic!(
            "not at rest: {:?}, order {:?}, {:?}",
            self.bench.queues(),
            self.bench.board.orders(),
            self.bench.board.reports()
        );
    }

    /// Numbers of each key, in the order of a topic.
    fn numbers(&self, topic: &str) -> BTreeMap<String, Vec<u64>> {
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for record in self.bench.read(topic) {
            let shown = shown(&record);
            let (key, value) = shown.split_once('=').expect("shown so");
            let number = value.split(':').next().and_then(|n| n.parse().ok()).expect("a number");
            found.entry(key.to_owned()).or_default().push(number);
        }
        found
    }

    fn parked(&self) -> BTreeMap<String, Vec<u64>> {
        let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for queue in self.bench.parked() {
            let key = String::from_utf8(queue.key.to_vec()).expect("made here");
            let wanted = Wanted {
                stage: Some(queue.stage),
                key: Some(RecordKey(queue.key)),
                limit: 1_000,
            };
            let of = queues(&self.bench.log, &self.bench.manifest, queue.shard, &wanted);
            for parked in of.expect("no faults").into_iter().flat_map(|(_, records)| records) {
                let Some(fermata_runtime::worker::quarantine::What::Record(record)) = parked.what else {
                    panic!("these stages set no timers here");
                };
                let value = String::from_utf8(record.value.unwrap_or_default().to_vec()).expect("made here");
                let number = value.split(':').next().and_then(|n| n.parse().ok()).expect("a number");
                found.entry(key.clone()).or_default().push(number);
            }
        }
        found
    }

    /// `whole`: nothing is left unread.
    fn check(&self, seed: u64, whole: bool) -> u64 {
        let (ended, dead, parked) = (self.numbers("end"), self.numbers("dlq"), self.parked());
        let none = Vec::new();
        for (key, sent) in &self.sent {
            let of = |all: &BTreeMap<String, Vec<u64>>| all.get(key).unwrap_or(&none).clone();
            let ended = of(&ended);
            assert!(
                ended.windows(2).all(|pair| pair[0] < pair[1]),
                "seed {seed}: {key} out of order: {ended:?}"
            );
            let mut all = [ended, of(&dead), of(&parked)].concat();
            all.sort_unstable();
            let twice = all.windows(2).find(|pair| pair[0] == pair[1]);
            assert!(twice.is_none(), "seed {seed}: {key}: {twice:?} ended twice");
            if whole {
                assert_eq!(&all, sent, "seed {seed}: {key}");
            }
        }
        parked.values().map(|p| p.len() as u64).sum()
    }
}

#[test]
fn each_record_ends_once_and_in_order() {
    let (first, seeds) = (number("FERMATA_SEED", 1), number("FERMATA_SEEDS", 60));
    let mut met = Met::default();
    for seed in first..first + seeds {
        let mut storm = Storm::new(seed);
        for _ in 0..400 {
            storm.act();
        }
        storm.calm();
        storm.check(seed, false);
        // The cure, and everything that waits goes on; a full quarantine wants to be released again.
        storm.bench.deploy("first", 1);
        storm.bench.deploy("second", 1);
        storm.calm();
        for _ in 0..20 {
            storm.bench.release(None, None);
            storm.calm();
        }
        let left = storm.check(seed, true);
        assert_eq!(left, 0, "seed {seed}: {:?}", storm.bench.queues());
        let report = storm.bench.verify();
        assert!(report.figures.drained, "seed {seed}: {report:?}");
        for name in ["first", "second"] {
            for shard in [0, 1] {
                let counts = storm.bench.task(name, shard).counts;
                met.parked += counts.parked;
                met.released += counts.unparked;
                met.dead += counts.dead_letters();
            }
        }
        met.kills += storm.kills;
        met.left += left;
    }
    println!("{met:?}");
    assert!(
        met.parked > seeds && met.released == met.parked && met.dead > 0 && met.kills > 0,
        "{met:?}"
    );
}
