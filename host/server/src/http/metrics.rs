//! Prometheus text format 0.0.4 of what is counted anyway.

use super::problem::{Answer, Problem};
use super::{Shared, blocking};
use crate::host::{App, figures, goals, status, validators, watch};
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use fermata_core::names::metrics;
use std::fmt::Write as _;

const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

pub async fn text(State(app): Shared) -> Answer {
    blocking(move || {
        let text = render(&app).map_err(Problem::unavailable)?;
        Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
    })
    .await
}

fn render(app: &App) -> Result<String, String> {
    let pipeline = &app.manifest.name;
    let mut text = String::new();
    let mut line = |what: std::fmt::Arguments<'_>| {
        text.write_fmt(what).expect("a String grows as needed");
        text.push('\n');
    };
    line(format_args!("# TYPE fermata_build_info gauge"));
    line(format_args!("fermata_build_info{{version=\"{}\"}} 1", crate::VERSION));
    line(format_args!(
        "# HELP fermata_records_total Records and timers of a stage by what came of them"
    ));
    line(format_args!("# TYPE fermata_records_total counter"));
    for (stage, counts) in status::counts(app) {
        let accepted = counts
            .processed
            .saturating_sub(counts.dead_letters() + counts.in_quarantine());
        for (outcome, count) in [
            ("emitted", accepted),
            ("rejected", counts.rejected),
            ("faulted", counts.faulted),
        ] {
            line(format_args!(
                "fermata_records_total{{pipeline=\"{pipeline}\",stage=\"{stage}\",outcome=\"{outcome}\"}} {count}"
            ));
        }
    }
    line(format_args!(
        "# HELP {} Records that a validator saw, by its verdict",
        metrics::VALIDATOR_RECORDS
    ));
    line(format_args!("# TYPE {} counter", metrics::VALIDATOR_RECORDS));
    for ((stage, validator), verdicts) in validators::counted(app) {
        for (verdict, count) in verdicts {
            line(format_args!(
                "{}{{pipeline=\"{pipeline}\",stage=\"{stage}\",validator=\"{validator}\",verdict=\"{verdict}\"}} {count}",
                metrics::VALIDATOR_RECORDS
            ));
        }
    }
    line(format_args!(
        "# HELP {} From the head's timestamp to the durable commit of the end",
        metrics::PIPELINE_LATENCY
    ));
    line(format_args!("# TYPE {} summary", metrics::PIPELINE_LATENCY));
    let latency = watch::latency(app);
    for quantile in QUANTILES {
        let seconds = latency.value_at_quantile(quantile) as f64 / 1e6;
        line(format_args!(
            "{}{{pipeline=\"{pipeline}\",quantile=\"{quantile}\"}} {seconds}",
            metrics::PIPELINE_LATENCY
        ));
    }
    line(format_args!(
        "{}_count{{pipeline=\"{pipeline}\"}} {}",
        metrics::PIPELINE_LATENCY,
        latency.len()
    ));
    // A figure that is not known is not there.
    if let Some(dead) = figures::dead_letters(app)? {
        line(format_args!("# TYPE fermata_dead_letters_total counter"));
        line(format_args!(
            "fermata_dead_letters_total{{pipeline=\"{pipeline}\"}} {dead}"
        ));
    }
    line(format_args!("# TYPE fermata_parked_records gauge"));
    for (stage, counts) in status::counts(app) {
        line(format_args!(
            "fermata_parked_records{{pipeline=\"{pipeline}\",stage=\"{stage}\"}} {}",
            counts.in_quarantine()
        ));
    }
    line(format_args!("# TYPE fermata_goal_met gauge"));
    for verdict in goals::verdicts(app) {
        if let Some(met) = verdict.met {
            line(format_args!(
                "fermata_goal_met{{pipeline=\"{pipeline}\",goal=\"{}\"}} {}",
                verdict.name.replace(['"', '\\', '\n'], "_"),
                u8::from(met)
            ));
        }
    }
    let paused = u8::from(app.fold().paused.is_some());
    line(format_args!("# TYPE fermata_paused gauge"));
    line(format_args!("fermata_paused{{pipeline=\"{pipeline}\"}} {paused}"));
    app.settle().map_err(|e| e.to_string())?;
    Ok(text)
}
