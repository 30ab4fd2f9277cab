//! All that a guest can reach: the contract's imports, each one method of
//! [`HostCalls`](fermata_core::ports::HostCalls).
//!
//! Arguments are read where they lie in the guest's memory. Every call is charged before it is made and, where it
//! answers with data, again before the answer is copied.

use crate::bindings::log::Level;
use crate::budget::{charge, charge_answer};
use crate::sandbox::Sandbox;
use fermata_core::Timestamp;
use fermata_core::ports::{HostCalls, LogLevel};
use wasmtime::component::{ComponentType, Linker, LinkerInstance, Lower, WasmList, WasmStr};
use wasmtime::{Error, Result, StoreContextMut};

type Cx<'a> = StoreContextMut<'a, Sandbox>;

/// `types.entry`, on its way into the guest.
#[derive(ComponentType, Lower)]
#[component(record)]
struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
}

/// Defines every import of the contract.
pub fn define(linker: &mut Linker<Sandbox>) -> Result<()> {
    let _types_only = linker.instance("fermata:stage/types@0.1.0")?;
    context(linker.instance("fermata:stage/context@0.1.0")?)?;
    store(linker.instance("fermata:stage/store@0.1.0")?)?;
    timer(linker.instance("fermata:stage/timer@0.1.0")?)?;
    metrics(linker.instance("fermata:stage/metrics@0.1.0")?)?;
    log(linker.instance("fermata:stage/log@0.1.0")?)
}

/// Lends the host context to `call`, beside the guest's memory.
fn with_host<T>(cx: &mut Cx<'_>, call: impl FnOnce(&mut dyn HostCalls, &Cx<'_>) -> Result<T>) -> Result<T> {
    let mut host = cx
        .data_mut()
        .host
        .take()
        .ok_or_else(|| Error::msg("the guest called its host outside a call"))?;
    let result = call(host.as_mut(), cx);
    cx.data_mut().host = Some(host);
    result
}

/// Bytes of a text that the guest passes.
fn length(cx: &Cx<'_>, text: &WasmStr) -> Result<usize> {
    Ok(text.to_str(cx)?.len())
}

fn context(mut instance: LinkerInstance<'_, Sandbox>) -> Result<()> {
    instance.func_wrap("id", |mut cx: Cx<'_>, (): ()| {
        let id = with_host(&mut cx, |host, _| Ok(host.id().to_owned()))?;
        charge(&mut cx, id.len())?;
        Ok((id,))
    })?;
    instance.func_wrap("root", |mut cx: Cx<'_>, (): ()| {
        let root = with_host(&mut cx, |host, _| {
            let (id, at) = host.root();
            Ok((id.to_owned(), at.0))
        })?;
        charge(&mut cx, root.0.len())?;
        Ok((root,))
    })?;
    instance.func_wrap("now", |mut cx: Cx<'_>, (): ()| {
        charge(&mut cx, 0)?;
        Ok((with_host(&mut cx, |host, _| Ok(host.now().0))?,))
    })?;
    instance.func_wrap("random", |mut cx: Cx<'_>, (): ()| {
        charge(&mut cx, 0)?;
        Ok((with_host(&mut cx, |host, _| Ok(host.random()))?,))
    })
}

fn store(mut instance: LinkerInstance<'_, Sandbox>) -> Result<()> {
    instance.func_wrap("get", |mut cx: Cx<'_>, (store, key): (WasmStr, WasmList<u8>)| {
        let name = length(&cx, &store)?;
        charge(&mut cx, name + key.len())?;
        let value = with_host(&mut cx, |host, memory| {
            Ok(host.get(&store.to_str(memory)?, key.as_le_slice(memory))?)
        })?;
        charge_answer(&mut cx, value.as_ref().map_or(0, |v| v.len()), 0)?;
        Ok((value.map(Vec::from),))
    })?;
    instance.func_wrap(
        "put",
        |mut cx: Cx<'_>, (store, key, value): (WasmStr, WasmList<u8>, WasmList<u8>)| {
            let name = length(&cx, &store)?;
            charge(&mut cx, name + key.len() + value.len())?;
            with_host(&mut cx, |host, memory| {
                let (key, value) = (key.as_le_slice(memory), value.as_le_slice(memory));
                Ok(host.put(&store.to_str(memory)?, key, value)?)
            })
        },
    )?;
    instance.func_wrap("delete", |mut cx: Cx<'_>, (store, key): (WasmStr, WasmList<u8>)| {
        let name = length(&cx, &store)?;
        charge(&mut cx, name + key.len())?;
        with_host(&mut cx, |host, memory| {
            Ok(host.delete(&store.to_str(memory)?, key.as_le_slice(memory))?)
        })
    })?;
    instance.func_wrap("scan", scan)
}

type ScanArguments = (WasmStr, WasmList<u8>, Option<WasmList<u8>>, u32);

fn scan(mut cx: Cx<'_>, (store, prefix, after, limit): ScanArguments) -> Result<(Vec<Entry>,)> {
    let name = length(&cx, &store)?;
    charge(&mut cx, name + prefix.len() + after.as_ref().map_or(0, WasmList::len))?;
    let found = with_host(&mut cx, |host, memory| {
        let after = after.as_ref().map(|after| after.as_le_slice(memory));
        let prefix = prefix.as_le_slice(memory);
        Ok(host.scan(&store.to_str(memory)?, prefix, after, limit)?)
    })?;
    let bytes = found.iter().map(|(key, value)| key.len() + value.len()).sum();
    charge_answer(&mut cx, bytes, found.len())?;
    let entry = |(key, value)| Entry {
        key: Vec::from(key),
        value: Vec::from(value),
    };
    Ok((found.into_iter().map(entry).collect(),))
}

fn timer(mut instance: LinkerInstance<'_, Sandbox>) -> Result<()> {
    instance.func_wrap(
        "set",
        |mut cx: Cx<'_>, (id, at, payload): (WasmStr, i64, WasmList<u8>)| {
            let name = length(&cx, &id)?;
            charge(&mut cx, name + payload.len())?;
            with_host(&mut cx, |host, memory| {
                let id = id.to_str(memory)?;
                Ok(host.set_timer(&id, Timestamp(at), payload.as_le_slice(memory))?)
            })
        },
    )?;
    instance.func_wrap("cancel", |mut cx: Cx<'_>, (id,): (WasmStr,)| {
        let name = length(&cx, &id)?;
        charge(&mut cx, name)?;
        with_host(&mut cx, |host, memory| Ok(host.cancel_timer(&id.to_str(memory)?)?))
    })
}

fn charge_metric(cx: &mut Cx<'_>, metric: &WasmStr, labels: &[String]) -> Result<()> {
    let name = length(cx, metric)?;
    charge(cx, name + labels.iter().map(String::len).sum::<usize>())?;
    charge_answer(cx, 0, labels.len())
}

fn metrics(mut instance: LinkerInstance<'_, Sandbox>) -> Result<()> {
    instance.func_wrap(
        "add",
        |mut cx: Cx<'_>, (metric, labels, value): (WasmStr, Vec<String>, u64)| {
            charge_metric(&mut cx, &metric, &labels)?;
            with_host(&mut cx, |host, memory| {
                Ok(host.add(&metric.to_str(memory)?, &labels, value)?)
            })
        },
    )?;
    instance.func_wrap(
        "set",
        |mut cx: Cx<'_>, (metric, labels, value): (WasmStr, Vec<String>, i64)| {
            charge_metric(&mut cx, &metric, &labels)?;
            with_host(&mut cx, |host, memory| {
                Ok(host.set(&metric.to_str(memory)?, &labels, value)?)
            })
        },
    )?;
    instance.func_wrap(
        "observe",
        |mut cx: Cx<'_>, (metric, labels, value): (WasmStr, Vec<String>, f64)| {
            charge_metric(&mut cx, &metric, &labels)?;
            with_host(&mut cx, |host, memory| {
                Ok(host.observe(&metric.to_str(memory)?, &labels, value)?)
            })
        },
    )
}

fn log(mut instance: LinkerInstance<'_, Sandbox>) -> Result<()> {
    instance.func_wrap("write", |mut cx: Cx<'_>, (level, message): (Level, WasmStr)| {
        let level = match level {
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        let text = message.to_str(&cx)?.into_owned();
        charge(&mut cx, text.len())?;
        with_host(&mut cx, |host, _| Ok(host.log(level, &text)?))?;
        if level == LogLevel::Error {
            cx.data_mut().last_words = Some(text);
        }
        Ok(())
    })
}
