//! What a guest says is believed only inside its contract, and what it is shown is bounded too.

use super::super::context::TaskContext;
use super::super::lineage::{self, Subject, Work};
use super::super::wording;
use super::{Mark, Task};
use fermata_core::limits as l;
use fermata_core::names::headers;
use fermata_core::ports::Failure;
use fermata_core::{Emission, Fault, FaultCode, Outcome};

impl Task {
    /// What a guest says is believed only inside its contract.
    pub(super) fn check(&self, outcome: Outcome, work: &Work) -> Result<Outcome, Fault> {
        match &outcome {
            Ok(emissions) => self.check_emissions(emissions, work)?,
            Err(rejection) => {
                wording::code(&rejection.code)?;
            }
        }
        Ok(outcome)
    }

    /// A record may not leave more state behind than the task may have, unless it made it less.
    pub(super) fn check_state(&mut self, mark: &Mark) -> Result<(), Failure> {
        let limit = self.wiring.limits.state;
        let Self { context, footprint, .. } = self;
        let TaskContext {
            overlay,
            state,
            shard,
            timers,
            stores,
            ..
        } = &mut **context
            .as_mut()
            .expect("the context is back whenever no call is under way");
        let own = stores.declared.iter().map(|(_, namespace)| namespace);
        let own = own.chain(std::iter::once(&*timers));
        match footprint.too_much(overlay, mark.savepoint, (&**state, *shard), limit, own) {
            Ok(None) => Ok(()),
            Ok(Some(found)) => Err(Failure::Fault(Fault::new(
                FaultCode::Size,
                format!(
                    "{found} bytes of state behind this record, at most {limit}: let the stage delete entries, or raise \
                     its limits.state"
                ),
            ))),
            Err(error) => Err(Failure::Host(error.to_string())),
        }
    }

    fn check_emissions(&self, emissions: &[Emission], work: &Work) -> Result<(), Fault> {
        let limits = &self.wiring.limits;
        let own = lineage::host_bytes(work);
        let size = |text: String| Err(Fault::new(FaultCode::Size, text));
        if emissions.len() > limits.outputs as usize {
            return size(format!(
                "{} emissions of one record, at most {}",
                emissions.len(),
                limits.outputs
            ));
        }
        let mut total = 0;
        for e in emissions {
            if !self.wiring.outputs.contains_key(&e.port) {
                return Err(Fault::new(
                    FaultCode::Contract,
                    format!("an emission to port {:?}, which is not wired", e.port),
                ));
            }
            if let Some(forged) = e.headers.iter().find(|x| headers::reserved(&x.key)) {
                return Err(Fault::new(
                    FaultCode::Contract,
                    format!("header {:?} is the host's to write", forged.key),
                ));
            }
            wording::headers(&e.headers)?;
            let (key, value) = (
                e.key.as_ref().map_or(0, |k| k.len()),
                e.value.as_ref().map_or(0, |v| v.len()),
            );
            let head: usize = e
                .headers
                .iter()
                .map(|x| x.key.len() + x.value.as_ref().map_or(0, |v| v.len()))
                .sum();
            if key > l::MAX_KEY || value > l::MAX_VALUE || head + own > l::MAX_HEADERS {
                let most = format!("{} / {} / {}", l::MAX_KEY, l::MAX_VALUE, l::MAX_HEADERS);
                return size(format!(
                    "an emission of {key} / {value} / {head} bytes of key / value / headers, at most {most} with the {own} of the host's headers"
                ));
            }
            total += (key + value + head) as u64;
        }
        if total > limits.output_bytes {
            return size(format!(
                "{total} bytes of emissions of one record, at most {}",
                limits.output_bytes
            ));
        }
        Ok(())
    }
}

/// An input that no guest is shown.
pub(in super::super) fn oversize(work: &Work) -> Option<Fault> {
    let Subject::Record { input, .. } = &work.subject else {
        return None;
    };
    let (key, value) = (
        input.key.as_ref().map_or(0, |k| k.len()),
        input.value.as_ref().map_or(0, |v| v.len()),
    );
    let head: usize = input
        .headers
        .iter()
        .map(|x| x.key.len() + x.value.as_ref().map_or(0, |v| v.len()))
        .sum();
    (key > l::MAX_KEY || value > l::MAX_VALUE || head > l::MAX_HEADERS).then(|| {
        let most = format!("{} / {} / {}", l::MAX_KEY, l::MAX_VALUE, l::MAX_HEADERS);
        Fault::new(
            FaultCode::Size,
            format!("an input of {key} / {value} / {head} bytes of key / value / headers, at most {most}"),
        )
    })
}
