//! Between the contract's generated types and those of the core.

use crate::bindings::{processor, types, views};
use bytes::Bytes;
use fermata_core::description::{Description, MetricDecl, MetricKind, Port, StoreDecl, ViewDecl, ViewScope};
use fermata_core::ports::ViewError;
use fermata_core::{Due, Emission, Header, Input, Outcome, Rejection};

/// The lists of an input whose elements borrow from it.
pub struct InputParts<'a> {
    headers: Vec<types::HeaderParam<'a>>,
    verdicts: Vec<types::Verdict<'a>>,
}

impl<'a> InputParts<'a> {
    pub fn of(input: &'a Input) -> Self {
        let headers = input.headers.iter().map(|header| types::HeaderParam {
            key: &header.key,
            value: header.value.as_deref(),
        });
        let verdicts = input.verdicts.iter().map(|verdict| types::Verdict {
            validator: &verdict.validator,
            code: verdict.code.as_deref(),
            reason: &verdict.reason,
        });
        Self {
            headers: headers.collect(),
            verdicts: verdicts.collect(),
        }
    }
    /// The input, borrowed.
    pub fn lend(&'a self, input: &'a Input) -> types::Input<'a> {
        types::Input {
            port: &input.port,
            key: input.key.as_deref(),
            value: input.value.as_deref(),
            headers: &self.headers,
            timestamp: input.timestamp.0,
            verdicts: &self.verdicts,
        }
    }
}

pub fn due(due: &Due) -> types::Due<'_> {
    types::Due {
        id: &due.id,
        key: due.key.as_deref(),
        at: due.at.0,
        payload: &due.payload,
    }
}

pub fn outcome(answer: Result<Vec<types::Emission>, types::Rejection>) -> Outcome {
    match answer {
        Ok(told) => Ok(emissions(told)),
        Err(types::Rejection { code, reason }) => Err(Rejection { code, reason }),
    }
}

pub fn emissions(emissions: Vec<types::Emission>) -> Vec<Emission> {
    emissions.into_iter().map(emission).collect()
}

fn emission(emission: types::Emission) -> Emission {
    let header = |header: types::HeaderResult| Header {
        key: header.key.into(),
        value: header.value.map(Bytes::from),
    };
    Emission {
        port: emission.port,
        key: emission.key.map(Bytes::from),
        value: emission.value.map(Bytes::from),
        headers: emission.headers.into_iter().map(header).collect(),
    }
}

pub fn view_error(error: views::ViewError) -> ViewError {
    match error {
        views::ViewError::NotFound => ViewError::NotFound,
        views::ViewError::BadParams(found) => ViewError::BadParams(found),
    }
}

pub fn description(told: processor::Description) -> Description {
    Description {
        name: told.name,
        version: told.version,
        inputs: told.inputs.into_iter().map(port).collect(),
        outputs: told.outputs.into_iter().map(port).collect(),
        stores: told.stores.into_iter().map(store).collect(),
        views: told.views.into_iter().map(view).collect(),
        metrics: told.metrics.into_iter().map(metric).collect(),
        timers: told.timers,
        config_schema: told.config_schema,
    }
}

fn port(port: processor::Port) -> Port {
    Port {
        name: port.name,
        versions: port.versions,
    }
}

fn store(store: processor::StoreDecl) -> StoreDecl {
    StoreDecl {
        name: store.name,
        schema: store.schema,
        migrates: store.migrates,
        reverts: store.reverts,
    }
}

fn view(view: processor::ViewDecl) -> ViewDecl {
    ViewDecl {
        name: view.name,
        scope: match view.scope {
            processor::ViewScope::OneShard => ViewScope::OneShard,
            processor::ViewScope::AllShards => ViewScope::AllShards,
        },
        params: view.params,
        answer: view.answer,
    }
}

fn metric(metric: processor::MetricDecl) -> MetricDecl {
    MetricDecl {
        name: metric.name,
        kind: match metric.kind {
            processor::MetricKind::Counter => MetricKind::Counter,
            processor::MetricKind::Gauge => MetricKind::Gauge,
            processor::MetricKind::Histogram => MetricKind::Histogram,
        },
        unit: metric.unit,
        help: metric.help,
        labels: metric.labels,
    }
}
