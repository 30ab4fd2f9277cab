//! What an environment lays over the rest, and where each value comes from.

use super::super::effective::Origin;
use super::{GOOD, Source};
use crate::codes;

fn with(extra: &str) -> String {
    GOOD.replacen("noun = \"orders\"", &format!("noun = \"orders\"\n{extra}"), 1)
}

fn in_prod(text: &str) -> Source {
    Source::new("p", text).in_environment(Some("prod"))
}

#[test]
fn tables_are_merged_and_lists_replaced() {
    let text = with(
        r#"env.prod = { partitions = 64, drain = { timeout = "9s" }, goal = [], stage = { check = { config = { max = 5 } } } }
env.dev = { noun = "trials" }"#,
    );
    let prod = in_prod(&text).manifest().unwrap();
    let plain = Source::new("p", &text).manifest().unwrap();
    assert_eq!((plain.partitions, prod.partitions), (16, 64));
    assert_eq!((prod.goals.len(), plain.goals.len()), (0, 1), "a list is replaced");
    assert_eq!(prod.drain.timeout.as_secs(), 9);
    assert_eq!(
        prod.drain.complete_when, plain.drain.complete_when,
        "what is not said stays"
    );
    let config = &prod.stage("check").unwrap().config;
    assert_eq!((&config["max"], &config["nested"]["list"][0]), (&5.into(), &1.into()));
    let names = |m: &super::Manifest| m.stages.iter().map(|s| s.name.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&prod), names(&plain), "in the order of the file");
    assert_eq!(Source::new("p", &text).environments(), ["prod", "dev"]);
}

#[test]
fn mistakes_of_an_environment_are_told_at_their_own_place() {
    let text = with("env.prod = { partitions = 0,\n  stage = { check = { limts = { fuel = 5 } } } }");
    assert!(
        Source::new("p", &text).manifest().is_ok(),
        "another environment is chosen"
    );
    let errors = in_prod(&text).manifest().unwrap_err().into_all();
    let places: Vec<_> = errors.iter().map(|e| (e.code, e.line, e.column)).collect();
    assert_eq!(
        places,
        [(codes::MANIFEST_VALUE, 6, 27), (codes::MANIFEST_SYNTAX, 7, 23)]
    );
    let error = Source::new("p", &text)
        .in_environment(Some("prd"))
        .manifest()
        .unwrap_err()
        .into_first();
    assert!(error.to_string().contains("did you mean \"prod\""), "{error}");
    let error = in_prod(GOOD).manifest().unwrap_err().into_first();
    assert!(error.to_string().contains("has no environments"), "{error}");
}

#[test]
fn what_is_kept_of_an_environment_is_the_manifest_that_ran() {
    let text = with("env.prod = { partitions = 64, stage = { check = { config = { pin = \"${env:PIN}\" } } } }");
    let kept = in_prod(&text).merged().unwrap();
    assert_eq!(
        Source::new("p", &kept).manifest().unwrap(),
        in_prod(&text).manifest().unwrap()
    );
    assert!(kept.contains("${env:PIN}"), "a secret stays a reference: {kept}");
    assert_eq!(
        Source::new("p", &text).merged().unwrap(),
        text,
        "as written where no environment is chosen"
    );
}

#[test]
fn every_value_is_known_by_its_origin() {
    let text = with("env.prod = { partitions = 64, stage = { check = { config = { pin = \"${env:PIN}\" } } } }");
    let all = in_prod(&text).effective().unwrap();
    let of = |name: &str| {
        all.iter()
            .find(|s| s.name() == name)
            .unwrap_or_else(|| panic!("{name}: {all:#?}"))
    };
    let prod = |line| Origin::Environment {
        name: "prod".to_owned(),
        line,
    };
    assert_eq!(of("partitions").origin, prod(6));
    assert_eq!(of("noun").origin, Origin::Written { line: 5 });
    assert_eq!(of("stage.check.limits.outputs").origin, Origin::Default);
    assert_eq!(of("stage.close.limits.memory").value, "64MiB");
    assert_eq!(of("goal[0].over").origin, Origin::Written { line: 10 });
    assert_eq!(of("topics.\"order.incoming\".head").value, true);
    let pin = of("stage.check.config.pin");
    assert_eq!((pin.origin.clone(), pin.secret), (prod(6), true));
    assert!(!of("stage.check.config.max").secret);
}
