//! What the stages declare about themselves.

use fermata_account::Account;
use fermata_confirm::Confirm;
use fermata_inflight::Inflight;
use fermata_payments::Span;
use fermata_stage::{Description, Stage};
use fermata_validate::Validate;
use serde_json::Value;

fn both() -> [[Description; 2]; 4] {
    [
        [Validate::<0>::describe(), Validate::<1>::describe()],
        [Inflight::<0>::describe(), Inflight::<1>::describe()],
        [Account::<0>::describe(), Account::<1>::describe()],
        [Confirm::<0>::describe(), Confirm::<1>::describe()],
    ]
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect(text)
}

#[test]
fn schemas_are_json() {
    for description in both().iter().flatten() {
        assert_eq!(
            json(&description.config_schema)["additionalProperties"],
            false,
            "{}",
            description.name
        );
        for view in &description.views {
            assert_eq!(json(&view.params)["type"], "object", "{}", view.name);
            assert_eq!(json(&view.answer)["type"], "object", "{}", view.name);
        }
    }
}

#[test]
fn both_versions_share_state_messages_and_config_and_differ_in_a_view() {
    for [old, new] in both() {
        assert_eq!((old.version.as_str(), new.version.as_str()), ("1.0.0", "1.1.0"));
        assert_eq!(
            (&old.stores, &old.inputs, &old.outputs),
            (&new.stores, &new.inputs, &new.outputs)
        );
        assert_eq!((&old.config_schema, &old.metrics), (&new.config_schema, &new.metrics));
        assert!(old.timers && new.timers);
        assert_ne!(old.views, new.views, "{}", old.name);
    }
}

#[test]
fn schemas_name_every_key_of_the_config() {
    let known = |schema: &str, keys: &[&str]| {
        let schema = json(schema);
        let properties = schema["properties"].as_object().expect("properties");
        assert_eq!(properties.keys().map(String::as_str).collect::<Vec<_>>(), keys);
    };
    known(
        &Validate::<0>::describe().config_schema,
        &["currencies", "max-ahead", "max-amount", "max-bytes", "window"],
    );
    known(&Inflight::<0>::describe().config_schema, &["keep-ended", "timeout"]);
    known(
        &Account::<0>::describe().config_schema,
        &["auto-open", "one-debit-in-flight", "remember"],
    );
    known(
        &Confirm::<0>::describe().config_schema,
        &["keep-days", "keep-windows", "remember"],
    );
}

/// The manifest's `redrive.horizon` when it names none.
const REDRIVE_HORIZON: Span = Span::days(7);

#[test]
fn what_is_remembered_outlives_the_time_out_and_redrives() {
    let timeout = fermata_inflight::Config::default().timeout;
    let least = timeout.as_millis() + REDRIVE_HORIZON.as_millis();
    for (what, remembered) in [
        ("accepted ids", fermata_validate::Config::default().window),
        ("cancels and ends", fermata_account::Config::default().remember),
        ("confirmed ids", fermata_confirm::Config::default().remember),
    ] {
        assert!(
            remembered.as_millis() > least,
            "{what} are remembered for {remembered:?}"
        );
    }
}
