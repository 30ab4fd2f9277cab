//! What was found on Kafka, beside what was aimed at.

use super::figures::{Burst, DISTURBED, Open, Silence};
use super::recovery::{MOST_RATIO, Recovered};
use super::side::Side;
use super::{KafkaArgs, Measured};
use crate::bench::machine::processors;
use crate::bench::spread::Spread;
use serde_json::{Value, json};

/// The aims, Fermata beside the peer.
const MOST_LATENCY: f64 = 0.5;
const LEAST_THROUGHPUT: f64 = 1.5;
const MOST_CPU: f64 = 0.5;
const MOST_MEMORY: f64 = 0.25;
const MOST_SILENCE_MS: f64 = 2_000.0;

#[derive(Clone, Debug)]
pub struct KafkaReport {
    args: KafkaArgs,
    peer: Measured,
    bulk: Measured,
    fermata: Measured,
    recovered: Vec<Recovered>,
}

/// One line: figure, the peer's, Fermata's, ratio, aim, met or not.
struct Line {
    name: String,
    peer: String,
    fermata: String,
    ratio: String,
    aim: String,
    met: Option<bool>,
}

impl KafkaReport {
    pub fn new(args: &KafkaArgs) -> Self {
        Self {
            args: args.clone(),
            peer: Measured::default(),
            bulk: Measured::default(),
            fermata: Measured::default(),
            recovered: Vec::new(),
        }
    }

    pub fn of_recovery(args: &KafkaArgs, recovered: Vec<Recovered>) -> Self {
        Self {
            recovered,
            ..Self::new(args)
        }
    }

    pub fn of(&mut self, side: Side) -> &mut Measured {
        match side {
            Side::Peer => &mut self.peer,
            Side::BulkPeer => &mut self.bulk,
            Side::Fermata => &mut self.fermata,
        }
    }

    pub fn json(&self) -> Value {
        let lines = self.lines();
        let aims = lines.iter().filter_map(|l| Some((l.name.clone(), Value::from(l.met?))));
        json!({
            "schema": "fermata.bench-kafka/1",
            "processors": processors(),
            "rounds": self.args.rounds,
            "kafka_streams": self.peer,
            "kafka_streams_bulk": self.bulk,
            "fermata": self.fermata,
            "recovery": self.recovered,
            "disturbed": self.disturbed(),
            "aims": aims.collect::<serde_json::Map<_, _>>(),
        })
    }

    pub fn text(&self) -> String {
        let mut out = vec![format!(
            "{:<34} {:<28} {:<28} {:<20} {:<8} on {} processors; middle (lowest to highest) of {} rounds",
            "figure",
            "Kafka Streams",
            "Fermata",
            "ratio",
            "aim",
            processors(),
            self.args.rounds,
        )];
        for line in self.lines() {
            let mark = line.met.map_or("", |met| if met { "✓" } else { "✗" });
            let Line {
                name,
                peer,
                fermata,
                ratio,
                aim,
                ..
            } = line;
            let text = format!("{name:<34} {peer:<28} {fermata:<28} {ratio:<20} {aim:<8} {mark}");
            out.push(text.trim_end().to_owned());
        }
        let (disturbed, all) = self.disturbed();
        if disturbed > 0 {
            out.push(format!(
                "disturbed: {disturbed} of {all} measurements, in which other programs kept more than {DISTURBED} processors busy"
            ));
        }
        out.join("\n")
    }

    /// Measurements in which the machine had much else to do, of all that know.
    fn disturbed(&self) -> (usize, usize) {
        let sides = [&self.peer, &self.bulk, &self.fermata];
        let others = sides.iter().flat_map(|side| {
            let bursts = side.bursts.iter().map(|b| b.others);
            bursts.chain(side.steady.iter().chain(&side.half).map(|o| o.others))
        });
        let others: Vec<f64> = others.collect();
        (others.iter().filter(|o| **o > DISTURBED).count(), others.len())
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if !self.fermata.bursts.is_empty() {
            self.bursts(&mut lines);
            let at = |rate: u64| format!("at {rate}/s");
            self.open(&mut lines, &at(self.args.rate), |m| &m.steady, true);
            self.open(&mut lines, "at half saturation", |m| &m.half, false);
            self.silences(&mut lines);
        }
        recovered(&self.recovered, &mut lines);
        lines
    }

    fn bursts(&self, lines: &mut Vec<Line>) {
        let of = |side: &Measured, what: fn(&Burst) -> f64| Spread::of(side.bursts.iter().map(what));
        let pps = |b: &Burst| b.pps;
        // Against the faster of the two.
        let best = if of(&self.bulk, pps).median > of(&self.peer, pps).median {
            &self.bulk
        } else {
            &self.peer
        };
        let (peer, own) = (of(best, pps), of(&self.fermata, pps));
        lines.push(pair("payments/s, saturated", peer, own, 0, at_least(LEAST_THROUGHPUT)));
        let cpu = |b: &Burst| b.system_cpu;
        let (peer, own) = (of(best, cpu), of(&self.fermata, cpu));
        lines.push(pair("CPU s per 100k, saturated", peer, own, 1, at_most(MOST_CPU)));
        let broker = |b: &Burst| b.broker_cpu;
        lines.push(pair(
            "broker's, saturated",
            of(best, broker),
            of(&self.fermata, broker),
            1,
            None,
        ));
        let peak = |b: &Burst| b.peak_mib;
        let (peer, own) = (of(&self.peer, peak), of(&self.fermata, peak));
        lines.push(pair("peak memory, MiB", peer, own, 0, at_most(MOST_MEMORY)));
    }

    fn open(&self, lines: &mut Vec<Line>, when: &str, part: fn(&Measured) -> &Vec<Open>, aimed: bool) {
        let of = |side: &Measured, what: fn(&Open) -> f64| Spread::of(part(side).iter().map(what));
        let mut line = |name: &str, what: fn(&Open) -> f64, digits, aim: Option<Aim>| {
            let (peer, own) = (of(&self.peer, what), of(&self.fermata, what));
            lines.push(pair(
                &format!("{name}, {when}"),
                peer,
                own,
                digits,
                aim.filter(|_| aimed),
            ));
        };
        if !aimed {
            line("payments/s", |o| o.rate, 0, None);
        }
        line("p50 ms", |o| o.p50_ms, 1, at_most(MOST_LATENCY));
        line("p99 ms", |o| o.p99_ms, 1, at_most(MOST_LATENCY));
        line("p99.9 ms", |o| o.p999_ms, 1, None);
        line("CPU s per 100k", |o| o.system_cpu, 1, at_most(MOST_CPU));
        line("broker's", |o| o.broker_cpu, 1, None);
    }

    fn silences(&self, lines: &mut Vec<Line>) {
        let of = |side: &Measured, what: fn(&Silence) -> f64| Spread::of(side.silences.iter().map(what));
        let gap = |s: &Silence| s.gap_ms;
        let own = of(&self.fermata, gap);
        lines.push(Line {
            aim: format!("< {MOST_SILENCE_MS:.0}"),
            met: Some(own.max < MOST_SILENCE_MS),
            ..pair("silence after SIGKILL, ms", of(&self.peer, gap), own, 0, None)
        });
        let caught_up = |s: &Silence| s.caught_up_ms;
        let (peer, own) = (of(&self.peer, caught_up), of(&self.fermata, caught_up));
        lines.push(pair("SIGKILL to steady again, ms", peer, own, 0, None));
    }
}

/// Bound of the ratio Fermata / peer, and whether it must not be below (else above).
type Aim = (f64, bool);

fn at_least(bound: f64) -> Option<Aim> {
    Some((bound, true))
}
fn at_most(bound: f64) -> Option<Aim> {
    Some((bound, false))
}

fn pair(name: &str, peer: Spread, own: Spread, digits: usize, aim: Option<Aim>) -> Line {
    let ratio = own.median / peer.median;
    Line {
        name: name.to_owned(),
        peer: peer.text(digits),
        fermata: own.text(digits),
        ratio: format!("{ratio:.2}"),
        aim: aim.map_or(String::new(), |(bound, least)| {
            format!("{} {bound}", if least { ">=" } else { "<=" })
        }),
        met: aim.map(|(bound, least)| if least { ratio >= bound } else { ratio <= bound }),
    }
}

fn recovered(found: &[Recovered], lines: &mut Vec<Line>) {
    let [few, many] = found else { return };
    let of = |side: &Recovered, what: fn(&Silence) -> f64| Spread::of(side.rounds.iter().map(what));
    for (name, what, aim) in [
        ("silence after SIGKILL, ms", (|s| s.gap_ms) as fn(&Silence) -> f64, true),
        ("SIGKILL to steady again, ms", |s| s.caught_up_ms, false),
    ] {
        let (less, more) = (of(few, what), of(many, what));
        let ratio = more.median / less.median;
        for (accounts, spread) in [(few.accounts, less), (many.accounts, more)] {
            let last = accounts == many.accounts;
            lines.push(Line {
                name: format!("{name}, {accounts} accounts"),
                peer: String::new(),
                fermata: spread.text(0),
                ratio: if last { format!("{ratio:.2}") } else { String::new() },
                aim: if last && aim {
                    format!("<= {MOST_RATIO}")
                } else {
                    String::new()
                },
                met: (last && aim).then_some(ratio <= MOST_RATIO),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(pps: f64, p50: f64, others: f64) -> Measured {
        let open = Open {
            rate: 1_000.0,
            p50_ms: p50,
            p99_ms: 2.0 * p50,
            p999_ms: 3.0 * p50,
            max_ms: 4.0 * p50,
            peak_mib: 100.0,
            system_cpu: 10.0,
            broker_cpu: 5.0,
            sender_late_ms: 1.0,
            others,
        };
        let burst = Burst {
            pps,
            peak_mib: 100.0,
            system_cpu: 10.0,
            broker_cpu: 5.0,
            others,
        };
        let silence = Silence {
            gap_ms: 1_500.0,
            resumed_ms: 1_600.0,
            caught_up_ms: 1_700.0,
        };
        Measured {
            bursts: vec![burst],
            steady: vec![open],
            half: vec![open],
            silences: vec![silence],
        }
    }

    #[test]
    fn aims_are_held_against_the_better_of_the_peers() {
        let mut report = KafkaReport::new(&KafkaArgs::default());
        report.peer = measured(5_000.0, 160.0, 0.0);
        report.bulk = measured(8_000.0, 500.0, 0.0);
        report.fermata = measured(10_000.0, 10.0, 0.5);
        let aims = &report.json()["aims"];
        // Twice the one, but only 1.25 times the other.
        assert_eq!(aims["payments/s, saturated"], false);
        assert_eq!(aims["p50 ms, at 1000/s"], true);
        assert_eq!(aims["peak memory, MiB"], false);
        assert_eq!(aims["silence after SIGKILL, ms"], true);
        assert!(aims.get("p50 ms, at half saturation").is_none());
        assert_eq!(report.disturbed(), (3, 9));
        assert!(report.text().contains("disturbed: 3 of 9"), "{}", report.text());
    }

    #[test]
    fn recovery_is_one_size_beside_the_other() {
        let silent = |gap_ms| Silence {
            gap_ms,
            resumed_ms: gap_ms,
            caught_up_ms: gap_ms,
        };
        let of = |accounts, gap| Recovered {
            accounts,
            rounds: vec![silent(gap)],
        };
        let report = |many| KafkaReport::of_recovery(&KafkaArgs::default(), vec![of(100, 500.0), of(2_000, many)]);
        let aim = "silence after SIGKILL, ms, 2000 accounts";
        assert_eq!(report(640.0).json()["aims"][aim], true);
        assert_eq!(report(700.0).json()["aims"][aim], false);
    }
}
