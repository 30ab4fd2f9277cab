//! Between the SDK's types and the host's: the same words on both sides of the contract.

use bytes::Bytes;
use fermata_core::description as host;
use fermata_core::ports::{self, LogLevel};
use fermata_core::{self as core, Timestamp};
use fermata_stage as sdk;

pub fn description(from: sdk::Description) -> host::Description {
    host::Description {
        name: from.name,
        version: from.version,
        inputs: from.inputs.into_iter().map(port).collect(),
        outputs: from.outputs.into_iter().map(port).collect(),
        stores: from
            .stores
            .into_iter()
            .map(|s| host::StoreDecl {
                name: s.name,
                schema: s.schema,
                migrates: s.migrates,
                reverts: s.reverts,
            })
            .collect(),
        views: from.views.into_iter().map(view).collect(),
        metrics: from.metrics.into_iter().map(metric).collect(),
        timers: from.timers,
        config_schema: from.config_schema,
    }
}

fn port(from: sdk::Port) -> host::Port {
    host::Port {
        name: from.name,
        versions: from.versions,
    }
}

fn view(from: sdk::ViewDecl) -> host::ViewDecl {
    let scope = match from.scope {
        sdk::ViewScope::OneShard => host::ViewScope::OneShard,
        sdk::ViewScope::AllShards => host::ViewScope::AllShards,
    };
    host::ViewDecl {
        name: from.name,
        scope,
        params: from.params,
        answer: from.answer,
    }
}

fn metric(from: sdk::MetricDecl) -> host::MetricDecl {
    let kind = match from.kind {
        sdk::MetricKind::Counter => host::MetricKind::Counter,
        sdk::MetricKind::Gauge => host::MetricKind::Gauge,
        sdk::MetricKind::Histogram => host::MetricKind::Histogram,
    };
    host::MetricDecl {
        name: from.name,
        kind,
        unit: from.unit,
        help: from.help,
        labels: from.labels,
    }
}

pub fn input(from: core::Input) -> sdk::Input {
    sdk::Input {
        port: from.port,
        key: from.key.map(Vec::from),
        value: from.value.map(Vec::from),
        headers: from
            .headers
            .into_iter()
            .map(|h| sdk::Header {
                key: h.key.into_owned(),
                value: h.value.map(Vec::from),
            })
            .collect(),
        timestamp: from.timestamp.0,
        verdicts: from
            .verdicts
            .into_iter()
            .map(|v| sdk::Verdict {
                validator: v.validator,
                code: v.code,
                reason: v.reason,
            })
            .collect(),
    }
}

pub fn due(from: core::Due) -> sdk::Due {
    sdk::Due {
        id: from.id,
        key: from.key.map(Vec::from),
        at: from.at.0,
        payload: from.payload.into(),
    }
}

pub fn emission(from: sdk::Emission) -> core::Emission {
    core::Emission {
        port: from.port,
        key: from.key.map(Bytes::from),
        value: from.value.map(Bytes::from),
        headers: from
            .headers
            .into_iter()
            .map(|h| core::Header {
                key: h.key.into(),
                value: h.value.map(Bytes::from),
            })
            .collect(),
    }
}

pub fn outcome(from: Result<Vec<sdk::Emission>, sdk::Rejection>) -> core::Outcome {
    match from {
        Ok(emissions) => Ok(emissions.into_iter().map(emission).collect()),
        Err(rejection) => Err(core::Rejection {
            code: rejection.code,
            reason: rejection.reason,
        }),
    }
}

pub fn view_answer(from: Result<String, sdk::ViewError>) -> Result<String, ports::ViewError> {
    from.map_err(|error| match error {
        sdk::ViewError::NotFound => ports::ViewError::NotFound,
        sdk::ViewError::BadParams(why) => ports::ViewError::BadParams(why),
    })
}

pub fn entry((key, value): (Bytes, Bytes)) -> sdk::Entry {
    sdk::Entry {
        key: key.into(),
        value: value.into(),
    }
}

pub fn level(from: sdk::Level) -> LogLevel {
    match from {
        sdk::Level::Debug => LogLevel::Debug,
        sdk::Level::Info => LogLevel::Info,
        sdk::Level::Warn => LogLevel::Warn,
        sdk::Level::Error => LogLevel::Error,
    }
}

pub fn timestamp(from: i64) -> Timestamp {
    Timestamp(from)
}
