//! `validate` and `config show` through the binary.

use super::{edited, examples, line};
use fermata_core::manifest::parse::parse;
use fermata_tests::harness::Cli;
use serde_json::Value;

/// Problems that `validate -o json` tells, which must refuse.
fn problems(file: &str, more: &[&str]) -> Vec<Value> {
    let args = [&["validate", file, "-o", "json"], more].concat();
    let out = Cli::nowhere().exits(&args, 4);
    let told: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("{e}: {out}"));
    assert_eq!(
        (&told["schema"], &told["ok"]),
        (&"fermata.validate/1".into(), &false.into())
    );
    told["problems"].as_array().expect("a list").clone()
}

#[test]
fn what_ships_is_valid() {
    for file in examples() {
        let said = Cli::nowhere().ok(&["validate", file.to_str().expect("a path of text")]);
        assert!(said.contains("pipeline.toml: pipeline "), "{said}");
    }
}

/// What only the components know: ports, views, configs, versions. All at once, each on its own line.
#[test]
fn components_are_held_against_the_manifest() {
    let (_dir, file) = edited(&[
        ("view = \"payment\"", "view = \"paymnt\""),
        ("builtin:confirm@1.0.0", "builtin:confirm@9.9.9"),
    ]);
    let told = problems(&file, &[]);
    assert_eq!(
        told.len(),
        1,
        "views may be those of a component that is not there: {told:?}"
    );
    assert_eq!(
        (&told[0]["code"], &told[0]["line"]),
        (&"F0201".into(), &line("builtin:confirm").into())
    );
    assert!(
        told[0]["message"].as_str().is_some_and(|m| m.contains("confirm@1.0.0")),
        "{told:?}"
    );

    let (_dir, file) = edited(&[
        ("view = \"payment\"", "view = \"paymnt\""),
        ("max-amount = 10_000_000", "max-amont = 10_000_000, max-bytes = 0"),
        (
            "{ confirmed = \"payment.confirmed\" }",
            "{ confirmd = \"payment.confirmed\" }",
        ),
        ("keep-ended = \"15m\"", "keep-ended = \"soon\""),
        ("commands = \"account.commands\" }", "comands = \"account.commands\" }"),
    ]);
    let told = problems(&file, &[]);
    let places: Vec<(&str, u64)> = told
        .iter()
        .map(|p| (p["code"].as_str().expect("a code"), p["line"].as_u64().expect("a line")))
        .collect();
    let confirmed = line("out = { confirmed");
    let generator = line("out = { payments");
    assert_eq!(
        places,
        [
            ("F0207", line("config = { max-amount")),
            ("F0207", line("config = { max-amount")),
            ("F0204", line("keep-ended")),
            ("F0107", confirmed),
            ("F0107", confirmed),
            ("F0107", generator),
            ("F0107", generator),
        ],
        "{told:#?}"
    );
    let all = Value::from(told).to_string();
    for near in [
        "did you mean \\\"max-amount\\\"",
        "did you mean \\\"confirmed\\\"",
        "did you mean \\\"commands\\\"",
    ] {
        assert!(all.contains(near), "{near}: {all}");
    }

    let (_dir, file) = edited(&[("view = \"payment\"", "view = \"paymnt\"")]);
    let told = problems(&file, &[]);
    assert_eq!(
        (&told[0]["code"], &told[0]["line"]),
        (&"F0102".into(), &line("search").into())
    );
    assert_eq!(told[0]["help"], "did you mean \"payment\"?");
}

/// A person sees every problem, drawn at its place.
#[test]
fn all_problems_are_drawn() {
    let (_dir, file) = edited(&[("partitions = 4", "partitions = 0"), ("fuel =", "fule =")]);
    let said = Cli::nowhere().fails(&["validate", &file], 4);
    for words in [
        "2 problems",
        "F0103",
        "F0101",
        "pipeline.toml:5:14",
        "did you mean \"fuel\"",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let said = Cli::nowhere().fails(&["run", "-f", &file], 4);
    assert!(said.contains("2 problems"), "run tells the same: {said}");
    let said = Cli::nowhere().fails(&["validate", "/there/is/no/such.toml"], 3);
    assert!(said.contains("does not exist"), "{said}");
}

const PROD: &str = "noun = \"payments\"\nenv.prod = { partitions = 64, stage = { account = { config = { remember = \"${env:REMEMBER}\" } } } }";

#[test]
fn an_environment_is_checked_even_when_it_is_not_chosen() {
    let (_dir, file) = edited(&[(
        "noun = \"payments\"",
        "noun = \"payments\"\nenv.prod = { partitions = 0 }",
    )]);
    assert_eq!(problems(&file, &[])[0]["line"], 5);
    let told = problems(&file, &["--env", "prd"]);
    assert!(
        told[0]["help"].as_str().is_some_and(|h| h.contains("\"prod\"")),
        "{told:?}"
    );
}

#[test]
fn the_effective_manifest_is_one_again_and_names_every_origin() {
    let (_dir, file) = edited(&[("noun = \"payments\"", PROD), ("fuel = 5_000_000, ", "")]);
    let plain = std::fs::read_to_string(&file).expect("written above");
    let cli = Cli::nowhere();
    let shown = cli.ok(&["config", "show", &file]);
    assert_eq!(
        parse("shown", &shown).expect(&shown),
        parse("plain", &plain).expect("the example is right")
    );
    for words in [
        "partitions = 4  # line ",
        "limits.fuel = 5000000  # default",
        "[stage.account]",
        "[[goal]]",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }

    let mut command = cli.command(&["config", "show", &file]);
    let chosen = command
        .env("FERMATA_ENV", "prod")
        .env("REMEMBER", "4711s")
        .output()
        .expect("it starts");
    let shown = String::from_utf8_lossy(&chosen.stdout);
    assert!(shown.contains("partitions = 64  # env.prod, line 5"), "{shown}");
    assert!(
        shown.contains("remember = \"${env:REMEMBER}\"  # env.prod, line 5, secret"),
        "{shown}"
    );
    assert!(!shown.contains("4711"), "{shown}");

    let told = cli.json(&["config", "show", &file, "--env", "prod"]);
    let values = told["values"].as_array().expect("a list");
    let of = |path: &str| {
        values
            .iter()
            .find(|v| v["path"] == path)
            .unwrap_or_else(|| panic!("{path}: {told}"))
    };
    assert_eq!(of("partitions")["origin"]["environment"], "prod");
    assert_eq!(of("goal[0].over")["origin"]["from"], "file");
    assert_eq!(of("stage.confirm.config.keep-days")["value"], 31);
    assert_eq!(of("stage.account.config.remember")["secret"], true);
}

#[test]
fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let script = Cli::nowhere().ok(&["completion", shell]);
        for verb in ["validate", "explain", "rollback", "--server"] {
            assert!(
                script.contains(verb.trim_start_matches("--")),
                "{shell} knows no {verb}"
            );
        }
    }
    Cli::nowhere().fails(&["completion", "tcsh"], 2);
}

/// A mistake that only the components know of is one for `run`, too.
#[test]
fn a_view_that_nobody_answers_is_refused_by_run() {
    let (dir, file) = edited(&[("view = \"payment\"", "view = \"paymnt\"")]);
    let data = dir.path().join("data");
    let data = data.to_str().expect("a path of text");
    let run = ["run", &file, "--data-dir", data, "--listen", "127.0.0.1:0"];
    let said = Cli::nowhere().fails(&run, 4);
    for words in ["F0102", "search.view", "\"paymnt\"", "did you mean \"payment\""] {
        assert!(said.contains(words), "{words}: {said}");
    }
}
