//! What `component check` finds, check by check.

use crate::fixture::ENGINE;
use crate::generators;
use crate::guest::{Description, Stage, component};
use fermata_core::limits::Limits;
use fermata_core::ports::{Artifact, PrepareError};
use fermata_engine::{Checkup, World};

fn checkup(artifact: &Artifact) -> Checkup {
    ENGINE.checkup(artifact, Some("{}"), &Limits::default())
}

/// Names of the checks that were made, and the last one's refusal.
fn made(checkup: &Checkup) -> (Vec<&'static str>, Option<&PrepareError>) {
    (checkup.findings.iter().map(|f| f.check).collect(), checkup.refusal())
}

const ALL: [&str; 7] = ["format", "compile", "world", "imports", "exports", "describe", "init"];

#[test]
fn a_stage_passes_them_all() {
    let found = checkup(&Stage::default().build());
    let (checks, refusal) = made(&found);
    assert_eq!(checks, ALL);
    assert!(refusal.is_none() && found.ok(), "{refusal:?}");
    assert_eq!(found.world, Some(World::Stage));
    assert!(found.description.is_some());
    assert!(
        found.imports.iter().all(|name| name.starts_with("fermata:stage/")),
        "{:?}",
        found.imports
    );
    let without_config = ENGINE.checkup(&Stage::default().build(), None, &Limits::default());
    assert_eq!(made(&without_config).0, ALL[..6]);
}

#[test]
fn a_generator_tells_its_plan() {
    let found = checkup(&generators::counting().build());
    assert_eq!(
        made(&found).0,
        ["format", "compile", "world", "imports", "exports", "init"]
    );
    assert_eq!(found.world, Some(World::Generator));
    assert_eq!(found.plan.expect("it was started").outputs, ["out"]);
}

#[test]
fn the_first_check_that_fails_is_the_last() {
    let core = Artifact::new(wat::parse_str("(module)").expect("a module"));
    let whole = Stage::default().build();
    let half = Artifact::new(whole.bytes.slice(..whole.bytes.len() / 2));
    let other = component(
        Some("package fermata:test; world other { export run: func(); }"),
        "other",
        r#"(module (func (export "run")))"#,
    );
    let refusing = Stage {
        init: "(i32.store8 (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 16))
          (i32.store (i32.const 72) (i32.const 3)) (i32.const 64)"
            .into(),
        ..Stage::default()
    };
    let misnamed = Stage {
        description: Description {
            name: "not kebab",
            ..Description::default()
        }
        .layout(),
        ..Stage::default()
    };
    for (artifact, last) in [
        (core, "format"),
        (half, "compile"),
        (other, "world"),
        (misnamed.build(), "describe"),
        (refusing.build(), "init"),
    ] {
        let found = checkup(&artifact);
        let (checks, refusal) = made(&found);
        assert_eq!(checks.last(), Some(&last), "{checks:?}");
        assert!(refusal.is_some() && !found.ok(), "{checks:?}");
    }
    let not_json = ENGINE.checkup(&whole, Some("{"), &Limits::default());
    assert!(matches!(not_json.refusal(), Some(PrepareError::Init(_))));
}
