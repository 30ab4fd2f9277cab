//! What was found, beside what was aimed at.

use super::accounts::{self, Grown};
use super::backlog::{Compared, LEAST_PER_SECOND, LEAST_RATIO, MOST_MICROS, Worked};
use super::calls::Calls;
use super::machine::processors;
use super::memory::Memory;
use super::spread::Spread;
use super::state::State;
use super::steady::{Latency, P50_BELOW, P99_BELOW};
use serde_json::{Value, json};

#[derive(Clone, Debug, Default)]
pub struct Report {
    pub calls: Vec<Calls>,
    pub backlog: Option<Compared>,
    pub steady: Option<Latency>,
    pub memory: Option<Memory>,
    pub grown: Vec<Grown>,
    pub state: Vec<State>,
}

/// One line: figure, aim, met or not.
type Line = (String, String, String, Option<bool>);

impl Report {
    pub fn json(&self) -> Value {
        let mut all = json!({ "schema": "fermata.bench/1", "processors": processors() });
        if !self.calls.is_empty() {
            all["calls"] = json!(self.calls);
        }
        if let Some(found) = &self.backlog {
            all["backlog"] = json!(found);
            all["backlog"]["wasm_of_native"] = json!(found.ratio());
            all["backlog"]["extra_cpu_us_per_stage_call"] = json!(found.extra_micros());
        }
        if let Some(found) = &self.steady {
            all["steady"] = json!(found);
        }
        if let Some(found) = &self.memory {
            all["memory"] = json!(found);
        }
        if !self.state.is_empty() {
            all["state"] = json!(self.state);
        }
        for found in &self.grown {
            let mut one = json!(found);
            one["cpu_ratio"] = json!(found.cpu_ratio());
            one["time_ratio"] = json!(found.time_ratio());
            all[if found.wasm { "accounts_wasm" } else { "accounts_native" }] = one;
        }
        let aims = self
            .lines()
            .into_iter()
            .filter_map(|(name, _, _, met)| Some((name, met?.into())));
        all["aims"] = Value::Object(aims.collect());
        all
    }

    pub fn text(&self) -> String {
        let mut out = vec![format!(
            "{:<34} {:<30} {:<14} on {} processors; middle (lowest to highest) of all rounds",
            "figure",
            "found",
            "aim",
            processors()
        )];
        for (name, found, aim, met) in self.lines() {
            let mark = met.map_or("", |met| if met { "✓" } else { "✗" });
            out.push(format!("{name:<34} {found:<30} {aim:<14} {mark}").trim_end().to_owned());
        }
        out.join("\n")
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = self.calls.iter().map(call).collect();
        if let Some(found) = &self.backlog {
            backlog(found, &mut lines);
        }
        if let Some(found) = &self.steady {
            steady(found, &mut lines);
        }
        if let Some(found) = &self.memory {
            memory(found, &mut lines);
        }
        for found in &self.grown {
            grown(found, &mut lines);
        }
        for found in &self.state {
            state(found, &mut lines);
        }
        lines
    }
}

fn plain(name: &str, found: String) -> Line {
    (name.to_owned(), found, String::new(), None)
}

fn call(found: &Calls) -> Line {
    let (wasm, native) = (found.wasm.text(2), found.native.text(2));
    let name = format!("{}, us a call of {} fuel", found.stage, found.fuel);
    plain(&name, format!("{wasm}, native {native}"))
}

fn backlog(found: &Compared, lines: &mut Vec<Line>) {
    let of = |runs: &[Worked], what: fn(&Worked) -> f64| Spread::of(runs.iter().map(what));
    let speed = of(&found.wasm, |w| w.payments_per_s);
    lines.push((
        format!("Wasm, backlog of {}, /s", found.payments),
        speed.text(0),
        format!(">= {LEAST_PER_SECOND}"),
        Some(speed.median >= LEAST_PER_SECOND),
    ));
    lines.push(plain(
        "native, the same, /s",
        of(&found.native, |w| w.payments_per_s).text(0),
    ));
    let ratio = found.ratio();
    lines.push((
        "Wasm of native".to_owned(),
        ratio.text(2),
        format!(">= {LEAST_RATIO}"),
        Some(ratio.median >= LEAST_RATIO),
    ));
    lines.push(plain(
        "Wasm, CPU us a stage call",
        of(&found.wasm, Worked::cpu_micros_a_call).text(1),
    ));
    lines.push(plain(
        "native, CPU us a stage call",
        of(&found.native, Worked::cpu_micros_a_call).text(1),
    ));
    let extra = found.extra_micros();
    lines.push((
        "Wasm over native, us a stage call".to_owned(),
        extra.text(1),
        format!("<= {MOST_MICROS}"),
        Some(extra.median <= MOST_MICROS),
    ));
    let calls = of(&found.wasm, |w| w.stage_calls as f64 / w.ended as f64);
    lines.push(plain("stage calls a payment", calls.text(1)));
    lines.push(plain("processors busy with other things", others(found).text(2)));
}

fn grown(found: &Grown, lines: &mut Vec<Line>) {
    let kind = if found.wasm { "Wasm" } else { "native" };
    let of = |rounds: &[accounts::Round], what: fn(&accounts::Round) -> f64| Spread::of(rounds.iter().map(what));
    for (accounts, rounds) in found.held.iter().zip([&found.few, &found.many]) {
        lines.push(plain(
            &format!("{kind}, {accounts} accounts, CPU us"),
            of(rounds, |r| r.cpu_micros_a_payment).text(0),
        ));
        lines.push(plain(
            &format!("{kind}, {accounts} accounts, us"),
            of(rounds, |r| r.micros_a_payment).text(0),
        ));
    }
    for (what, ratio) in [("CPU", found.cpu_ratio()), ("time", found.time_ratio())] {
        lines.push((
            format!("{kind}, {what}, many of few"),
            ratio.text(2),
            format!("<= {}", accounts::MOST_RATIO),
            Some(ratio.median <= accounts::MOST_RATIO),
        ));
    }
    let all = found.few.iter().chain(&found.many);
    lines.push(plain(
        "processors busy with other things",
        Spread::of(all.map(|r| r.others)).text(2),
    ));
}

fn others(found: &Compared) -> Spread {
    Spread::of(found.wasm.iter().chain(&found.native).map(|w| w.others))
}

fn steady(found: &Latency, lines: &mut Vec<Line>) {
    let ms = |micros: u64| format!("{:.1}", micros as f64 / 1_000.0);
    let mut quantile = |name: &str, value: u64, below: u64| {
        let name = format!("Wasm at {}/s, {name}, ms", found.rate);
        lines.push((name, ms(value), format!("< {}", below / 1_000), Some(value < below)));
    };
    quantile("p50", found.p50, P50_BELOW);
    quantile("p99", found.p99, P99_BELOW);
    lines.push(plain(&format!("Wasm at {}/s, max, ms", found.rate), ms(found.max)));
    lines.push(plain("payments that ended", found.ended.to_string()));
    lines.push(plain("processors busy with it", format!("{:.2}", found.own)));
    lines.push(plain(
        "processors busy with other things",
        format!("{:.2}", found.others),
    ));
}

fn state(found: &State, lines: &mut Vec<Line>) {
    let entries = found.entries;
    for (what, rate) in [
        ("applied", found.applied_per_s),
        ("written again", found.rewritten_per_s),
        ("restored from the start", found.restored_per_s),
    ] {
        lines.push(plain(&format!("{entries} entries, {what}, /s"), format!("{rate:.0}")));
    }
    for (what, took) in [
        ("restart, ms", found.restart_ms),
        ("restart, behind, ms", found.behind_ms),
    ] {
        lines.push(plain(&format!("{entries} entries, {what}"), format!("{took:.0}")));
    }
    lines.push(plain("on disk", format!("{} MiB", found.disk_bytes >> 20)));
    lines.push(plain(
        "processors busy with other things",
        format!("{:.2}", found.others),
    ));
}

fn memory(found: &Memory, lines: &mut Vec<Line>) {
    let mib = |bytes: u64| format!("{} MiB", bytes >> 20);
    lines.push(plain(
        &format!("resident after {} payments", found.payments),
        mib(found.resident),
    ));
    lines.push(plain("resident at most", mib(found.peak)));
    lines.push(plain("cache of blocks", mib(found.cache)));
    lines.push(plain(
        "memtable of a topic, of a store",
        format!("{}, {}", mib(found.log_memtable), mib(found.state_memtable)),
    ));
    lines.push(plain("write-ahead journals", mib(found.journals)));
    lines.push(plain("newest records", mib(found.newest_records)));
    lines.push(plain("payments/s", format!("{:.0}", found.payments_per_s)));
    lines.push(plain(
        "processors busy with other things",
        format!("{:.2}", found.others),
    ));
}
