//! Connections cut, silenced and delayed at every request of a transaction, of a group and of a start.

use fermata_tests::harness::{PATIENCE, number, until};
use fermata_tests::kafka::proxy::{Api, Fault, Proxy, Rule};
use fermata_tests::kafka::{Cluster, ClusterOptions, Figures, Scene, Witness};
use std::time::Duration;

/// Times that each is done; `FERMATA_KAFKA_CUTS` asks for another number.
const ROUNDS: u64 = 1;
/// Longer than a batch, shorter than a transaction may last.
const LATE: Duration = Duration::from_secs(2);

const IN_FLOW: [Api; 6] = [
    Api::AddPartitionsToTxn,
    Api::Produce,
    Api::TxnOffsetCommit,
    Api::EndTxn,
    Api::Fetch,
    Api::Heartbeat,
];
const AT_START: [Api; 6] = [
    Api::FindCoordinator,
    Api::InitProducerId,
    Api::JoinGroup,
    Api::SyncGroup,
    Api::OffsetFetch,
    Api::Metadata,
];

/// Waits until a rule has struck, and until payments end again.
fn struck(proxy: &Proxy, rule: Rule, what: &str, witness: &Witness) {
    let id = proxy.add(rule);
    until(&format!("{what} is struck"), PATIENCE, || {
        if proxy.struck(id) > 0 {
            Ok(())
        } else {
            Err(proxy.struck(id))
        }
    });
    witness.more(50);
}

#[test]
fn a_cut_at_any_request_of_a_transaction_loses_nothing_and_doubles_nothing() {
    let rounds = number("FERMATA_KAFKA_CUTS", ROUNDS);
    let kafka = Cluster::start_with(&ClusterOptions::new(1).proxies(1));
    let proxy = kafka.proxy(0);
    let scene = Scene::new("cuts", kafka.bootstrap());
    let mut server = scene
        .node("a")
        .at(proxy.bootstrap())
        .set("socket.timeout.ms", "10000")
        .start();
    let witness = scene.witness();
    let load = scene.load("cuts", 200);
    witness.more(100);
    witness.reset_gap();
    let mut count = 0;
    for round in 0..rounds {
        for api in IN_FLOW {
            for fault in [
                Fault::CutBefore,
                Fault::CutAfter,
                Fault::DelayRequest(LATE),
                Fault::DelayAnswer(LATE),
            ] {
                struck(
                    proxy,
                    Rule::next(api, fault).after(round % 5),
                    &format!("{api:?}: {fault:?}"),
                    &witness,
                );
                count += 1;
            }
        }
        // No answer at all, on a connection that stays: only a timeout of the client's own ends that.
        for api in [Api::Produce, Api::EndTxn] {
            struck(
                proxy,
                Rule::next(api, Fault::Swallow),
                &format!("{api:?}: swallowed"),
                &witness,
            );
            count += 1;
        }
        proxy.delay(Duration::from_millis(20));
        witness.more(50);
        proxy.delay(Duration::ZERO);
    }
    server.ready();
    let figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{count} connections cut, silenced or delayed within transactions: {figures}");
}

#[test]
fn a_cut_at_any_request_of_a_start_loses_nothing_and_doubles_nothing() {
    let rounds = number("FERMATA_KAFKA_CUTS", ROUNDS);
    let kafka = Cluster::start_with(&ClusterOptions::new(1).proxies(1));
    let proxy = kafka.proxy(0);
    let scene = Scene::new("starts", kafka.bootstrap());
    let node = scene.node("a").at(proxy.bootstrap()).set("socket.timeout.ms", "10000");
    let mut server = node.start();
    let witness = scene.witness();
    let load = scene.load("starts", 200);
    witness.more(100);
    witness.reset_gap();
    let mut count = 0;
    for _ in 0..rounds {
        for api in AT_START {
            for fault in [Fault::CutBefore, Fault::CutAfter] {
                server.kill();
                let id = proxy.add(Rule::next(api, fault));
                server = node.spawn();
                witness.more(50);
                count += proxy.struck(id);
                proxy.clear();
            }
        }
    }
    assert!(count > 0, "no start sent any of {AT_START:?}");
    server.ready();
    let figures: Figures = scene.settle(load, &witness, &server.cli());
    assert!(server.cli().ok(&["verify"]).contains("OK"));
    println!("{count} connections cut within starts after SIGKILL: {figures}");
}
