//! Whether a payment costs more where there are many accounts: the same load on few and on many, in turn.

use super::Outcome;
use super::load::{Load, now};
use super::machine::Used;
use super::pipeline::{self, FirstWork, Kind, Pipeline};
use super::spread::Spread;
use fermata_core::manifest::Manifest;
use fermata_core::partition::shard_of;
use fermata_core::ports::{Namespace, NoProbe, StateRead};
use fermata_core::{NewRecord, Shard, StageName, TopicName};
use fermata_server::host::figures;
use fermata_store::Embedded;
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// The aim: what a payment costs with many accounts, as a multiple of what it costs with few.
pub const MOST_RATIO: f64 = 1.5;

const COMMANDS: &str = "account.commands";
const STAGE: &str = "account";
/// Commands appended at once, and how many records may wait before more are.
const PAGE: u64 = 5_000;
const WAITING: u64 = 50_000;
/// What an account may owe: more than all payments together.
const OVERDRAFT: i64 = 1_000_000_000_000;

/// One backlog of payments between accounts that are all used alike.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Round {
    pub accounts: u64,
    pub micros_a_payment: f64,
    pub cpu_micros_a_payment: f64,
    /// Processors that others kept busy.
    pub others: f64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Grown {
    pub wasm: bool,
    pub payments: u64,
    /// Entries that the state of the accounts' stage holds at the end.
    pub held: [u64; 2],
    pub few: Vec<Round>,
    pub many: Vec<Round>,
}

impl Grown {
    fn pairs(&self, of: impl Fn(&Round) -> f64) -> Spread {
        Spread::of(self.many.iter().zip(&self.few).map(|(many, few)| of(many) / of(few)))
    }
    pub fn cpu_ratio(&self) -> Spread {
        self.pairs(|round| round.cpu_micros_a_payment)
    }
    pub fn time_ratio(&self) -> Spread {
        self.pairs(|round| round.micros_a_payment)
    }
}

/// A pipeline with its accounts opened, at rest between two rounds.
struct Bank {
    accounts: u64,
    manifest: Manifest,
    pipeline: Pipeline,
    /// The next sequence number of a payment.
    next: u64,
}

impl Bank {
    fn open(kind: Kind, accounts: u64) -> Outcome<Self> {
        let mut manifest = pipeline::manifest()?;
        let generator = manifest.generators.first_mut().ok_or("the manifest has no generator")?;
        generator.config["accounts"] = accounts.into();
        generator.config["zipf"] = 0.into();
        let pipeline = Pipeline::new(kind)?;
        let host = pipeline.start(Arc::new(NoProbe))?;
        let topic = TopicName::new(COMMANDS)?;
        for first in (0..accounts).step_by(PAGE as usize) {
            if first % 100_000 == 0 {
                eprintln!("opening accounts: {first} of {accounts}");
            }
            let page = first..(first + PAGE).min(accounts);
            host.app
                .log
                .append(page.map(|n| opened(&topic, manifest.partitions, n)).collect())?;
            while figures::lag(&host.app)? > WAITING {
                if let Some(because) = host.app.failed() {
                    return Err(because.into());
                }
                std::thread::sleep(pipeline::LOOK);
            }
        }
        pipeline::last_end(&host.app)?;
        host.stop()?;
        Ok(Self {
            accounts,
            manifest,
            pipeline,
            next: 0,
        })
    }

    fn round(&mut self, payments: u64) -> Outcome<Round> {
        let mut load = Load::new(&self.manifest)?;
        load.skip_to_payment(self.next);
        self.next += payments;
        self.pipeline.append_at_rest(load.take(payments)?)?;
        let began = Arc::new(FirstWork::default());
        let host = self.pipeline.start(began.clone())?;
        let (ended, end) = pipeline::last_end(&host.app)?;
        host.stop()?;
        if ended != payments {
            return Err(format!("{ended} of {payments} payments ended").into());
        }
        let Used {
            seconds,
            cpu_seconds,
            others,
        } = began.moment()?.until(&end);
        Ok(Round {
            accounts: self.accounts,
            micros_a_payment: seconds * 1e6 / payments as f64,
            cpu_micros_a_payment: cpu_seconds * 1e6 / payments as f64,
            others,
        })
    }

    /// Accounts that the state really holds.
    fn held(&self) -> Outcome<u64> {
        let log = self.pipeline.at_rest()?;
        let mut held = 0;
        for shard in (0..self.manifest.partitions).map(Shard) {
            held += accounts_of(&log, shard)?;
        }
        Ok(held)
    }
}

fn opened(topic: &TopicName, partitions: u32, n: u64) -> NewRecord {
    let account = format!("acct-{n}");
    let command = json!({
        "v": 1, "type": "open", "account": account, "currency": "EUR", "limit": -OVERDRAFT,
    });
    NewRecord {
        topic: topic.clone(),
        shard: shard_of(account.as_bytes(), partitions),
        timestamp: now(),
        key: Some(account.into()),
        value: Some(command.to_string().into()),
        headers: Vec::new(),
    }
}

fn accounts_of(log: &Embedded, shard: Shard) -> Outcome<u64> {
    let namespace = Namespace {
        stage: StageName::new(STAGE)?,
        store: "accounts".to_owned(),
        schema: 1,
    };
    let (mut held, mut after) = (0, None);
    loop {
        let page = log.scan(&namespace, shard, b"acct-", after.as_deref(), PAGE as usize)?;
        let Some((last, _)) = page.last() else { return Ok(held) };
        after = Some(last.clone());
        held += page.len() as u64;
    }
}

pub fn compare(kind: Kind, rounds: usize, payments: u64) -> Outcome<Grown> {
    let (mut few, mut many) = (Bank::open(kind, FEW)?, Bank::open(kind, MANY)?);
    let mut grown = Grown {
        wasm: kind == Kind::Wasm,
        payments,
        held: [few.held()?, many.held()?],
        few: Vec::new(),
        many: Vec::new(),
    };
    if grown.held != [FEW, MANY] {
        return Err(format!("the state holds {:?} accounts", grown.held).into());
    }
    for round in 1..=rounds {
        eprintln!("{payments} payments on {FEW} and on {MANY} accounts, round {round} of {rounds}: {kind:?}");
        for (bank, rounds) in [(&mut few, &mut grown.few), (&mut many, &mut grown.many)] {
            let round = bank.round(payments)?;
            eprintln!(
                "{} accounts: {:.0} us of CPU, {:.0} us a payment",
                round.accounts, round.cpu_micros_a_payment, round.micros_a_payment
            );
            rounds.push(round);
        }
    }
    Ok(grown)
}
