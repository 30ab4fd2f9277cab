//! What is promised of the pipeline and counted of it: drain, goals, invariants and figures.

use super::entries::{label, many, named};
use super::parse::{DRAIN_TIMEOUT, GOAL_WINDOW, MAX_DURATION};
use super::raw::{Checked, Fields, Value};
use super::{Bound, Condition, Count, CountSource, Drain, Field, Goal, Invariant, InvariantRule, Topic};
use crate::names::metrics;
use crate::{TopicName, codes, limits};
use std::collections::BTreeMap;

/// The topics that references are held against.
pub(super) struct Topics<'a> {
    pub(super) known: &'a BTreeMap<TopicName, Topic>,
    /// Else some of them could not be read, and a reference proves nothing.
    pub(super) whole: bool,
}

pub(super) fn no_drain() -> Drain {
    Drain {
        complete_when: None,
        blocking: None,
        timeout: DRAIN_TIMEOUT,
    }
}

pub(super) fn drain(value: &Value<'_>) -> Checked<Drain> {
    let fields = value.fields()?;
    let drain = Drain {
        complete_when: fields.read("complete-when", condition),
        blocking: fields.read("blocking", |v| {
            let inner = v.fields()?;
            let field = field(&inner);
            inner.close();
            field
        }),
        timeout: fields
            .read("timeout", |v| v.duration_within(MAX_DURATION))
            .unwrap_or(DRAIN_TIMEOUT),
    };
    fields.close();
    Ok(drain)
}

fn condition(value: &Value<'_>) -> Checked<Condition> {
    let fields = value.fields()?;
    let at = field(&fields);
    let equals = fields.must("equals", Value::json);
    fields.close();
    Ok(Condition {
        at: at?,
        equals: equals.unwrap_or_default(),
    })
}

/// The keys `view` and `field` of a table.
fn field(fields: &Fields<'_>) -> Checked<Field> {
    let pointer = fields.read("field", pointer).unwrap_or_default();
    Ok(Field {
        view: fields.need("view")?.text()?,
        field: pointer,
    })
}

/// An RFC 6901 JSON Pointer: empty (the whole answer) or steps that each begin with a slash.
fn pointer(value: &Value<'_>) -> Checked<String> {
    let text = value.string()?.value;
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if escaped && (text.is_empty() || text.starts_with('/')) {
        Ok(text)
    } else {
        let problem = value.bad(format!("expected a JSON Pointer such as \"/count\", found {text:?}"));
        Err(if escaped {
            problem
        } else {
            problem.help("in a JSON Pointer `~` is written ~0 and `/` within a name ~1")
        })
    }
}

pub(super) fn goal(value: &Value<'_>) -> Checked<Goal> {
    let fields = value.fields()?;
    let name = fields.must("name", label);
    let metric = fields.must("metric", goal_metric);
    let quantile = fields
        .get("quantile")
        .and_then(|v| v.keep(quantile(&v, metric.as_deref())));
    let bound = match (fields.get("below"), fields.get("above")) {
        (Some(v), None) => v.keep(amount(&v)).map(Bound::Below),
        (None, Some(v)) => v.keep(amount(&v)).map(Bound::Above),
        (Some(_), Some(v)) => {
            value.problems.note(v.bad("a goal has one bound: below or above"));
            None
        }
        (None, None) => {
            value.problems.note(value.bad("a goal needs a bound: below or above"));
            None
        }
    };
    let over = fields.read("over", |v| v.duration_within(limits::MAX_GOAL_WINDOW));
    fields.close();
    Ok(Goal {
        name: name.unwrap_or_default(),
        metric: metric.unwrap_or_default(),
        quantile,
        bound: bound.unwrap_or(Bound::Below(0.0)),
        over: over.unwrap_or(GOAL_WINDOW),
    })
}

fn goal_metric(value: &Value<'_>) -> Checked<String> {
    let metric = value.string()?.value;
    if metrics::GOALS.contains(&metric.as_str()) {
        return Ok(metric);
    }
    let message = format!("there is no metric {metric:?} for goals");
    Err(value
        .problem(codes::MANIFEST_REFERENCE, message)
        .nearest(&metric, metrics::GOALS))
}

fn quantile(value: &Value<'_>, metric: Option<&str>) -> Checked<f64> {
    let found = value.number()?;
    if !(0.0..1.0).contains(&found) || found == 0.0 {
        return Err(value.bad(format!("expected a number between 0 and 1, found {found}")));
    }
    if metric == Some(metrics::PIPELINE_ENDED) {
        return Err(value.bad(format!("{} is a rate: it has no quantiles", metrics::PIPELINE_ENDED)));
    }
    Ok(found)
}

/// A plain number, or a duration in seconds; more than nothing.
fn amount(value: &Value<'_>) -> Checked<f64> {
    let found = match value.is_text() {
        true => value.duration_within(MAX_DURATION)?.as_secs_f64(),
        false => value.number()?,
    };
    if found > 0.0 {
        return Ok(found);
    }
    Err(value.bad(format!("expected more than 0, found {found}")))
}

pub(super) fn invariant(value: &Value<'_>, topics: &Topics<'_>) -> Checked<Invariant> {
    let fields = value.fields()?;
    let name = fields.must("name", label);
    let when_drained = fields.read("when", |v| match v.string()?.value.as_str() {
        "drained" => Ok(true),
        other => Err(v.bad(format!("the only time known is \"drained\", found {other:?}"))),
    });
    let rule = if let Some(of) = fields.get("of") {
        ends_once(&of, &fields, topics)
    } else {
        let at = field(&fields);
        let each = fields.must("each", Value::integer);
        at.map(|at| InvariantRule::Each {
            at,
            each: each.unwrap_or_default(),
        })
    };
    fields.close();
    Ok(Invariant {
        name: name.unwrap_or_default(),
        rule: rule?,
        when_drained: when_drained.unwrap_or(false),
    })
}

fn ends_once(of: &Value<'_>, fields: &Fields<'_>, topics: &Topics<'_>) -> Checked<InvariantRule> {
    let ends_in = fields.must("ends-in", |ends| {
        if ends.list()?.is_empty() {
            return Err(ends.bad("expected at least one topic"));
        }
        many(ends, |v| known_topic(v, topics))
    });
    Ok(InvariantRule::EndsOnce {
        of: known_topic(of, topics)?,
        ends_in: ends_in.unwrap_or_default(),
    })
}

fn known_topic(value: &Value<'_>, topics: &Topics<'_>) -> Checked<TopicName> {
    let name: TopicName = named(value)?;
    if topics.known.contains_key(&name) || !topics.whole {
        return Ok(name);
    }
    let problem = value.problem(
        codes::MANIFEST_REFERENCE,
        format!("{:?}: no stage reads or writes a topic {name}", value.path),
    );
    Err(problem.nearest(name.as_str(), topics.known.keys().map(TopicName::as_str)))
}

pub(super) fn count(value: &Value<'_>, topics: &Topics<'_>) -> Checked<Count> {
    let fields = value.fields()?;
    let name = fields.must("name", label);
    let of = fields.need("count");
    let source = match fields.get("field") {
        None => of.and_then(|of| known_topic(&of, topics)).map(CountSource::Topic),
        Some(pointed) => {
            let field = pointed.keep(pointer(&pointed)).unwrap_or_default();
            let view = of.and_then(|of| of.text());
            view.map(|view| CountSource::View(Field { view, field }))
        }
    };
    fields.close();
    Ok(Count {
        name: name.unwrap_or_default(),
        source: source?,
    })
}
