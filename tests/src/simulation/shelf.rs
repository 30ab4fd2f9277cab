//! The components that operators deploy: the shipped stages in both versions, and some of each kind of bad one.

use super::plan::Candidate;
use fermata_account::Account;
use fermata_confirm::Confirm;
use fermata_core::manifest::Stage as Place;
use fermata_core::ports::{Artifact, Artifacts};
use fermata_core::{Digest, StageName};
use fermata_inflight::Inflight;
use fermata_native::{NativeArtifacts, NativeExecutor, NativeStage, Registry, registry};
use fermata_stage::{AnyStage, Context, Due, Emission, Input, Reader, Rejection, Stage, StageType, ViewError};
use fermata_validate::Validate;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// All components of one run, and what runs them. Each run has its own: a component that works once works once a run.
#[derive(Clone)]
pub struct Shelf {
    pub executor: Arc<NativeExecutor>,
    pub artifacts: Arc<NativeArtifacts>,
}

impl Default for Shelf {
    fn default() -> Self {
        let bad = with_bad::<Validate<1>>(registry());
        let bad = with_bad::<Inflight<1>>(bad);
        let bad = with_bad::<Account<1>>(bad);
        let all = with_bad::<Confirm<1>>(bad);
        Self {
            artifacts: Arc::new(NativeArtifacts::new(&all)),
            executor: Arc::new(NativeExecutor::new(all)),
        }
    }
}

impl Shelf {
    /// Reference and digest under which a candidate is deployed.
    pub fn find(&self, stage: &StageName, candidate: Candidate) -> (String, Digest) {
        let version = match candidate {
            Candidate::First => "1.0.0",
            Candidate::Second => "1.1.0",
            Candidate::Fragile => FRAGILE,
            Candidate::Stillborn => STILLBORN,
            Candidate::Once => ONCE,
            Candidate::Misfit => MISFIT,
            Candidate::Unknown => {
                let nobody = Digest::of(stage.as_str().as_bytes());
                return (format!("sha256:{}", nobody.full()), nobody);
            }
        };
        let reference = format!("builtin:{stage}@{version}");
        let Artifact { digest, .. } = self.artifacts.resolve(&reference).expect("registered above");
        (reference, digest)
    }

    /// The digest that a place begins with.
    pub fn first(&self, place: &Place) -> Digest {
        self.artifacts.resolve(&place.component).expect("shipped").digest
    }
}

const FRAGILE: &str = "2.0.0";
const STILLBORN: &str = "3.0.0";
const ONCE: &str = "4.0.0";
const MISFIT: &str = "5.0.0";

fn with_bad<S: Stage>(registry: Registry) -> Registry {
    let stage = StageType::of::<S>();
    let describe = |version: &str| {
        let mut description = stage.describe();
        version.clone_into(&mut description.version);
        description
    };
    let used = Arc::new(AtomicBool::new(false));
    let mut misfit = describe(MISFIT);
    misfit.inputs.clear();
    registry
        .with(NativeStage::new(describe(FRAGILE), move |config| {
            Ok(Box::new(Fragile(stage.init(config)?)))
        }))
        .with(NativeStage::new(describe(STILLBORN), |_| {
            Err("stillborn: its init refuses every configuration".into())
        }))
        .with(NativeStage::new(describe(ONCE), move |config| {
            match used.swap(true, Ordering::SeqCst) {
                false => stage.init(config),
                true => Err("its init passes once only".into()),
            }
        }))
        .with(NativeStage::new(misfit, move |config| stage.init(config)))
}

/// Faults on some records, on the same ones each time.
struct Fragile(Box<dyn AnyStage>);

impl AnyStage for Fragile {
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let bytes = input.key.iter().flatten().chain(input.value.iter().flatten());
        let sum = bytes.fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        // It writes before it faults: nothing of that may stay.
        let outcome = self.0.process(cx, input);
        assert!(!sum.is_multiple_of(5), "fragile");
        outcome
    }
    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        self.0.fired(cx, timer)
    }
    fn query(&self, cx: &dyn Reader, view: &str, params: &str) -> Result<String, ViewError> {
        self.0.query(cx, view, params)
    }
    fn merge(&self, view: &str, params: &str, partials: &[String]) -> Result<String, ViewError> {
        self.0.merge(view, params, partials)
    }
}
